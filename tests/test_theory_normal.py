"""Averages over a normal distribution, against closed forms and Gauss-Hermite quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.analysis.flow.theory.curve import Curve, curve_of
from gradcli.analysis.flow.theory.normal import averages, hermite_coefficients
from gradcli.core.op import Activation
from gradcli.core.registry import CATALOGUE
from gradcli.spec import load_plan

STDS = (1e-6, 0.3, 1.0, 5.0, 1e3)
cumulative = NormalDist().cdf


def curve(name: str, **options: Any) -> Curve:
    op = CATALOGUE.find(name, Activation)
    assert op is not None
    return curve_of(op, options)


def formula(text: str, derivative: str | None = None) -> Curve:
    """An activation that a spec defines; nothing is known of its kinks."""
    own = {"kind": "activation", "forward": text}
    claim = {} if derivative is None else {"derivative": derivative}
    plan = load_plan({"gradcli": 1, "define": {"own": {**own, **claim}}})
    op = plan.definitions[0].op
    assert isinstance(op, Activation)
    return curve_of(op)


def density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


# E f, E f² and E f'² at x ~ N(0, s²), by hand
def leaky(s: float, a: float) -> tuple[float, float, float]:
    return (1 - a) * s * density(0), (1 + a * a) * s * s / 2, (1 + a * a) / 2


def hard_tanh(s: float) -> tuple[float, float, float]:
    inside = math.erf(1 / (s * math.sqrt(2)))
    tails = math.erfc(1 / (s * math.sqrt(2)))
    # E[x²; |x| < 1], whose difference cancels for wide x
    square = s * s * inside - 2 * s * density(1 / s)
    if s > 100:
        square = 2 * density(0) / s * (1 / 3 - 1 / (10 * s * s))
    return 0.0, square + tails, inside


def gelu(s: float) -> tuple[float, float, float]:
    """E[x·Φ(x)] by parts, and E[Φ²], E[xΦφ], E[x²φ²] as moments of normal vectors."""
    q = s * s
    arc, root = math.asin(q / (1 + q)) / (2 * math.pi), math.sqrt(1 + 2 * q)
    square = q / 4 + q * arc + q**2 / (math.pi * (1 + q) * root)
    slope = 0.25 + arc + q * (3 + 5 * q) / (2 * math.pi * (1 + q) * root**3)
    return q / math.sqrt(2 * math.pi * (1 + q)), square, slope


CLOSED: list[tuple[str, Curve, Callable[[float], tuple[float, float, float]]]] = [
    ("relu", curve("relu"), lambda s: leaky(s, 0.0)),
    ("leaky_relu", curve("leaky_relu", alpha=0.3), lambda s: leaky(s, 0.3)),
    ("prelu", curve("prelu"), lambda s: leaky(s, 0.25)),
    ("identity", curve("identity"), lambda s: (0.0, s * s, 1.0)),
    ("hard_tanh", curve("hard_tanh"), hard_tanh),
    ("gelu", curve("gelu"), gelu),
    ("abs(x), as a formula", formula("abs(x)"), lambda s: (2 * s * density(0), s * s, 1.0)),
    ("max(x, 0), as a formula", formula("maximum(x, 0)"), lambda s: leaky(s, 0.0)),
]


@pytest.mark.parametrize("std", STDS)
@pytest.mark.parametrize(("_", "own", "closed"), CLOSED, ids=[name for name, *_ in CLOSED])
def test_closed_forms(
    _: str, own: Curve, closed: Callable[[float], tuple[float, float, float]], std: float
) -> None:
    found = averages(own, 0.0, std)
    mean, square, slope_square = closed(std)
    assert found.mean == pytest.approx(mean, rel=1e-12, abs=1e-15 * std)
    assert found.rms == pytest.approx(math.sqrt(square), rel=1e-12)
    assert found.slope_rms == pytest.approx(math.sqrt(slope_square), rel=1e-12)


@pytest.mark.parametrize("std", [0.3, 1.0, 2.0])
@pytest.mark.parametrize(("alpha", "scale"), [(1.0, 1.0), (1.6732632423543772, 1.0507009873554805)])
def test_exponential_floors(alpha: float, scale: float, std: float) -> None:
    """ELU and SELU: E[(e^x − 1)²; x < 0] and E[e^2x; x < 0]."""
    one, two = (math.exp(k * k * std * std / 2) * cumulative(-k * std) for k in (1, 2))
    square = std * std / 2 + alpha**2 * (two - 2 * one + 0.5)
    slope_square = 0.5 + alpha**2 * two
    found = averages(curve("elu") if alpha == 1 else curve("selu"), 0.0, std)
    assert found.rms == pytest.approx(scale * math.sqrt(square), rel=1e-12)
    assert found.slope_rms == pytest.approx(scale * math.sqrt(slope_square), rel=1e-12)


def test_selu_at_its_fixed_point() -> None:
    """Klambauer et al. 2017: N(0, 1) goes to mean 0 and variance 1."""
    found = averages(curve("selu"), 0.0, 1.0)
    assert abs(found.mean) < 1e-15
    assert found.rms == pytest.approx(1, abs=1e-14)
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    slope = scale**2 * (0.5 + alpha**2 * math.exp(2) * cumulative(-2))
    assert found.slope_rms**2 == pytest.approx(slope, rel=1e-13)


SMOOTH: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]] = {
    "tanh": (
        np.tanh,
        lambda x: 1 - np.tanh(x) ** 2,
        lambda x: -2 * np.tanh(x) * (1 - np.tanh(x) ** 2),
    ),
    "sigmoid": (
        lambda x: 1 / (1 + np.exp(-x)),
        lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2,
        lambda x: np.exp(-x) * (np.exp(-x) - 1) / (1 + np.exp(-x)) ** 3,
    ),
    "softplus": (
        lambda x: np.log1p(np.exp(x)),
        lambda x: 1 / (1 + np.exp(-x)),
        lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2,
    ),
}


@pytest.mark.parametrize("mean", [0.0, -0.7])
@pytest.mark.parametrize("std", [0.1, 0.4, 0.7])
@pytest.mark.parametrize("name", SMOOTH)
def test_gauss_hermite_agrees_where_it_is_good(name: str, std: float, mean: float) -> None:
    value, slope, curvature = SMOOTH[name]
    nodes, weights = np.polynomial.hermite_e.hermegauss(180)
    weights, x = weights / math.sqrt(2 * math.pi), mean + std * nodes
    found = averages(curve(name), mean, std)
    slopes = weights @ slope(x) ** 2
    assert found.mean == pytest.approx(weights @ value(x), rel=1e-12, abs=1e-15)
    assert found.rms == pytest.approx(math.sqrt(weights @ value(x) ** 2), rel=1e-12)
    assert found.slope_rms == pytest.approx(math.sqrt(slopes), rel=1e-12)
    assert found.kurtosis == pytest.approx(weights @ slope(x) ** 4 / slopes**2, rel=1e-12)
    stretch = weights @ (slope(x) ** 2 + value(x) * curvature(x))
    assert found.stretch == pytest.approx(stretch, rel=1e-11)


@pytest.mark.parametrize("std", [1e3, 1e6])
def test_a_tanh_of_wide_inputs_is_a_step(std: float) -> None:
    """∫sech⁴ = 4/3 and ∫x²·sech⁴ = (π² − 6)/9, from the expansion of the density at zero."""
    found = averages(curve("tanh"), 0.0, std)
    narrow = density(0) / std * (4 / 3 - (math.pi**2 - 6) / 18 / std**2)
    assert found.slope_rms**2 == pytest.approx(narrow, rel=1e-11)
    flat = 1 - density(0) / std * (2 - math.pi**2 / 12 / std**2)  # ∫sech² and ∫x²·sech²
    assert found.rms**2 == pytest.approx(flat, rel=1e-12)
    nodes, weights = np.polynomial.hermite_e.hermegauss(180)
    naive = weights @ (1 - np.tanh(std * nodes) ** 2) ** 2 / math.sqrt(2 * math.pi)
    assert abs(naive / narrow - 1) > 0.5  # which is why it is not what is used


@pytest.mark.parametrize("mean", [0.4, -3.0])
def test_a_mean_beside_zero(mean: float) -> None:
    std = 0.8
    found = averages(curve("relu"), mean, std)
    share, edge = cumulative(mean / std), density(mean / std)
    assert found.mean == pytest.approx(mean * share + std * edge, rel=1e-12)
    square = (mean**2 + std**2) * share + mean * std * edge
    assert found.rms == pytest.approx(math.sqrt(square), rel=1e-12)
    assert found.slope_rms == pytest.approx(math.sqrt(share), rel=1e-12)


@pytest.mark.parametrize("at", [0.0, 0.3, -1.7, 0.123456789])
def test_a_jump_at_a_place_that_nobody_states(at: float) -> None:
    found = averages(formula(f"where(x > {at}, x, 0.1*x)"), 0.0, 1.0)
    share = cumulative(-at)
    assert found.slope_rms == pytest.approx(math.sqrt(share + 0.01 * (1 - share)), rel=1e-12)
    square = share + at * density(at)
    assert found.rms == pytest.approx(math.sqrt(square + 0.01 * (1 - square)), rel=1e-12)


def test_the_slope_is_that_of_the_value_whatever_is_claimed_of_it() -> None:
    found = averages(formula("tanh(x)", derivative="1.5*(1 - tanh(x)**2)"), 0.0, 1.0)
    assert found.slope_rms == pytest.approx(averages(curve("tanh"), 0.0, 1.0).slope_rms, rel=1e-13)


@pytest.mark.parametrize("text", ["log(x)", "sqrt(x)", "sin(1e5*x)", "1/x"])
def test_what_has_no_average_that_can_be_told_is_nan(text: str) -> None:
    found = averages(formula(text), 0.0, 1.0)
    assert math.isnan(found.rms)
    assert math.isnan(found.slope_rms)


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu"])
def test_no_spread_at_all(name: str) -> None:
    found, near = (averages(curve(name), 0.7, std) for std in (0.0, 1e-9))
    for field in ("mean", "rms", "slope_rms", "kurtosis"):
        assert getattr(found, field) == pytest.approx(getattr(near, field), rel=1e-8)


@pytest.mark.parametrize("std", [1e-200, 1e200])
def test_sizes_far_from_one(std: float) -> None:
    found = averages(curve("gelu"), 0.0, std)
    share = 0.25 if std < 1 else 0.5
    assert found.rms == pytest.approx(math.sqrt(share) * std, rel=1e-12)
    assert found.slope_rms == pytest.approx(math.sqrt(share), rel=1e-12)
    assert found.stretch == pytest.approx(share, rel=1e-12)


def test_the_covariance_of_two_correlated_inputs() -> None:
    """Cho and Saul 2009: E[relu·relu] = (√(1 − ρ²) + ρ(π − arccos ρ))/2π."""
    squares = np.square(hermite_coefficients(curve("relu"), 0.0, 1.0, 80))
    for rho in (-0.6, -0.1, 0.0, 0.3, 0.7):
        exact = (math.sqrt(1 - rho**2) + rho * (math.pi - math.acos(rho))) / (2 * math.pi)
        assert squares @ rho ** np.arange(80) == pytest.approx(exact, rel=1e-12)
    own = averages(curve("tanh"), -0.2, 0.9)
    squares = np.square(hermite_coefficients(curve("tanh"), -0.2, 0.9, 80))
    assert squares.sum() == pytest.approx(own.rms**2, rel=1e-12)
    assert squares[0] == pytest.approx(own.mean**2, rel=1e-13)


@pytest.mark.parametrize("std", [1e-300, 5e-324])
def test_what_hardly_varies_is_as_good_as_a_point(std: float) -> None:
    found = averages(curve("tanh"), 0.5, std)
    assert found.mean == pytest.approx(math.tanh(0.5), rel=1e-14)
    assert found.slope_rms == pytest.approx(1 - math.tanh(0.5) ** 2, rel=1e-14)
    assert not math.isinf(found.stretch)


def test_what_does_not_vary_has_no_covariance() -> None:
    kinked = curve("hard_tanh")
    assert hermite_coefficients(kinked, 0.5, 0.0, 4) == (0.5, 0.0, 0.0, 0.0)
    assert hermite_coefficients(kinked, -3.0, 0.0, 2) == (-1.0, 0.0)


def test_a_curve_is_shared_and_only_elementwise_ops_have_one() -> None:
    assert curve("leaky_relu", alpha=0.2) is curve("leaky_relu", alpha=0.2)
    assert curve("leaky_relu", alpha=0.2) is not curve("leaky_relu", alpha=0.3)
    prelu = CATALOGUE.find("prelu", Activation)
    assert prelu is not None
    learned = curve_of(prelu, {}, {"weight": np.array([0.5])})
    assert averages(learned, 0.0, 1.0).slope_rms == pytest.approx(math.sqrt(0.625), rel=1e-14)
    softmax = CATALOGUE.find("softmax", Activation)
    assert softmax is not None
    with pytest.raises(ValueError, match="no function of one number"):
        curve_of(softmax)
