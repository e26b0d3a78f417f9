"""Special functions against the C library's, published values and decimals."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
import pytest

from gradcli.core.special import decaying, erf, erfc, expm1, log1p

EPS = np.finfo(np.float64).eps
REAL = np.concatenate(
    [np.linspace(-6, 6, 4001), np.linspace(6, 26.5, 2001), np.geomspace(1e-300, 1, 101)]
)
PAIRS = [(erf, math.erf), (erfc, math.erfc)]


def relative(found: np.ndarray, exact: np.ndarray) -> float:
    return float((np.abs(found - exact) / np.abs(exact)).max())


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
def test_real_arguments_to_a_few_ulps(ours: Callable, reference: Callable) -> None:
    exact = np.array([reference(x) for x in REAL])
    normal = np.abs(exact) >= np.finfo(np.float64).tiny
    assert normal.sum() > 5000
    assert relative(ours(REAL)[normal], exact[normal]) < 5 * EPS


@pytest.mark.parametrize(
    ("function", "x", "published"),
    [
        (erf, 0.5, 0.5204998778130465),  # Abramowitz and Stegun, table 7.1
        (erf, 1.0, 0.8427007929497149),
        (erf, 2.0, 0.9953222650189527),
        (erfc, 1.0, 0.15729920705028513),
        (erfc, 5.0, 1.5374597944280349e-12),
        (erfc, 10.0, 2.0884875837625447e-45),
    ],
)
def test_published_values(function: Callable, x: float, published: float) -> None:
    assert function(np.array([x]))[0] == pytest.approx(published, rel=5 * EPS, abs=0)


def test_limits() -> None:
    x = np.array([-np.inf, -800.0, 0.0, 800.0, np.inf, np.nan])
    np.testing.assert_array_equal(erf(x), [-1, -1, 0, 1, 1, np.nan])
    np.testing.assert_array_equal(erfc(x), [2, 2, 1, 0, 0, np.nan])


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
def test_float32_stays_float32_and_is_rounded_once(ours: Callable, reference: Callable) -> None:
    x = np.linspace(-5, 5, 301, dtype=np.float32)
    found = ours(x)
    assert found.dtype == np.float32
    exact = np.array([reference(float(value)) for value in x])
    ordinary = exact != 0
    assert relative(found[ordinary], exact[ordinary]) < np.finfo(np.float32).eps


@pytest.mark.parametrize(("function", "sign"), [(erf, 1.0), (erfc, -1.0)])
@pytest.mark.parametrize("step", [1e-200, 1e-30])
def test_the_imaginary_part_carries_the_derivative(
    function: Callable, sign: float, step: float
) -> None:
    x = np.linspace(-10, 10, 401)
    found = function(x + 1j * step)
    exact = sign * 2 / math.sqrt(math.pi) * np.exp(-(x**2))
    np.testing.assert_array_equal(found.real, function(x))
    # NumPy's exp of a rounded square is itself only good to x² roundings.
    np.testing.assert_allclose(found.imag / step, exact, rtol=102 * EPS, atol=0)


@pytest.mark.parametrize("function", [erf, erfc, log1p, expm1, decaying])
def test_any_shape(function: Callable) -> None:
    x = np.array([[0.1, 0.6], [3.0, 5.0]])
    assert function(x).shape == (2, 2)
    assert function(np.asarray(0.25)).shape == ()
    assert function(np.zeros((0, 3))).shape == (0, 3)
    assert function(x)[1, 0] == function(x[1])[0]


@pytest.mark.parametrize(
    ("function", "exact", "slope"),
    [
        (log1p, lambda x: (1 + x).ln(), lambda x: 1 / (1 + x)),
        (expm1, lambda x: x.exp() - 1, lambda x: x.exp()),
        (decaying, lambda x: x.exp(), lambda x: x.exp()),
    ],
)
def test_small_complex_arguments_keep_the_real_part(
    function: Callable, exact: Callable, slope: Callable
) -> None:
    x = np.concatenate([np.geomspace(1e-300, 0.9, 61), -np.geomspace(1e-300, 0.9, 61)])
    found = function(x + 1e-200j)
    with localcontext() as context:
        context.prec = 350
        value = np.array([float(exact(Decimal(entry))) for entry in x])
        derivative = np.array([float(slope(Decimal(entry))) for entry in x])
    assert relative(found.real, value) < 4 * EPS
    assert relative(found.imag / 1e-200, derivative) < 4 * EPS
    np.testing.assert_array_equal(function(x), found.real)


@pytest.mark.parametrize("scalar", [np.float64, np.float32, np.complex128])
def test_numbers_of_numpy_that_are_no_arrays(scalar: Callable) -> None:
    """Formulas of numbers alone give such."""
    assert erf(scalar(0.5)) == erf(np.array([0.5], scalar))[0]
    assert erf(scalar(0.5)).dtype == scalar
    assert erfc(scalar(0.5)) == erfc(np.array([0.5], scalar))[0]
