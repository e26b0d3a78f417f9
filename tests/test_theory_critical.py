"""The edge of chaos, against published points, closed forms and the definition itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.analysis.flow.theory.critical import critical_point, critical_points
from gradcli.analysis.flow.theory.curve import Curve, curve_of
from gradcli.analysis.flow.theory.normal import averages
from gradcli.core.op import Activation
from gradcli.core.registry import CATALOGUE

ELEMENTWISE = [op.name for op in CATALOGUE.all(Activation) if op.elementwise]


def curve(name: str, **options: float) -> Curve:
    op = CATALOGUE.find(name, Activation)
    assert op is not None
    return curve_of(op, options)


def test_tanh_as_published() -> None:
    """σ_b² = 0.05: Schoenholz et al. 2017, whose coarse grid gives 1.7604."""
    (found,) = critical_points(curve("tanh"), math.sqrt(0.05))
    assert round(found.weight_std**2, 5) == 1.76095
    assert round(found.q, 5) == 0.57005
    assert found.stable
    (zero,) = critical_points(curve("tanh"), 0.0)  # Glorot and Bengio 2010: slope 1 at zero
    assert (zero.weight_std, zero.q, zero.stable) == (1.0, 0.0, True)


@pytest.mark.parametrize(
    ("name", "options", "weight_variance"),
    [
        ("relu", {}, 2.0),  # He et al. 2015
        ("leaky_relu", {"alpha": 0.3}, 2 / 1.09),
        ("prelu", {}, 2 / 1.0625),
        ("identity", {}, 1.0),
    ],
)
@pytest.mark.parametrize("bias_std", [0.0, 0.3])
def test_homogeneous_activations_have_one_weight_spread(
    name: str, options: dict[str, float], weight_variance: float, bias_std: float
) -> None:
    (found,) = critical_points(curve(name, **options), bias_std)
    assert found.weight_std**2 == pytest.approx(weight_variance, rel=1e-14)
    assert found.q == (math.inf if bias_std else 0.0)


# Roberts, Yaida and Hanin 2022, section 5.3.4: where the two half-stable lines begin. GELU's
# averages have closed forms, from which K* = (3 + √17)/2.
@pytest.mark.parametrize(
    ("name", "q", "bias_variance", "weight_variance"),
    [
        ("gelu", (3 + math.sqrt(17)) / 2, 0.17292239, 1.98305826),
        ("swish", 14.32017362, 0.55514317, 1.98800468),
    ],
)
def test_lines_that_begin_with_biases(
    name: str, q: float, bias_variance: float, weight_variance: float
) -> None:
    found = critical_point(curve(name))
    assert found is not None
    assert found.q == pytest.approx(q, rel=1e-9)
    assert found.bias_std**2 == pytest.approx(bias_variance, rel=1e-7)
    assert found.weight_std**2 == pytest.approx(weight_variance, rel=1e-7)
    assert critical_point(curve(name), found.bias_std / 2) is None
    more = critical_point(curve(name), 2 * found.bias_std)
    assert more is not None
    assert more.stable


@pytest.mark.parametrize("bias_std", [0.0, 0.1, 0.6, 2.0])
@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if not curve(name).homogeneous])
def test_q_rests_and_the_gradient_too(name: str, bias_std: float) -> None:
    for found in critical_points(curve(name), bias_std):
        if not found.q:
            continue
        own = averages(curve(name), 0.0, math.sqrt(found.q))
        assert found.weight_std * own.slope_rms == pytest.approx(1, rel=1e-15)
        q = (found.weight_std * own.rms) ** 2 + bias_std**2
        assert q == pytest.approx(found.q, rel=1e-11)
        for away in (1.01, 0.99):  # toward the point or away from it, as is stated
            near = averages(curve(name), 0.0, math.sqrt(away * found.q))
            after = (found.weight_std * near.rms) ** 2 + bias_std**2
            measured = (after / found.q - 1) / (away - 1)
            assert measured == pytest.approx(found.stretch, rel=0.02, abs=1e-3)


def test_softplus_has_no_such_line() -> None:
    """Its values stay away from zero, so that q outgrows every weight that keeps the slope."""
    for bias_std in (0.0, 0.5, 3.0):
        assert critical_points(curve("softplus"), bias_std) == ()
    assert critical_point(curve("softplus")) is None


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_point_to_initialize_with_is_stable(name: str) -> None:
    found = critical_point(curve(name))
    assert found is None or found.stable
    assert (found is None) == (name == "softplus")
    assert found is None or (found.bias_std > 0) == (name in ("gelu", "swish", "mish"))


def test_q_near_zero_drifts_as_is_stated() -> None:
    for name, stable in {"tanh": True, "selu": True, "gelu": False, "swish": False}.items():
        (zero,) = (point for point in critical_points(curve(name), 0.0) if point.q == 0)
        assert zero.stable == stable
        q = 0.05
        for _ in range(30):
            q = (zero.weight_std * averages(curve(name), 0.0, math.sqrt(q)).rms) ** 2
        assert (q < 0.05) == stable


def test_the_line_of_tanh_rises_with_the_bias() -> None:
    line = [critical_points(curve("tanh"), float(std))[0] for std in np.linspace(0, 2, 9)]
    assert all(np.diff([point.weight_std for point in line]) > 0)
    assert all(np.diff([point.q for point in line]) > 0)
