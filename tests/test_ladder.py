"""The ladder: right where it claims to be, honest about how far off it may be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gradcli.core.arrays import Array
from gradcli.engine.ladder import Ladder, climb, rungs
from gradcli.engine.noise import SPACING, Noise, ecnoise, measure_noise

EPS = float(np.finfo(float).eps)
POINTS = np.array([0.3, 1e-8, 2.0, -1.5, 0.0, 1e-12, 7.3])

Function = Callable[[Array], Array]


def ladder_of(f: Function, x: Array, shift: float = 1.0, eps: float = EPS) -> Ladder:
    def noise_at(points: Array) -> Array:
        spacing = SPACING * np.maximum(np.abs(x), 1)
        return measure_noise(lambda offsets: f(points + offsets), f(points), spacing, eps)

    with np.errstate(all="ignore"):
        noise = Noise(noise_at(x), np.nan_to_num(noise_at(x + 1.0)), np.ones_like(x))
        steps = rungs(x, np.maximum(np.abs(x), 1e-3), eps, shift=shift)
        entries = np.arange(len(x))
        return climb(lambda _, points: f(points), entries, x, f(x), steps, noise, eps)


SMOOTH: dict[str, tuple[Function, Function]] = {
    "exp": (np.exp, np.exp),
    "fast sine": (lambda x: np.sin(50 * x), lambda x: 50 * np.cos(50 * x)),
    "line": (lambda x: 3 * x + 1, lambda x: np.full_like(x, 3.0)),
    "small slope on a large value": (lambda x: 1e8 + np.sin(x), np.cos),
    "square": (lambda x: x**2, lambda x: 2 * x),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
    "narrow bump": (
        lambda x: 1 / (1 + 1e4 * x * x),
        lambda x: -2e4 * x / (1 + 1e4 * x * x) ** 2,
    ),
    "saturated": (lambda x: np.tanh(x + 15), lambda x: 1 / np.cosh(x + 15) ** 2),
    "tiny": (lambda x: 1e-12 * np.sin(x), lambda x: 1e-12 * np.cos(x)),
    "float32 inside": (lambda x: np.sin(x.astype(np.float32)).astype(float), np.cos),
    "rounded": (lambda x: np.round(np.sin(x), 9), np.cos),
}


@pytest.mark.parametrize("shift", [1.0, 0.75])
@pytest.mark.parametrize("name", SMOOTH)
def test_uncertainty_covers_the_true_error(name: str, shift: float) -> None:
    f, slope = SMOOTH[name]
    ladder = ladder_of(f, POINTS, shift)
    error = np.abs(ladder.central.value - slope(POINTS))
    assert np.all(error <= ladder.central.uncertainty)


@pytest.mark.parametrize("name", ["exp", "fast sine", "line", "square", "cube"])
def test_smooth_functions_are_resolved_to_ten_digits(name: str) -> None:
    f, slope = SMOOTH[name]
    ladder = ladder_of(f, POINTS)
    assert np.all(ladder.central.uncertainty <= 1e-10 * np.maximum(np.abs(slope(POINTS)), 1))
    assert not ladder.kink.any()


def test_kink_is_seen_from_both_sides() -> None:
    ladder = ladder_of(lambda x: np.abs(x) + 0.5 * x, np.array([0.0, 1.0]))
    assert ladder.kink.tolist() == [True, False]
    assert ladder.left.value[0] == pytest.approx(-0.5, abs=1e-12)
    assert ladder.right.value[0] == pytest.approx(1.5, abs=1e-12)


def test_border_of_the_domain_leaves_one_side() -> None:
    ladder = ladder_of(lambda x: np.where(x < 0, np.nan, x * x + x), np.array([0.0]))
    assert not np.isfinite(ladder.central.uncertainty[0])
    assert not np.isfinite(ladder.left.uncertainty[0])
    assert ladder.right.value[0] == pytest.approx(1.0, abs=1e-8)


def test_false_plateau_at_large_steps_is_contradicted() -> None:
    """Far out this function is a line of slope 1; at the point its slope is 3."""
    ladder = ladder_of(lambda x: x + 0.01 * np.tanh(200 * x), np.array([0.0]))
    assert abs(ladder.central.value[0] - 3.0) <= ladder.central.uncertainty[0]


@pytest.mark.parametrize("level", [1e-12, 1e-8, 1e-4])
def test_noise_is_measured_not_assumed(level: float) -> None:
    rng = np.random.default_rng(3)

    def noisy(offsets: Array) -> Array:
        return np.sin(1 + offsets) + level * rng.standard_normal(offsets.shape)

    found = measure_noise(noisy, np.array([np.sin(1)]), np.array([SPACING]), EPS)
    assert level <= found[0] <= 10 * level


def test_noise_of_a_large_function_is_measured() -> None:
    rng = np.random.default_rng(4)
    values = 1e200 * (1 + 1e-12 * rng.standard_normal((9, 1)))
    assert 1e187 <= ecnoise(values)[0][0] <= 1e189


def test_a_pole_within_reach_is_no_noise() -> None:
    """Down to a spacing of 1e-9 this function varies by its own size, and does so smoothly."""

    def near_pole(offsets: Array) -> Array:
        return np.log(np.abs(1e-9 + offsets))

    found = measure_noise(near_pole, near_pole(np.zeros(1)), np.array([SPACING]), EPS)
    assert found[0] <= 1e-13


@pytest.mark.parametrize("distance", [1e-7, 1e-9])
def test_a_bend_or_a_jump_within_reach_is_no_noise(distance: float) -> None:
    for f in (lambda x: np.maximum(x - distance, 0), lambda x: x + (x > distance)):
        found = measure_noise(f, f(np.zeros(1)), np.array([SPACING]), EPS)
        assert found[0] <= 1e-13


def test_steps_that_fall_on_the_grid_of_rounded_values_are_seen() -> None:
    """0.18 times the spacing is 2.5e-8, and e times that close to another multiple of 1e-8."""
    for slope in np.linspace(0.1, 2, 200):
        found = measure_noise(
            lambda x, slope=slope: np.round(slope * x, 8), np.zeros(1), np.array([SPACING]), EPS
        )
        assert 1e-9 <= found[0] <= 1e-7, slope


def test_a_number_far_below_its_scale_has_steps_of_its_own() -> None:
    steps = rungs(np.array([1e-10, 0.3]), np.array([1e10, 0.3]), EPS)
    smallest = np.nanmin(steps, axis=0)
    assert smallest[0] <= 1e-24
    assert 1e-16 <= smallest[1] <= 1e-14


def test_ecnoise_says_when_the_spacing_is_too_small() -> None:
    still = np.array([1.0, 1, 1, 1, 1, 1, 1, 1, 2])[:, None]
    assert ecnoise(still)[1].tolist() == [0]


@pytest.mark.parametrize("x", [1e308, -1.7e308, float(np.finfo(float).max)])
def test_the_rungs_at_the_largest_numbers_are_numbers(x: float) -> None:
    with np.errstate(all="raise"):
        steps = rungs(np.array([x]), np.array([1.0]), EPS)
    known = steps[np.isfinite(steps)]
    assert len(known) > 10
    assert known.max() <= 2.0**1000
    assert known.min() < 1e3 * EPS * abs(x)
