"""Formulas at random: from the grammar, from its words in any order, and from what it refuses."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import yaml

from fuzzing.case import SPEC, Case, flip

__all__ = ["HOSTILE", "draw", "formula"]

UNARY: Final = (
    "exp", "expm1", "log", "log1p", "sqrt", "abs", "sign", "sin", "cos", "tan", "arctan", "sinh",
    "cosh", "tanh", "erf", "sigmoid", "relu", "softplus", "gelu", "mish", "swish", "elu", "selu",
    "softsign", "hard_tanh", "leaky_relu", "identity",
)  # fmt: skip
BINARY: Final = ("+", "-", "*", "/", "**", "+", "*", "-")
REDUCING: Final = ("sum", "mean", "max", "softmax", "transpose")
NUMBERS: Final = (
    "0", "1", "-1", "2", "0.5", "3", "1e-3", "1e3", "1e300", "1e-300", "1e308", "5e-324", "pi",
    "inf", "0.1", "100", "-2.5", "1e16", "(1/3)", "800",
)  # fmt: skip
WORDS: Final = (
    *UNARY, *REDUCING, *NUMBERS, "x", "y", "p", "g", "a", "beta", "where", "minimum", "maximum",
    "clip", "(", ")", ",", "+", "-", "*", "/", "**", "<", "<=", "==", "!=", ">", "and", "or", "not",
    "@", "=", ".", "[", "]", "{", "}", "'", '"', "\\", ":", ";", "\n", "\t", "__class__", "lambda",
    "if", "else", "for", "in", "True", "None", "import", "eval", "0x1", "1_0", "1j", "%", "^", "~",
    "//", "<<", "\u00d7", "\u2212", "\u00b2", "\uff58", "\x00", "\ud7ff", "#", "e9", "matmul",
)  # fmt: skip
HOSTILE: Final = (
    "9**9**9", "9**9**9**9", "(x**999)**999", "10**(10**(10**x))", "x" + "**x" * 60,
    "1" * 5000, "1e9999", "x*" * 3000 + "x", "(" * 5000, "-" * 9000 + "x", "not " * 2000 + "x > 0",
    "exp(" * 95 + "x" + ")" * 95, "x" * 10_001, "().__class__.__bases__[0].__subclasses__()",
    "x.__class__", "__import__('os').system('true')", "'a' * 10**10", "lambda: 0", "[x] * 10**9",
    "'{0.__class__}'.format(x)", "f'{x}'", "(x for x in x)", "\uff45\uff58\uff50(x)",
    "x if x else x",
    "getattr(x, 'real')", "x and x", "x > 0 > x", "where(x > 0, inf - inf, x / 0)", "0 * inf",
    "x / 0", "0 / 0", "log(-1)", "sqrt(-x**2 - 1)", "sign(inf - inf)", "(-1)**0.5", "0**-1",
    "where(x == x, 1, 0)", "clip(x, inf, -inf)", "clip(x, 1, -1)", "minimum(inf, -inf)",
    "tan(pi / 2 * x)", "exp(exp(exp(exp(x))))", "1e308 * 10 * x", "5e-324 / 2 * x", "max()",
    "sum(,)",
    "matmul(x, x)", "transpose(x)", "sum(x, 99999999999999999999)", "softmax(softmax(x, -9), 9)",
)  # fmt: skip
ARRAYS: Final = (
    "a @ transpose(a)", "a @ b", "transpose(a) @ a", "sum(a)", "sum(a, 0)", "mean(a, 1)",
    "max(a, -1)",
    "softmax(a)", "softmax(a, 0)", "a * b", "a + sum(b)", "matmul(a, b)", "sum(a * b, 1)", "b @ a",
    "transpose(transpose(a))", "a - mean(a, 0)", "exp(a) / sum(exp(a))", "max(a)",
    "mean(a) * mean(b)",
)  # fmt: skip


def formula(rng: np.random.Generator, names: tuple[str, ...], depth: int = 4) -> str:
    """One that the grammar allows, in these variables."""
    if depth == 0 or rng.random() < 0.2:
        leaves = names if rng.random() < 0.6 else NUMBERS
        return leaves[rng.integers(len(leaves))]

    def inner() -> str:
        return formula(rng, names, depth - 1)

    way = rng.integers(8)
    if way < 3:
        return f"{UNARY[rng.integers(len(UNARY))]}({inner()})"
    if way < 6:
        return f"({inner()} {BINARY[rng.integers(len(BINARY))]} {inner()})"
    if way == 6:
        sign = ("<", "<=", ">", ">=", "==", "!=")[rng.integers(6)]
        return f"where({inner()} {sign} {inner()}, {inner()}, {inner()})"
    name = ("minimum", "maximum", "clip")[rng.integers(3)]
    return f"{name}({', '.join(inner() for _ in range(3 if name == 'clip' else 2))})"


def draw(rng: np.random.Generator) -> Case:
    """A spec of one definition with such formulas, to be checked."""
    kind = ("activation", "loss", "function")[rng.integers(3)]
    names = {"activation": ("x", "beta"), "loss": ("p", "y", "beta"), "function": ("a", "b")}[kind]
    made: dict[str, Any] = {"kind": kind, "forward": _text(rng, names)}
    if kind == "function":
        shapes = ([3], [2, 3], [3, 2], [1], [2, 2], [2, 1, 3], [])
        made["inputs"] = {n: {"shape": shapes[rng.integers(len(shapes))]} for n in names}
        if rng.random() < 0.8:
            made["gradient"] = {n: _text(rng, (*names, "g")) for n in names}
    else:
        made["params"] = {"beta": float((1.5, 0.0, -1e300, 1e-300)[rng.integers(4)])}
        if rng.random() < 0.8:
            claim = made["forward"] if rng.random() < 0.1 else _text(rng, names)
            made["derivative" if kind == "activation" else "gradient"] = claim
        if rng.random() < 0.2:
            ends = sorted(rng.choice([-1e300, -1.0, 0.0, 1e-9, 2.0, 1e300], 2).tolist())
            made["domain"] = {names[0]: ends}
        if rng.random() < 0.1:
            made["at"] = {names[0]: [0, 1e308, -1e-308]}
    spec = {"gradcli": 1, "define": {"own": made}}
    if kind == "activation" and rng.random() < 0.2:
        data = {"inputs": {"shape": [3, 2]}, "targets": "auto"}
        spec |= {"data": data, "network": [{"dense": 3}, "own", {"dense": 2}], "loss": "mse"}
    text = yaml.safe_dump(spec, allow_unicode=True, sort_keys=False)
    return Case(("check", SPEC), {SPEC: text.encode("utf-8", "surrogatepass")})


def _text(rng: np.random.Generator, names: tuple[str, ...]) -> str:
    way = rng.integers(12)
    if way == 0:
        return HOSTILE[rng.integers(len(HOSTILE))]
    if way == 1:
        return " ".join(WORDS[i] for i in rng.integers(len(WORDS), size=rng.integers(1, 12)))
    if way == 2:
        data = flip(formula(rng, names).encode(), rng)
        return data.decode("utf-8", "replace")
    if "a" in names and way < 9:
        pieces = [ARRAYS[i] for i in rng.integers(len(ARRAYS), size=rng.integers(1, 3))]
        wrapped = [f"{UNARY[rng.integers(len(UNARY))]}({piece})" for piece in pieces]
        return f" {BINARY[rng.integers(len(BINARY))]} ".join(wrapped)
    return formula(rng, names, int(rng.integers(1, 6)))
