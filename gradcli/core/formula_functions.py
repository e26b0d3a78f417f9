"""The elementwise functions and operators of formulas, each value with its pullbacks.

Values are complex-safe in the sense of `gradcli.core.primitives`. Outside its real domain a
function is NaN or infinite, for complex arguments too. Slopes where there is no derivative are
PyTorch's: |x| and sign have slope 0 at 0; a tie of maximum or minimum gives half to each; clip
passes the cotangent at its ends; `where` follows the branch it took; comparisons have no slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcli.core import primitives, special
from gradcli.core.arrays import Array, Mask
from gradcli.core.formula_values import Pull, Through
from gradcli.core.op import Activation, Shape

__all__ = ["ELEMENTWISE", "OPERATORS", "Function", "activation_function", "indicator"]

Result = tuple[Array, tuple[Pull | None, ...]]
"""The value, and for each operand its pullback (None where the slope is zero everywhere)."""


@dataclass(frozen=True)
class Function:
    """A function or an operator of the formula language.

    The rule of an elementwise one takes aligned arrays; that of any other takes `Value`s (see
    `formula_arrays`) and has a `shape` rule: own shapes of the operands to that of the result.
    `conditions` are the operands that have to be comparisons; `is_condition` says that the result
    is one. There may be a kink or a jump where the first operand is one of `kinks`, or where the
    two operands of one of the `ties` are equal.
    """

    name: str
    rule: Callable[..., Any]
    arity: int = 1
    shape: Callable[..., Shape] | None = None
    takes_axis: bool = False
    conditions: tuple[int, ...] = ()
    is_condition: bool = False
    kinks: tuple[float, ...] = ()
    ties: tuple[tuple[int, int], ...] = ()

    @property
    def elementwise(self) -> bool:
        return self.shape is None


def _half(x: Array) -> Array:
    """0.5 in the precision of x, which a Python float does not keep for arrays without axes."""
    return np.asarray(0.5, x.real.dtype)


def _add(a: Array, b: Array) -> Result:
    return a + b, (lambda g: g, lambda g: g)


def _subtract(a: Array, b: Array) -> Result:
    return a - b, (lambda g: g, lambda g: -g)


def _multiply(a: Array, b: Array) -> Result:
    return a * b, (lambda g: g * b, lambda g: g * a)


def _complex(real: Array, imaginary: Array) -> Array:
    """The two parts as they are: a NaN times 1j would spoil the real part too."""
    real, imaginary = np.broadcast_arrays(real, imaginary)
    y = np.empty(real.shape, np.result_type(real, np.complex64))
    y.real = real
    y.imag = imaginary
    return y


def _quotient(a: Array, b: Array) -> Array:
    """The quotient; by zero as for real numbers, however the zero is perturbed."""
    y: Array = a / b
    if not np.iscomplexobj(b):
        return y
    at_zero = _complex(a.real / b.real, np.where((a.imag == 0) & (b.imag == 0), 0, np.nan))
    return primitives.choose(b.real != 0, y, at_zero)


def _divide(a: Array, b: Array) -> Result:
    y = _quotient(a, b)
    return y, (lambda g: _quotient(g, b), lambda g: -g * _quotient(y, b))


def _negative(x: Array) -> Result:
    return -x, (lambda g: -g,)


LARGEST_REPEATED_POWER = 64
"""Whole exponents up to this size are powers by repeated multiplication."""


def _repeated(x: Array, n: int) -> Array:
    """A whole power n ≥ 0 of x by repeated squaring, exact in the imaginary part as in the real."""
    y = np.ones_like(x)
    while n:
        if n & 1:
            y = y * x
        n >>= 1
        if n:
            x = x * x
    return y


def _power_value(x: Array, y: Array) -> Array:
    """The power x**y; NaN for a negative x and a y that is not whole, as for real numbers."""
    if y.size == 1 and y.ndim <= x.ndim and not np.iscomplexobj(y):
        exponent = float(y.item())
        if exponent.is_integer() and abs(exponent) <= LARGEST_REPEATED_POWER:
            raised = _repeated(x, int(abs(exponent)))
            return _quotient(np.ones_like(raised), raised) if exponent < 0 else raised
    real: Array = np.power(x.real, y.real)
    if not (np.iscomplexobj(x) or np.iscomplexobj(y)):
        return real
    # (a + ib)^(c + id) = a^c · exp((c + id)·log(1 + ib/a) + id·log a): real for every sign of a.
    by_base = y * np.log(x / x.real)
    by_exponent = np.where(y.imag == 0, 0, y.imag * np.log(x.real))
    general = real * np.exp(by_base + 1j * by_exponent)
    infinite = (x.real == 0) & (y.real < 1) & (y.real != 0)
    slope = np.where(infinite, np.nan, (x.real == 0) & (y.real == 1))
    at_zero = _complex(real, np.where(x.imag == 0, 0, slope * x.imag))
    settled = (x.real != 0) & np.isfinite(real) & (real != 0)
    return primitives.choose(settled, general, at_zero)


def _power(x: Array, y: Array) -> Result:
    value = _power_value(x, y)

    def pull_base(g: Array) -> Array:
        lower = _power_value(x, y - np.ones_like(y))
        return g * np.where(y == 0, np.zeros_like(value), y * lower)

    def pull_exponent(g: Array) -> Array:
        vanishing = (x.real == 0) & (y.real >= 0)
        return g * np.where(vanishing, np.zeros_like(value), value * _log_value(x))

    return value, (pull_base, pull_exponent)


def _log_value(x: Array) -> Array:
    y: Array = np.log(x)
    return primitives.choose(x.real > 0, y, np.log(x.real)) if np.iscomplexobj(x) else y


def _exp(x: Array) -> Result:
    y = np.exp(x)
    return y, (lambda g: g * y,)


def _expm1(x: Array) -> Result:
    return special.expm1(x), (lambda g: g * np.exp(x),)


def _log(x: Array) -> Result:
    return _log_value(x), (lambda g: _quotient(g, x),)


def _log1p(x: Array) -> Result:
    return special.log1p(x), (lambda g: _quotient(g, 1 + x),)


def _sqrt(x: Array) -> Result:
    y = np.sqrt(x)
    if np.iscomplexobj(x):
        # at zero the slope is infinite, and below it there is no root
        edge = np.sqrt(x.real).astype(y.dtype)
        edge.imag = np.where(x.imag == 0, 0.0, np.copysign(np.inf, x.imag))
        y = primitives.choose(x.real > 0, y, edge)
    return y, (lambda g: _quotient(g * _half(x), y),)


def _abs(x: Array) -> Result:
    return primitives.absolute(x), (lambda g: g * np.sign(x.real),)


def _sign(x: Array) -> Result:
    return primitives.sign(x), (None,)


def _sin(x: Array) -> Result:
    return np.sin(x), (lambda g: g * np.cos(x),)


def _cos(x: Array) -> Result:
    return np.cos(x), (lambda g: -g * np.sin(x),)


def _tan(x: Array) -> Result:
    y = np.tan(x)
    return y, (lambda g: g * (1 + y * y),)


def _arctan(x: Array) -> Result:
    return np.arctan(x), (lambda g: g / (1 + x * x),)


def _sinh(x: Array) -> Result:
    return np.sinh(x), (lambda g: g * np.cosh(x),)


def _cosh(x: Array) -> Result:
    return np.cosh(x), (lambda g: g * np.sinh(x),)


def _tanh(x: Array) -> Result:
    def pull(g: Array) -> Array:
        # 1 - tanh(x)**2 cancels in the tails; this form neither cancels nor overflows.
        tail = np.exp(-2 * primitives.choose(x.real < 0, -x, x))
        slope: Array = 4 * tail / (1 + tail) ** 2
        return g * slope

    return np.tanh(x), (pull,)


def _erf(x: Array) -> Result:
    def pull(g: Array) -> Array:
        slope: Array = np.asarray(2 / math.sqrt(math.pi), x.real.dtype) * np.exp(-x * x)
        return g * slope

    return special.erf(x), (pull,)


def _share(tie: Mask, like: Array) -> Array:
    return np.where(tie, _half(like), np.ones_like(_half(like)))


def _maximum(a: Array, b: Array) -> Result:
    share = _share(a.real == b.real, a)
    pulls = Through(~(a.real < b.real), share), Through(~(b.real < a.real), share)
    return primitives.maximum(a, b), pulls


def _minimum(a: Array, b: Array) -> Result:
    share = _share(a.real == b.real, a)
    pulls = Through(~(a.real > b.real), share), Through(~(b.real > a.real), share)
    return primitives.minimum(a, b), pulls


def _clip(x: Array, low: Array, high: Array) -> Result:
    above = (x.real > high.real) | (low.real > high.real)
    below = (x.real < low.real) & ~above
    pulls = Through(~above & ~below), Through(below), Through(above)
    return primitives.clip(x, low, high), pulls


def _where(condition: Mask, a: Array, b: Array) -> Result:
    return primitives.where(condition, a, b), (None, Through(condition), Through(~condition))


def indicator(condition: Mask, dtype: Any) -> Array:
    """1 where the condition holds, else 0: a comparison used as a number."""
    return primitives.where(condition, np.ones((), dtype), np.zeros((), dtype))


def _comparison(symbol: str, compare: Callable[[Array, Array], Mask]) -> Function:
    def rule(a: Array, b: Array) -> Result:
        return compare(a.real, b.real), (None, None)

    return Function(symbol, rule, 2, is_condition=True, ties=((0, 1),))


def _logical(name: str, combine: Callable[..., Mask], arity: int) -> Function:
    def rule(*conditions: Mask) -> Result:
        return combine(*conditions), (None,) * arity

    return Function(name, rule, arity, conditions=tuple(range(arity)), is_condition=True)


OPERATORS: dict[str, Function] = {
    "+": Function("+", _add, 2),
    "-": Function("-", _subtract, 2),
    "*": Function("*", _multiply, 2),
    "/": Function("/", _divide, 2),
    "**": Function("**", _power, 2),
    "<": _comparison("<", np.less),
    "<=": _comparison("<=", np.less_equal),
    ">": _comparison(">", np.greater),
    ">=": _comparison(">=", np.greater_equal),
    "==": _comparison("==", np.equal),
    "!=": _comparison("!=", np.not_equal),
    "and": _logical("and", np.logical_and, 2),
    "or": _logical("or", np.logical_or, 2),
    "not": _logical("not", np.logical_not, 1),
    "negative": Function("negative", _negative),
}

ELEMENTWISE: dict[str, Function] = {
    function.name: function
    for function in (
        Function("exp", _exp),
        Function("expm1", _expm1),
        Function("log", _log),
        Function("log1p", _log1p),
        Function("sqrt", _sqrt),
        Function("abs", _abs, kinks=(0.0,)),
        Function("sign", _sign, kinks=(0.0,)),
        Function("sin", _sin),
        Function("cos", _cos),
        Function("tan", _tan),
        Function("arctan", _arctan),
        Function("sinh", _sinh),
        Function("cosh", _cosh),
        Function("tanh", _tanh),
        Function("erf", _erf),
        Function("minimum", _minimum, 2, ties=((0, 1),)),
        Function("maximum", _maximum, 2, ties=((0, 1),)),
        Function("clip", _clip, 3, ties=((0, 1), (0, 2))),
        Function("where", _where, 3, conditions=(0,)),
    )
}


def activation_function(op: Activation) -> Function:
    """An elementwise activation without weights of its own, at its default options."""
    options = op.defaults()
    traits = op.traits_at(options)

    def rule(x: Array) -> Result:
        y, pull = op.function(x, **options)
        return y, (pull,)

    return Function(op.name, rule, kinks=() if traits is None else traits.kinks)
