"""Texts that are not formulas: where the error is, and that nothing else ever happens."""

from __future__ import annotations

import random

import numpy as np
import pytest

import gradcli.ops  # noqa: F401
from gradcli.core.formula import MAX_LENGTH, Formula, FormulaError


def error(text: str) -> FormulaError:
    with pytest.raises(FormulaError) as caught:
        Formula.parse(text, ["x", "alpha", "beta"])
    return caught.value


@pytest.mark.parametrize(
    ("text", "marked", "said"),
    [
        ("", "", "empty"),
        ("  ", " ", "empty"),
        ("x +", "+", "ends"),
        ("x + * 2", "*", "expected a number"),
        ("(x", "(", "never closed"),
        ("exp(x", "(", "never closed"),
        ("x)", ")", "belongs to nothing"),
        ("x, 1", ",", "belongs to nothing"),
        ("(x, 1)", ",", "comma"),
        ("()", ")", "missing"),
        ("exp()", ")", "missing"),
        ("exp(x, 1)", "exp", "takes 1 argument, got 2"),
        ("where(x > 0, 1)", "where", "takes 3 arguments, got 2"),
        ("sum(x, 0, 1)", "sum", "takes 1 or 2 arguments, got 3"),
        ("sum(x, 0.5)", "0.5", "axis"),
        ("sum(x, inf)", "inf", "axis"),
        ("max(0, x)", "x", "maximum"),
        ("bta * x", "bta", "beta"),
        ("gamma * x", "gamma", "known here: alpha, beta, x"),
        ("sigmod(x)", "sigmod", "did you mean sigmoid"),
        ("softmx(x)", "softmx", "did you mean softmax"),
        ("beta(x)", "beta", "write beta *"),
        ("exp + 1", "exp", "write exp("),
        ("2x", "x", "write *"),
        ("2 x", "x", "write *"),
        ("(x)(x)", "(", "write *"),
        ("x 2", "2", "write *"),
        ("1_000", "_000", "operator"),
        ("0x10", "x10", "operator"),
        ("1j", "j", "operator"),
        ("1e999", "1e999", "too large"),
        ("9" * 400, "9" * 400, "too large"),
        ("0 < x < 1", "<", "write a < b and b < c"),
        ("where(x, 1, 2)", "x", "condition"),
        ("where(x > 0 and beta, 1, 2)", "beta", "condition"),
        ("not x", "x", "condition"),
        ("1 + not x > 0", "not", "parentheses"),
        ("x not 1", "not", "and not"),
        ("x and", "and", "ends"),
        ("and x", "and", "before and"),
        ("x if x > 0 else 0", "if", "where"),
        ("x = 1", "=", "=="),
        ("x ^ 2", "^", "**"),
        ("x % 2", "%", "remainder"),
        ("|x|", "|", "abs"),
        ("x & x", "&", "and"),
        ("x \N{MINUS SIGN} 1", "\N{MINUS SIGN}", "use -"),
        ("x \N{MULTIPLICATION SIGN} 2", "\N{MULTIPLICATION SIGN}", "use *"),
        ("prelu(x)", "prelu", "weights of its own"),
        ("log_softmax(x)", "log_softmax", "elementwise"),
    ],
)  # fmt: skip
def test_an_error_has_a_place_and_says_what_is_meant(text: str, marked: str, said: str) -> None:
    found = error(text)
    assert text[found.offset : found.offset + found.length] == marked
    assert said in str(found)


@pytest.mark.parametrize(
    "text",
    [
        "().__class__", "x.__class__.__mro__", "__import__('os')", "__import__", "x.real",
        "1.0.real", "f'{x}'", "'x'", '"x"', "b'x'", "(x := 1)", "[x for x in (1, 2)]",
        "{x: 1}", "{x}", "x[0]",
        "lambda: x", "lambda x: x", "exp(x=1)", "exp(*x)", "exp(**x)", "await x", "yield x", "x; x",
        "print(x)", "eval(x)", "exec(x)", "open(x)", "getattr(x, x)", "globals()",
        "x#comment", "x\0", "\0", "True", "None", "...", "x if x else x", "x in x", "x is x",
        "x // 2", "x << 1",
        "~x", "x\\", "`x`", "\N{CYRILLIC SMALL LETTER HA}", "e\N{COMBINING ACUTE ACCENT}xp(x)",
        "\N{FULLWIDTH LATIN SMALL LETTER X}", "\N{MATHEMATICAL ITALIC SMALL X}",
        "x\N{NO-BREAK SPACE}+ 1", "\N{SUPERSCRIPT TWO}", "x\N{SUPERSCRIPT TWO}",
        "\N{ARABIC-INDIC DIGIT ONE}", "\N{RIGHT-TO-LEFT OVERRIDE}x", "\ud800", "\x0cx", "\x1b[31mx",
    ],
)  # fmt: skip
def test_nothing_else_of_python_gets_in(text: str) -> None:
    error(text).message.encode("ascii")


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("(", ")"), ("abs(", ")"), ("1 + (", ")"), ("-abs(", ")"), ("x**-", "")],
)
def test_the_levels_are_bounded(opening: str, closing: str) -> None:
    for levels in (101, 900):
        assert "levels" in error(opening * levels + "x" + closing * levels).message
    Formula.parse(opening * 50 + "x" + closing * 50, ["x"]).evaluate({"x": 1.0})


