"""Barron's general loss: published values of its partition, and its limits at alpha 0 and 2."""

from __future__ import annotations

import math

import numpy as np
import pytest
from quadrature import gauss_legendre

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.core.op import Loss
from gradcli.core.registry import CATALOGUE
from gradcli.ops.robust import log_partition

EPS = float(np.finfo(float).eps)
RESIDUALS = np.array([[1e-9, 1e-3, 0.3, 1.0, 2.5, 40.0, 800.0, -0.3, -800.0]])


def bessel_k(order: float, x: float) -> float:
    """K, as the integral of exp(-x·cosh t)·cosh(order·t) from 0 on."""
    t = np.linspace(0, 12, 4001)
    values = np.exp(-x * np.cosh(t)) * np.cosh(order * t)
    return float((values.sum() - values[0] / 2) * t[1])


# Barron 2019, section 2 and appendix, "Partition function approximation"
PUBLISHED = {
    0.0: math.pi * math.sqrt(2),
    1.0: 2 * math.e * bessel_k(1.0, 1.0),
    2.0: math.sqrt(2 * math.pi),
    4.0: math.exp(0.25) * bessel_k(0.25, 0.25),
}


def partition(alpha: float, excess: float | None = None) -> float:
    given = alpha - 2 if excess is None else excess
    return float(np.exp(log_partition(np.asarray(alpha), np.asarray(given))[0]))


@pytest.mark.parametrize("alpha", PUBLISHED)
def test_partition_where_it_is_published(alpha: float) -> None:
    assert partition(alpha) == pytest.approx(PUBLISHED[alpha], rel=8 * EPS)


@pytest.mark.parametrize("alpha", [0.003, 0.1, 0.7, 1.3, 1.9, 1.999, 2.01, 3.0, 12.0, 200.0])
def test_partition_by_another_quadrature(alpha: float) -> None:
    """Gauss and Legendre's rule, ever narrower panels towards zero."""
    x, weight = gauss_legendre(np.concatenate([[0.0], np.geomspace(1e-6, 1e18, 400)]), 24)
    b = abs(alpha - 2)
    with np.errstate(over="ignore"):
        density = np.exp(-b / alpha * np.expm1(alpha / 2 * np.log1p(x**2 / b)))
    total = 2 * float((density * weight).sum())
    assert partition(alpha) == pytest.approx(total, rel=1e-13)


def evaluated(
    alpha: float, logit: float | None = None, dtype: str = "float64"
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Values and gradients at RESIDUALS: of a stated alpha, or learned from a logit on."""
    op = CATALOGUE.find("adaptive_robust", Loss)
    assert op is not None
    p = RESIDUALS.astype(dtype)
    learned = [] if logit is None else [np.zeros(1, dtype), np.full(1, logit, dtype)]
    learn = "none" if logit is None else "all"
    value, pull = op.function(p, np.zeros_like(p), *learned, alpha=alpha, scale=1.0, learn=learn)
    found = pull(np.ones_like(value))
    return value, list(found) if learned else [found]


LIMITS = {
    0.0: (lambda r: np.log1p(r * r / 2), lambda r: r / (1 + r * r / 2)),
    2.0: (lambda r: r * r / 2, lambda r: r),
    1.0: (lambda r: np.expm1(np.log1p(r * r) / 2), lambda r: r / np.sqrt(1 + r * r)),
    -2.0: (lambda r: 2 * r * r / (r * r + 4), lambda r: 16 * r / (r * r + 4) ** 2),
}


@pytest.mark.parametrize("alpha", LIMITS)
def test_special_cases(alpha: float) -> None:
    value, (slope,) = evaluated(alpha)
    expected, expected_slope = (of(RESIDUALS) for of in LIMITS[alpha])
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-14)


@pytest.mark.parametrize("limit", [0.0, 2.0])
@pytest.mark.parametrize("distance", [1e-15, 1e-12, 1e-9, 1e-6])
def test_stable_on_the_way_to_a_limit(limit: float, distance: float) -> None:
    """What is left to the limit shrinks with the distance, times a logarithm at alpha 2."""
    value, (slope,) = evaluated(limit - distance if limit else distance)
    expected, expected_slope = (of(RESIDUALS) for of in LIMITS[limit])
    np.testing.assert_allclose(value, expected, rtol=60 * distance + 1e-14)
    np.testing.assert_allclose(slope, expected_slope, rtol=60 * distance + 1e-14)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("sign", "limit"), [(-1, 0.0), (1, 2.0)])
@pytest.mark.parametrize("size", [50.0, 90.0, 800.0])
def test_learned_alpha_far_out(sign: int, limit: float, size: float, dtype: str) -> None:
    """Nothing overflows, and alpha's own gradient fades as alpha reaches its end."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, (slope, _, of_logit) = evaluated(1.0, sign * size, dtype)
    expected, expected_slope = (of(RESIDUALS.astype(dtype)) for of in LIMITS[limit])
    tolerance = {"float64": 1e-14, "float32": 1e-5}[dtype]
    np.testing.assert_allclose(value, expected + math.log(PUBLISHED[limit]), rtol=tolerance)
    np.testing.assert_allclose(slope, expected_slope, rtol=tolerance)
    assert np.abs(of_logit).max() < 1e-12


def test_the_likelihood_knows_how_heavy_the_tails_are() -> None:
    """Over Cauchy noise the mean loss falls with alpha, over Gaussian noise it rises."""
    op = CATALOGUE.find("adaptive_robust", Loss)
    assert op is not None
    quantiles = (np.arange(1, 4000) / 4000)[:, None]
    cauchy = math.sqrt(2) * np.tan(np.pi * (quantiles - 0.5))
    steps = np.linspace(-6, 6, 4000)[:, None]
    for noise, weight, sign in (
        (cauchy, np.full_like(cauchy, 1 / cauchy.size), 1),
        (steps, np.exp(-(steps**2) / 2) / np.exp(-(steps**2) / 2).sum(), -1),
    ):
        _, pull = op.function(
            noise, 0 * noise, np.zeros(1), np.zeros(1), alpha=1.0, scale=1.0, learn="all"
        )
        _, _, of_logit = pull(weight)
        assert sign * of_logit.sum() > 0
