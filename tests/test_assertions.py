"""Assertions for gradients written by hand: silent, or an AssertionError with the diagnosis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytest_runs import run_pytest

from gradcli.assertions import assert_gradients, assert_vjp
from gradcli.core.arrays import Array
from gradcli.errors import UsageError

X = np.linspace(-1.0, 2.0, 7)


def squares(x: Array) -> float:
    return float(np.sum(x**2))


def tanh(x: Array) -> Array:
    return np.tanh(x)


def test_what_is_right_passes_and_gives_the_report() -> None:
    report = assert_gradients(squares, lambda x: 2 * x, X, name="squares")
    assert report.passed
    assert report.tensors[0].checked == 7
    assert assert_vjp(tanh, lambda x, y, g: g * (1 - y**2), X).passed


def test_what_is_wrong_fails_with_its_diagnosis() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_gradients(squares, lambda x: 3 * x, X)
    said = str(caught.value).splitlines()
    assert said[0] == "GC102 constant-factor in x"
    assert "exactly 1.5 times what it should be" in said[1]
    assert said[2].startswith("worst entry [6]: analytic 6, numeric 4 ±")
    with pytest.raises(AssertionError, match="GC103 zero-gradient in x"):
        assert_vjp(tanh, lambda x, y, g: 0 * g, X)


def test_each_array_that_is_wrong_is_told_of() -> None:
    params = {"w": X, "b": X[:3], "c": X[1:5]}
    wrong = {"w": lambda x: -2 * x, "b": lambda x: 2 * x, "c": lambda x: 0 * x}
    with pytest.raises(AssertionError) as caught:
        assert_gradients(
            lambda p: sum(map(squares, p.values())),
            lambda p: {name: wrong[name](value) for name, value in p.items()},
            params,
        )
    assert "GC101 sign-flipped in w" in str(caught.value)
    assert "GC103 zero-gradient in c" in str(caught.value)
    assert " in b" not in str(caught.value)


def test_a_broken_contract_fails() -> None:
    def raising(x: Array, y: Array, g: Array) -> Array:
        raise ZeroDivisionError("division by zero")

    with pytest.raises(AssertionError, match="GC007 backward-raises in vjp"):
        assert_vjp(tanh, raising, X)


def test_what_cannot_be_decided_fails_too() -> None:
    rng = np.random.default_rng(0)
    steps = rng.standard_normal(4096)

    def rough(x: Array) -> float:
        """A slope of one under noise, which leaves open whether it is one and a half."""
        return float(np.sum(x + 1e-2 * steps[(np.abs(x) * 1e9).astype(int) % 4096]))

    with pytest.raises(AssertionError, match="GC203 inconclusive in x"):
        assert_gradients(rough, lambda x: np.full_like(x, 1.5), X)


def test_a_function_that_cannot_be_evaluated_is_no_wrong_gradient() -> None:
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        assert_gradients(lambda x: 1 / 0, lambda x: x, X)


def test_the_grade_is_an_option() -> None:
    def close(x: Array) -> Array:
        return 2 * x * (1 + 1e-4)

    with pytest.raises(AssertionError):
        assert_gradients(squares, close, X)
    assert assert_gradients(squares, close, X, require="acceptable").passed


def test_a_failure_shows_the_line_of_the_test_and_nothing_of_ours(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import numpy as np\n"
        "from gradcli.assertions import assert_gradients\n\n\n"
        "def test_own():\n"
        "    assert_gradients(lambda x: np.sum(x**2), lambda x: 3 * x, np.ones(3))\n"
    )
    printed = run_pytest(tmp_path).stdout
    assert (
        ">       assert_gradients(lambda x: np.sum(x**2), lambda x: 3 * x, np.ones(3))" in printed
    )
    assert "E       AssertionError: GC102 constant-factor in x" in printed
    assert "test_own.py:6: AssertionError" in printed
    assert "gradcli/assertions.py" not in printed