@pytest.mark.parametrize(("opening", "inner"), [("(", "x"), ("abs(", "x"), ("1 + (", "x")])
def test_a_hundred_levels_are_fine_and_one_more_is_refused(opening: str, inner: str) -> None:
    value = Formula.parse(opening * 100 + inner + ")" * 100, ["x"]).evaluate({"x": 1.0})
    assert value == 1 + 100 * opening.startswith("1")
    error(opening * 101 + inner + ")" * 101)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+".join(["x"] * 2000), 4000.0),
        ("-".join(["x"] * 2000), 2.0 - 1999 * 2.0),
        ("*".join(["x"] * 1000), 2.0**1000),
        ("-" * 2000 + "x", 2.0),
        ("1**" * 2000 + "x", 1.0),
        ("where(" + " and ".join(["x>0"] * 1000) + ", 1, 2)", 1.0),
        ("x*x + " * 1000 + "x/x", 4001.0),
    ],
)
def test_a_chain_counts_once(text: str, expected: float) -> None:
    x = np.array(2.0)
    value, pullback = Formula.parse(text, ["x"]).value_and_pullback({"x": x}, ["x"])
    assert value == expected
    assert np.isfinite(pullback(np.ones(()))["x"])


def test_the_length_is_bounded() -> None:
    text = "x" + "+x" * (MAX_LENGTH // 2)
    found = error(text)
    assert "characters" in found.message
    assert found.offset == MAX_LENGTH
    Formula.parse(text[: MAX_LENGTH - 1], ["x"])


def test_random_texts_are_formulas_or_formula_errors() -> None:
    generator = random.Random(7)
    likely = ["x", "beta", "1", "2.5", "+", "-", "*", ")", "x"] * 6
    words = [
        *likely,
        "pi", "inf", "exp(", "where(", "sum(", "softmax(", "relu(", "max(", "(", ",", "/", "**",
        "@", "<", "<=", "==", "!=", "and", "or", "not", "1e3", ".5", ".", "[", "]", "{",
        "'", '"', "=",
        ":", "^", "é", "\0", "if", "lambda", "_", "x.y", "1e400",
    ]  # fmt: skip
    parsed = 0
    offsets: list[tuple[int, str]] = []
    for _ in range(2000):
        count = generator.randrange(1, 9)
        text = generator.choice(["", " "]).join(generator.choice(words) for _ in range(count))
        try:
            formula = Formula.parse(text, ["x", "beta"])
        except FormulaError as error:
            offsets.append((error.offset, text))
            continue
        parsed += 1
        try:
            value, pullback = formula.value_and_pullback({"x": np.ones((2, 2)), "beta": 0.5}, ["x"])
            pullback(np.ones_like(value))
        except FormulaError:
            continue
    assert parsed > 100
    assert all(0 <= offset < len(text) for offset, text in offsets)


def test_random_characters_are_formulas_or_formula_errors() -> None:
    generator = random.Random(8)
    offsets: list[tuple[int, str]] = []
    for _ in range(2000):
        text = "".join(chr(generator.randrange(0x250)) for _ in range(generator.randrange(1, 20)))
        try:
            Formula.parse(text, ["x"])
        except FormulaError as error:
            offsets.append((error.offset, text))
    assert len(offsets) > 1000
    assert all(0 <= offset < len(text) for offset, text in offsets)


def test_a_formula_is_immutable_and_equal_by_its_text() -> None:
    one, other = (Formula.parse("x + 1", ["x"]) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one.names == {"x"}
    assert one.elementwise
    assert not Formula.parse("sum(x)", ["x"]).elementwise
    with pytest.raises(AttributeError):
        one.text = "x"  # type: ignore[misc]
