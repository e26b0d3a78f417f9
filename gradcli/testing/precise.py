"""Formulas in decimals of so many digits that two precisions agree, tails included.

An evaluator of its own, so that it also checks the formula language. It reads the text of formulas
that authors of ops wrote, for one row, whose entries are lists of numbers.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal, getcontext, localcontext
from functools import lru_cache
from typing import Any

__all__ = ["evaluate"]

DIGITS = (60, 120, 450)  # 1 - erf(x) is 1e-283 at 25, and that difference needs digits as well
AGREEMENT = Decimal("1e-25")  # of two precisions
Number = Any  # a Decimal, a bool, or a list of them


@lru_cache
def _pi_to(digits: int) -> Decimal:
    """Machin's formula, π = 16·arctan(1/5) - 4·arctan(1/239)."""

    def arctan_inverse(n: int) -> Decimal:
        power, total, k = Decimal(1) / n, Decimal(0), 0
        while power > Decimal(10) ** -digits:
            total += (-1) ** k * power / (2 * k + 1)
            power /= n * n
            k += 1
        return total

    return 16 * arctan_inverse(5) - 4 * arctan_inverse(239)


def _pi() -> Decimal:
    return _pi_to(getcontext().prec)


def _erf(x: Decimal) -> Decimal:
    """erf(x) = 2/√π·exp(-x²)·Σ 2ⁿx²ⁿ⁺¹/(1·3·…·(2n+1)): all terms of one sign."""
    term, total, n = x, x, 0
    while abs(term) > abs(total) * Decimal(10) ** -getcontext().prec:
        n += 1
        term = term * 2 * x * x / (2 * n + 1)
        total += term
    return 2 / _pi().sqrt() * (-x * x).exp() * total


def _tanh(x: Decimal) -> Decimal:
    e = (-2 * abs(x)).exp()
    return ((1 - e) / (1 + e)).copy_sign(x)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": Decimal.exp,
    "expm1": lambda x: x.exp() - 1,
    "log": Decimal.ln,
    "log1p": lambda x: (1 + x).ln(),
    "sqrt": Decimal.sqrt,
    "abs": abs,
    "sign": lambda x: Decimal((x > 0) - (x < 0)),
    "sinh": lambda x: (x.exp() - (-x).exp()) / 2,
    "cosh": lambda x: (x.exp() + (-x).exp()) / 2,
    "tanh": _tanh,
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "erf": _erf,
    "minimum": min,
    "maximum": max,
    "clip": lambda x, low, high: min(max(x, low), high),
    "where": lambda condition, a, b: a if condition else b,
}


def _softmax(x: list[Any]) -> list[Any]:
    powers = [entry.exp() for entry in x]
    return [power / sum(powers) for power in powers]


_OF_ROWS: dict[str, Callable[[list[Any]], Any]] = {
    "sum": sum,
    "mean": lambda x: sum(x) / len(x),
    "max": max,
    "softmax": _softmax,
}


def _power(x: Decimal, y: Decimal) -> Decimal:
    return Decimal(1) if y == 0 else x**y


_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: _power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def _elementwise(function: Callable[..., Any], *operands: Number) -> Number:
    lengths = {len(operand) for operand in operands if isinstance(operand, list)}
    if not lengths:
        return function(*operands)
    (length,) = lengths
    columns = [x if isinstance(x, list) else [x] * length for x in operands]
    return [function(*entries) for entries in zip(*columns, strict=True)]


def _run(node: ast.AST, env: Mapping[str, Number]) -> Number:
    match node:
        case ast.Expression(body=body):
            return _run(body, env)
        case ast.Constant(value=int() | float() as value):
            return Decimal(value)
        case ast.Name(id="pi"):
            return _pi()
        case ast.Name(id=name):
            return env[name]
        case ast.UnaryOp(op=op, operand=operand):
            return _elementwise(_OPERATORS[type(op)], _run(operand, env))
        case ast.BinOp(left=left, op=op, right=right):
            return _elementwise(_OPERATORS[type(op)], _run(left, env), _run(right, env))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _elementwise(_OPERATORS[type(op)], _run(left, env), _run(right, env))
        case ast.Call(func=ast.Name(id=name), args=[argument]) if name in _OF_ROWS:
            return _OF_ROWS[name](_run(argument, env))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _elementwise(_FUNCTIONS[name], *(_run(part, env) for part in arguments))
    raise ValueError(f"cannot evaluate {ast.unparse(node)} in decimals")


def evaluate(text: str, env: Mapping[str, float | list[float]]) -> list[Decimal]:
    """The formula's entries for one row; all numbers, also in the text, are taken as binary floats.

    Raises ValueError for a function that has no decimal version here.
    """
    tree = ast.parse(text, mode="eval")
    exact = {
        name: [Decimal(entry) for entry in value] if isinstance(value, list) else Decimal(value)
        for name, value in env.items()
    }
    previous: list[Decimal] = []
    for digits in DIGITS:
        with localcontext() as context:
            context.prec = digits
            value = _run(tree, exact)
            found = value if isinstance(value, list) else [value]
            if previous and all(map(_agree, previous, found)):
                break
            previous = found
    return found


def _agree(a: Decimal, b: Decimal) -> bool:
    return b != 0 and abs(a - b) <= AGREEMENT * abs(b)  # a zero may be lost digits
