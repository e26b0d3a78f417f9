"""What initializers promise beyond the variance, which a law checks."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.core.op import Initializer
from gradcli.core.registry import CATALOGUE

UNIFORM_BOUNDS = {
    "xavier_uniform": math.sqrt(6 / (30 + 50)),
    "he_uniform": math.sqrt(6 / 30),
    "lecun_uniform": math.sqrt(3 / 30),
    "pytorch_default": 1 / math.sqrt(30),
}


def find(name: str) -> Initializer:
    op = CATALOGUE.find(name, Initializer)
    assert op is not None
    return op


def draw(
    name: str, rng: np.random.Generator, shape: tuple[int, ...], **options: float
) -> np.ndarray:
    op = find(name)
    return op.function(rng, shape, shape[-1], shape[0], **{**op.defaults(), **options})


@pytest.mark.parametrize(("name", "bound"), UNIFORM_BOUNDS.items())
def test_uniform_draws_fill_their_interval(
    name: str, bound: float, rng: np.random.Generator
) -> None:
    op = find(name)
    drawn = op.function(rng, (400, 50, 30), 30, 50, **op.defaults())
    assert np.abs(drawn).max() <= bound
    assert np.abs(drawn).max() > 0.999 * bound  # missed by 600,000 draws once in 1e260 seeds
    assert drawn.min() < 0 < drawn.max()


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9), (3, 2, 5)])
def test_orthogonal_rows_or_columns(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    drawn = draw("orthogonal", rng, shape, gain=1.5).reshape(shape[0], -1)
    small = drawn @ drawn.T if drawn.shape[0] <= drawn.shape[1] else drawn.T @ drawn
    np.testing.assert_allclose(small, 1.5**2 * np.eye(len(small)), atol=1e-14)


def test_orthogonal_is_uniform_over_matrices(rng: np.random.Generator) -> None:
    """Haar measure: trace of mean 0 and variance 1; without the sign fix its mean is far from 0."""
    traces = np.array([np.trace(draw("orthogonal", rng, (3, 3))) for _ in range(4000)])
    assert abs(traces.mean()) < 6 / math.sqrt(len(traces))
    assert traces.var() == pytest.approx(1, abs=6 * math.sqrt(2 / len(traces)))


def test_orthogonal_refuses_a_vector(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match=r"needs a matrix, got shape \(4,\)"):
        draw("orthogonal", rng, (4,))


@pytest.mark.parametrize(
    "name", [op.name for op in CATALOGUE.all(Initializer) if op.param("gain") is not None]
)
def test_gain_multiplies(name: str) -> None:
    once, thrice = (draw(name, np.random.default_rng(5), (4, 6), gain=gain) for gain in (1.0, 3.0))
    np.testing.assert_allclose(thrice, 3 * once, rtol=1e-15, atol=1e-15)


def test_constants(rng: np.random.Generator) -> None:
    assert (draw("zeros", rng, (2, 3)) == 0).all()
    assert (draw("ones", rng, (2, 3)) == 1).all()
    assert (draw("constant", rng, (2, 3), value=-2.5) == -2.5).all()


def test_auto_is_only_a_name(rng: np.random.Generator) -> None:
    assert find("auto").resolves
    with pytest.raises(TypeError, match="stands for another initializer"):
        draw("auto", rng, (2, 3))
    assert [op.name for op in CATALOGUE.all(Initializer) if op.resolves] == ["auto"]


def test_only_pytorchs_default_has_a_bias_of_its_own() -> None:
    biased = {op.name: op.bias for op in CATALOGUE.all(Initializer) if op.bias is not None}
    assert biased == {"pytorch_default": "pytorch_default"}
