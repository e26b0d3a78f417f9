"""From the text of a formula to a flat program of whitelisted steps.

The grammar is Python's for arithmetic, comparisons, `and`, `or`, `not` and calls, and nothing
else of Python's. Operators are ordered with two stacks (Dijkstra's shunting-yard algorithm, 1961)
instead of recursion, so that no text, however nested, can exhaust the interpreter.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from gradcli.core.formula_arrays import ARRAY_FUNCTIONS, MATMUL
from gradcli.core.formula_functions import (
    ELEMENTWISE,
    OPERATORS,
    Function,
    activation_function,
)
from gradcli.core.formula_tokens import MAX_LEVELS, FormulaError, Token, tokenize
from gradcli.core.op import Activation
from gradcli.core.registry import CATALOGUE, nearest

__all__ = ["Apply", "Constant", "Step", "Variable", "parse"]


@dataclass(frozen=True)
class Constant:
    """A number."""

    value: float
    offset: int
    length: int


@dataclass(frozen=True)
class Variable:
    """A declared name."""

    name: str
    offset: int
    length: int


@dataclass(frozen=True)
class Apply:
    """A function of earlier steps, given by position. `offset` and `length` span its text."""

    function: Function
    operands: tuple[int, ...]
    offset: int
    length: int
    axis: int | None = None


Step = Constant | Variable | Apply

CONSTANTS = {"pi": math.pi, "inf": math.inf}

OR, AND, NOT, COMPARE, ADD, MULTIPLY, UNARY, POWER = range(1, 9)
BINARY = {
    "or": OR, "and": AND,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), COMPARE),
    "+": ADD, "-": ADD, "*": MULTIPLY, "/": MULTIPLY, "@": MULTIPLY, "**": POWER,
}  # fmt: skip
_BINARY_FUNCTIONS = OPERATORS | {"@": MATMUL}

_KEYWORDS = {
    "if": "use where(condition, a, b)",
    "else": "use where(condition, a, b)",
    "True": "use a comparison",
    "False": "use a comparison",
    "lambda": "a formula is the expression itself",
}


@dataclass(frozen=True)
class _Operand:
    """A parsed part: its step, its levels, and the precedence of the chain it ends in, if bare."""

    step: int
    levels: int
    offset: int
    end: int
    chain: int = 0


@dataclass(frozen=True)
class _Pending:
    """An operator, an opening or a function that waits; `below` counts operands before it."""

    token: Token
    kind: str
    precedence: int = 0
    function: Function | None = None
    below: int = 0


def parse(
    text: str, names: Collection[str], functions: Mapping[str, Activation] | None
) -> tuple[Step, ...]:
    """The steps of a formula, each after its operands; the last one is the result.

    Raises FormulaError, and nothing else, for a text that is not a formula in these names.
    """
    return _Parser(names, functions).run(text)


class _Parser:
    def __init__(self, names: Collection[str], functions: Mapping[str, Activation] | None) -> None:
        self._names = names
        self._functions = functions
        self._steps: list[Step] = []
        self._variables: dict[str, int] = {}
        self._operands: list[_Operand] = []
        self._pending: list[_Pending] = []
        self._open = 0

    def run(self, text: str) -> tuple[Step, ...]:
        tokens = list(tokenize(text))
        if len(tokens) == 1:
            raise FormulaError("the formula is empty")
        wants_operand = True
        for token, following in pairwise(tokens):
            wants_operand = self._start(token, following) if wants_operand else self._go_on(token)
        end = tokens[-1]
        if wants_operand:
            raise tokens[-2].error("the formula ends where an operand is expected")
        self._reduce(0, end)
        if self._pending:
            raise self._pending[-1].token.error("this parenthesis or call is never closed")
        return tuple(self._steps)

    # An operand is expected: names, numbers, prefixes, opening parentheses.

    def _start(self, token: Token, following: Token) -> bool:
        """Take a token where an operand is expected; whether one is still expected."""
        if token.kind == "number":
            self._number(token)
            return False
        if token.text == "not" or token.text in ("+", "-"):
            self._prefix(token)
            return True
        if token.text == "(":
            self._opened(token)
            return True
        if token.kind == "name":
            if following.text != "(":
                self._name(token)
                return False
            self._call(token)
            return True
        if token.text == ")" and self._pending and self._pending[-1].kind == "opening":
            raise token.error("something is missing between these parentheses")
        raise token.error(f"expected a number, a name or a parenthesis, got {token.text}")

    def _number(self, token: Token) -> None:
        value = float(token.text)
        if math.isinf(value):
            raise token.error("this number is too large", "the largest is 1.797e308")
        self._push_constant(value, token)

    def _push_constant(self, value: float, token: Token) -> None:
        self._steps.append(Constant(value, token.offset, len(token.text)))
        self._push(len(self._steps) - 1, 0, token.offset, token.offset + len(token.text))

    def _push(self, step: int, levels: int, offset: int, end: int, chain: int = 0) -> None:
        self._operands.append(_Operand(step, levels, offset, end, chain))

    def _name(self, token: Token) -> None:
        if token.text in self._names:
            if token.text not in self._variables:
                self._variables[token.text] = len(self._steps)
                self._steps.append(Variable(token.text, token.offset, len(token.text)))
            step = self._variables[token.text]
            self._push(step, 0, token.offset, token.offset + len(token.text))
        elif token.text in CONSTANTS:
            self._push_constant(CONSTANTS[token.text], token)
        else:
            raise self._undeclared(token)

    def _undeclared(self, token: Token) -> FormulaError:
        if token.text in BINARY:
            return token.error(f"expected an operand before {token.text}")
        hint = _KEYWORDS.get(token.text, "")
        if not hint and self._is_function(token.text):
            return token.error(f"{token.text} is a function", f"write {token.text}(...)")
        known = nearest(token.text, [*self._names, *CONSTANTS])
        if not hint and known is not None:
            hint = f"did you mean {known}?"
        elif not hint and self._names:
            hint = "known here: " + ", ".join(sorted(self._names))
        return token.error(f"{token.text} is not declared", hint)

    def _is_function(self, name: str) -> bool:
        return name in ELEMENTWISE or name in ARRAY_FUNCTIONS or self._activation(name) is not None

    def _activation(self, name: str) -> Activation | None:
        if self._functions is not None:
            return self._functions.get(name)
        return CATALOGUE.find(name, Activation)

    def _prefix(self, token: Token) -> None:
        precedence = NOT if token.text == "not" else UNARY
        if self._pending and token.text == "not" and self._pending[-1].precedence > NOT:
            raise token.error("expected an operand, got not", "put the condition in parentheses")
        self._pending.append(_Pending(token, "prefix", precedence))

    def _opened(self, token: Token) -> None:
        called = bool(self._pending) and self._pending[-1].kind == "function"
        function = self._pending[-1].function if called else None
        self._open += 1
        if self._open > MAX_LEVELS:
            raise token.error(f"the formula is nested more than {MAX_LEVELS} levels deep")
        self._pending.append(_Pending(token, "opening", 0, function, len(self._operands)))

    def _call(self, token: Token) -> None:
        """Note the function; the parenthesis that follows opens the call."""
        function = ELEMENTWISE.get(token.text) or ARRAY_FUNCTIONS.get(token.text)
        if function is None:
            function = activation_function(self._usable(token))
        self._pending.append(_Pending(token, "function", 0, function))

    def _usable(self, token: Token) -> Activation:
        op = self._activation(token.text)
        if op is None:
            if token.text in self._names or token.text in CONSTANTS:
                raise token.error(f"{token.text} is not a function", f"write {token.text} * (...)")
            offered = self._functions
            activations = CATALOGUE.names(Activation) if offered is None else list(offered)
            known = nearest(token.text, [*ELEMENTWISE, *ARRAY_FUNCTIONS, *activations])
            hint = f"did you mean {known}?" if known else _KEYWORDS.get(token.text, "")
            raise token.error(f"there is no function {token.text}", hint)
        if not op.elementwise or op.weights is not None:
            reason = "has weights of its own" if op.elementwise else "is not elementwise"
            raise token.error(f"{token.text} {reason} and cannot be called in a formula")
        return op

    # An operand has just been read: operators, commas, closing parentheses.

    def _go_on(self, token: Token) -> bool:
        """Take a token after an operand; whether an operand is expected next."""
        if token.text in BINARY:
            precedence = BINARY[token.text]
            self._reduce(precedence + (precedence == POWER), token)
            self._pending.append(_Pending(token, "binary", precedence))
            return True
        if token.text in (")", ","):
            self._reduce(0, token)
            opening = self._pending[-1] if self._pending else None
            if opening is None:
                what = "parenthesis" if token.text == ")" else "comma"
                raise token.error(f"this {what} belongs to nothing")
            if token.text == ")":
                self._close(token)
                return False
            if opening.function is None:
                raise token.error("a comma is only possible between the arguments of a function")
            return True
        hint = "write * to multiply"
        if token.text in _KEYWORDS:
            hint = _KEYWORDS[token.text]
        elif token.text == "not":
            hint = "use and not, or not"
        raise token.error(f"expected an operator before {token.text}", hint)

    def _reduce(self, precedence: int, at: Token) -> None:
        """Apply the operators that bind at least as tightly as `precedence`."""
        while self._pending and self._pending[-1].precedence >= max(1, precedence):
            operator = self._pending.pop()
            if operator.kind == "binary":
                self._binary(operator)
            else:
                self._unary(operator)

    def _binary(self, operator: _Pending) -> None:
        right, left = self._operands.pop(), self._operands.pop()
        same_left = left.chain == operator.precedence
        same_right = right.chain == operator.precedence
        if operator.precedence == COMPARE and same_left:
            raise operator.token.error("comparisons cannot be chained", "write a < b and b < c")
        levels = max(left.levels + (not same_left), right.levels + (not same_right))
        function = _BINARY_FUNCTIONS[operator.token.text]
        self._apply(function, [left, right], levels, operator, left.offset, right.end)

    def _unary(self, operator: _Pending) -> None:
        operand = self._operands.pop()
        levels = operand.levels + (operand.chain != operator.precedence)
        offset = operator.token.offset
        last = self._steps[-1]
        literal = operand.step == len(self._steps) - 1
        if operator.token.text == "+":
            self._operands.append(replace(operand, levels=levels, chain=UNARY, offset=offset))
            self._check_levels(levels, operator.token)
        elif operator.token.text == "-" and isinstance(last, Constant) and literal:
            self._steps[-1] = Constant(-last.value, offset, operand.end - offset)
            self._push(operand.step, levels, offset, operand.end, UNARY)
        else:
            name = "not" if operator.token.text == "not" else "negative"
            self._apply(OPERATORS[name], [operand], levels, operator, offset, operand.end)

    def _close(self, token: Token) -> None:
        opening = self._pending.pop()
        self._open -= 1
        end = token.offset + 1
        if opening.function is None:
            inner = self._operands.pop()
            self._operands.append(replace(inner, offset=opening.token.offset, end=end, chain=0))
            return
        call = self._pending.pop()
        arguments = self._operands[opening.below :]
        del self._operands[opening.below :]
        function = opening.function
        self._check_count(function, len(arguments), call.token)
        axis = None
        if len(arguments) > function.arity:
            axis = self._axis(arguments.pop(), function)
        levels = 1 + max(argument.levels for argument in arguments)
        self._apply(function, arguments, levels, call, call.token.offset, end, axis)

    def _check_count(self, function: Function, count: int, token: Token) -> None:
        allowed = (function.arity, function.arity + 1) if function.takes_axis else (function.arity,)
        if count not in allowed:
            numbers = " or ".join(map(str, allowed))
            plural = "" if allowed == (1,) else "s"
            raise token.error(f"{function.name} takes {numbers} argument{plural}, got {count}")

    def _axis(self, argument: _Operand, function: Function) -> int:
        step = self._steps[argument.step]
        if not isinstance(step, Constant) or not step.value.is_integer():
            raise FormulaError(
                f"the second argument of {function.name} is an axis, a whole number",
                argument.offset,
                argument.end - argument.offset,
                "use maximum(a, b) for the larger of two" if function.name == "max" else "",
            )
        self._steps.pop()
        return int(step.value)

    def _apply(
        self,
        function: Function,
        operands: list[_Operand],
        levels: int,
        operator: _Pending,
        offset: int,
        end: int,
        axis: int | None = None,
    ) -> None:
        for position in function.conditions:
            operand = operands[position]
            step = self._steps[operand.step]
            if not (isinstance(step, Apply) and step.function.is_condition):
                raise FormulaError(
                    f"{operator.token.text} needs a condition here",
                    operand.offset,
                    operand.end - operand.offset,
                    "compare, for example x > 0",
                )
        self._check_levels(levels, operator.token)
        slots = tuple(operand.step for operand in operands)
        self._steps.append(Apply(function, slots, offset, end - offset, axis))
        self._push(len(self._steps) - 1, levels, offset, end, operator.precedence)

    def _check_levels(self, levels: int, token: Token) -> None:
        if levels > MAX_LEVELS:
            raise token.error(f"the formula is nested more than {MAX_LEVELS} levels deep")
