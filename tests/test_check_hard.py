"""Never red for a correct gradient: functions and networks on which other checkers go wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli
import gradcli.ops
from gradcli.analysis.gradcheck.check import check_plan
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.core.arrays import Array
from gradcli.core.registry import CATALOGUE
from gradcli.errors import ExitCode, UsageError
from gradcli.spec import load_plan


def hilbert(size: int) -> Array:
    return 1.0 / (np.arange(size)[:, None] + np.arange(size) + 1)


SCALES = np.array([1e10, 1.0, 1e-10])
UNEVEN = np.random.default_rng(0).uniform(0, 5, 6)

BEYOND_THE_LADDER: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Array]] = {
    "nearly singular": (lambda x: np.linalg.slogdet(x)[1], lambda x: np.linalg.inv(x).T,
                        hilbert(9)),
    "faster than any step": (lambda x: np.sin(1e10 * x).sum(), lambda x: 1e10 * np.cos(1e10 * x),
                             np.ones(1)),
    "scales of 1e20": (lambda x: np.sin(x / SCALES).sum(), lambda x: np.cos(x / SCALES) / SCALES,
                       SCALES.copy()),
    "beside a pole": (lambda x: np.log(x).sum(), lambda x: 1 / x, np.array([1e-300, 1])),
    "beside a root": (lambda x: np.sqrt(x).sum(), lambda x: 0.5 / np.sqrt(x),
                      np.array([1e-300, 1])),
    "stairs": (lambda x: float(np.floor(x).sum()), lambda x: 0 * x, np.array([0.3, 0.7, 2.5])),
    "rounded": (lambda x: float(np.round(x).sum()), lambda x: 0 * x, UNEVEN),
    "kink at 1e-10": (lambda x: np.abs(x).sum(), np.sign, np.array([1e-10, 1.0])),
    "kinks at 1e-8": (lambda x: np.maximum(x, 0).sum(), lambda x: (x > 0) * 1.0,
                      np.array([-1e-8, 1e-8, 1.0])),
    "very large": (lambda x: x.sum(), np.ones_like, np.array([1e200, 1.0])),
    "below the smallest normal": (lambda x: 1e-310 * x.sum(), lambda x: 1e-310 + 0 * x,
                                  np.array([1.0, 2.0])),
}  # fmt: skip


@pytest.mark.parametrize("name", BEYOND_THE_LADDER)
def test_what_cannot_be_measured_is_not_called_wrong(name: str) -> None:
    fun, grad, point = BEYOND_THE_LADDER[name]
    with np.errstate(all="ignore"):
        report = gradcli.gradcheck(fun, grad, point)
    assert report.verdict in ("pass", "inconclusive"), report


def test_an_infinite_slope_may_be_claimed_infinite() -> None:
    with np.errstate(divide="ignore"):
        report = gradcli.gradcheck(
            lambda x: np.sqrt(x).sum(), lambda x: 0.5 / np.sqrt(x), np.array([0.0, 1.0])
        )
    assert report.verdict != "fail", report


@pytest.mark.parametrize("loss", ["mae", {"quantile": 0.9}, "cross_entropy", "huber"])
@pytest.mark.parametrize("seed", range(10))
def test_cancelling_sums_in_float32(seed: int, loss: Any) -> None:
    """±1/N over the batch cancels to one ulp of a summand, which is no mistake."""
    spec = {
        "gradcli": 1,
        "dtype": "float32",
        "data": {"inputs": {"shape": [16, 4]}, "targets": "auto"},
        "network": [{"dense": 8}, "tanh", {"dense": 10}],
        "loss": loss,
    }
    report = gradcli.check(spec, seed=seed)
    assert report.verdict == "pass", report
    assert not [found for found in report.findings if found.severity != "note"], report


def test_a_unit_that_float32_puts_on_the_other_side_of_a_kink() -> None:
    """In float32, 2.9999998 + 3 is 6, where hard_sigmoid saturates; in float64 it is less."""
    x = np.nextafter(np.float32(3), np.float32(0))
    spec = {
        "gradcli": 1,
        "dtype": "float32",
        "data": {"inputs": {"values": [[float(x), 0.5]]}, "targets": {"values": [[0.0, 0.0]]}},
        "network": ["hard_sigmoid"],
        "loss": "mse",
    }
    report = gradcli.check(spec)
    assert report.verdict == "pass", report


@pytest.mark.parametrize(("depth", "verdicts"), [(10, {"fail"}), (40, {"fail", "inconclusive"})])
@pytest.mark.parametrize("factor", [0.0, -1.0])
def test_a_wrong_first_layer_of_a_deep_sigmoid_network(
    depth: int, verdicts: set[str], factor: float
) -> None:
    """Its gradient is 1e-21 and smaller; the complex step still sees it, differences do not."""
    dense = next(op for op in CATALOGUE if op.name == "dense")

    def wrong(x: Array, **options: Any) -> tuple[Array, Any]:
        y, pull = dense.function(x, **options)

        def pullback(g: Array) -> tuple[Array, dict[str, Array]]:
            dx, cotangents = pull(g)
            return dx, {**cotangents, "weight": factor * cotangents["weight"]}

        return y, pullback

    plan = load_plan(
        {
            "gradcli": 1,
            "data": {"inputs": {"shape": [4, 5]}, "targets": "auto"},
            "network": [{"repeat": {"times": depth, "layers": [{"dense": 5}, "sigmoid"]}}],
            "loss": "mse",
        }
    )
    first = plan.nodes[0].replace(op=dense.replace(function=wrong))
    result = check_plan(plan.replace(nodes=(first, *plan.nodes[1:])), CheckOptions())
    assert result.verdict in verdicts
    assert not next(t for t in result.tensors if t.name == "dense_1.weight").vacuous


def definition(forward: str, derivative: str, **more: Any) -> dict[str, Any]:
    return {"kind": "activation", "forward": forward, "derivative": derivative, **more}


def test_a_guarded_quotient_beside_zero() -> None:
    sinc = definition(
        "where(x == 0, 1, sin(x) / x)", "where(x == 0, 0, (x * cos(x) - sin(x)) / x**2)"
    )
    report = gradcli.check({"gradcli": 1, "define": {"sinc": sinc}})
    assert report.verdict != "fail", report


NETWORK: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [4, 3]}, "targets": "auto"},
    "network": [{"dense": 2}],
    "loss": "mse",
}


def test_nothing_checked_is_not_a_pass() -> None:
    assert gradcli.check({**NETWORK}, only=["nothing*"]).exit_code == ExitCode.UNDECIDED
    assert gradcli.check({**NETWORK}, skip=["*"]).exit_code == ExitCode.UNDECIDED
    without_loss = {key: value for key, value in NETWORK.items() if key != "loss"}
    without_loss["data"] = {"inputs": {"shape": [4, 3]}}
    assert gradcli.check(without_loss).exit_code == ExitCode.INVALID


def test_a_loss_of_terms_alone_is_checked() -> None:
    report = gradcli.check({**NETWORK, "loss": {"sum": [{"l2": {"weight": 1.0}}]}})
    assert report.passed, report
    weight = next(tensor for tensor in report.tensors if tensor.name == "dense_1.weight")
    assert not weight.vacuous


RIGHT, FLIPPED, DOUBLED = "2 * x", "-2 * x", "4 * x"


@pytest.mark.parametrize(
    ("expected", "claims", "code"),
    [
        ("GC101", [FLIPPED, RIGHT], ExitCode.OK),
        ("GC101", [FLIPPED, DOUBLED], ExitCode.WRONG),
        ("GC201", [RIGHT], ExitCode.WRONG),
    ],
)
def test_an_expected_code_hides_no_other_error(
    expected: str, claims: list[str], code: ExitCode
) -> None:
    spec = {
        "gradcli": 1,
        "expect": {"check": expected},
        "define": {f"f{i}": definition("x**2", claim) for i, claim in enumerate(claims)},
    }
    assert gradcli.check(spec).exit_code == code


def test_an_expected_note_does_not_excuse_a_wrong_gradient() -> None:
    wrong = definition("maximum(x, 0)", "where(x > 0, 3, 0)")
    spec = {"gradcli": 1, "expect": {"check": "GC201"}, "define": {"f": wrong}}
    assert gradcli.check(spec).exit_code == ExitCode.WRONG


def test_a_fit_has_to_explain_every_wrong_entry() -> None:
    c = np.array([1e5, 1, 1e-5])
    report = gradcli.gradcheck(
        lambda x: (c * x * x).sum(), lambda x: 2 * c * x * [1, 1, -1], np.array([1.0, 2, 3])
    )
    assert [found.code for found in report.findings] == ["GC100"]


def test_a_single_entry_is_no_constant_factor() -> None:
    report = gradcli.gradcheck(lambda x: (x**2).sum(), lambda x: 2.345 * x, np.array([0.5]))
    assert [found.code for found in report.findings] == ["GC100"]


def test_exits_and_prints_of_a_users_function_change_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def chatty(x: Array) -> float:
        print("chatter")
        return float((x**2).sum())

    report = gradcli.gradcheck(chatty, lambda x: sys.exit(0), np.ones(3))
    assert [found.code for found in report.findings] == ["GC007"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "chatter" in captured.err


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"x": [[1], [2, 3]]}, "nested list"),
        ({"x": None}, "None"),
        ({"x": np.ones(3), "y": np.ones(3)}, "entry for y"),
        ({}, "no entry for x"),
    ],
)
def test_what_a_backward_returns_is_held_to_its_shape(made: Any, message: str) -> None:
    report = gradcli.check_vjp(lambda d: d["x"], lambda d, y, g: made, {"x": np.ones(3)})
    assert report.verdict == "fail"
    assert {found.code for found in report.findings} == {"GC002"}
    assert message in str(report)


def test_a_random_function_is_told_from_a_random_gradient(rng: np.random.Generator) -> None:
    report = gradcli.gradcheck(
        lambda x: float((x * (rng.random(x.shape) > 0.5)).sum()), np.ones_like, np.ones(8)
    )
    (found,) = report.findings
    assert found.code == "GC005"
    assert "the function itself" in found.message


def test_options_without_effect_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="step"):
        gradcli.check(NETWORK, step=0.1)
    with pytest.raises(UsageError, match="loaded model"):
        gradcli.check(gradcli.load(NETWORK), seed=3)
    spec = tmp_path / "good.yaml"
    spec.write_text(
        "gradcli: 1\ndefine: {f: {kind: activation, forward: x, derivative: 0*x + 1}}\n"
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    report = gradcli.check(empty, spec)
    assert report.exit_code == ExitCode.INVALID
    assert [result.verdict for result in report.results] == ["invalid", "pass"]


def test_an_interrupt_keeps_what_is_known() -> None:
    def progress(name: str, done: int, total: int) -> None:
        if name == "dense_1.bias":
            raise KeyboardInterrupt

    report = gradcli.check(NETWORK, progress=progress, partial=True)
    assert report.exit_code == ExitCode.INTERRUPTED
    assert [tensor.name for tensor in report.tensors] == ["dense_1.weight"]
    assert (report.verdict, report.results[0].met) == ("inconclusive", None)
    assert report.results[0].evaluations
    with pytest.raises(KeyboardInterrupt):
        gradcli.check(NETWORK, progress=progress)


def test_an_interrupt_loses_no_mistake_that_is_known() -> None:
    """Also one that has not been traced to its node yet."""
    wrong = {"kind": "activation", "forward": "tanh(x)", "derivative": "2 * (1 - tanh(x)**2)"}
    spec = {**NETWORK, "network": [{"dense": 3}, "f", {"dense": 2}], "define": {"f": wrong}}
    seen = []

    def progress(name: str, done: int, total: int) -> None:
        seen.append(name)
        if seen.count("inputs") == 2:
            raise KeyboardInterrupt

    report = gradcli.check(spec, progress=progress, partial=True)
    assert report.exit_code == ExitCode.INTERRUPTED
    failing = {tensor.name for tensor in report.tensors if tensor.verdict == "fail"}
    assert failing == {"f", "dense_1.weight", "dense_1.bias"}
    assert failing == {found.where for found in report.findings if found.severity == "error"}


def rounded(places: int) -> Callable[[Array], float]:
    return lambda x: round(float(np.sin(x).sum()), places)


@pytest.mark.parametrize("places", range(9))
def test_a_rounded_function_proves_nothing_wrong(places: int) -> None:
    """Level but for jumps, it has no slope of its own; what is rounded has the one claimed."""
    for seed in range(4):
        report = gradcli.gradcheck(rounded(places), np.cos, UNEVEN[:4], seed=seed)
        assert report.verdict == ("inconclusive" if places < 2 else report.verdict), report
        assert report.verdict != "fail", report


def test_a_zeroed_gradient_beside_a_large_one_is_told() -> None:
    """Small steps change nothing of the value, which says nothing of the slope."""

    def loss(p: dict[str, Array]) -> Any:
        return 1e8 * (p["a"] ** 2).sum() + 1e-6 * (p["b"] ** 2).sum()

    def zeroed(p: dict[str, Array]) -> dict[str, Array]:
        return {"a": 2e8 * p["a"], "b": 0 * p["b"]}

    point = {"a": np.linspace(-1, 2, 12), "b": np.linspace(-2, 1.5, 12)}
    for seed in range(4):
        report = gradcli.gradcheck(loss, zeroed, point, seed=seed)
        assert [found.code for found in report.findings] == ["GC103"], report


def test_level_beside_a_bend_is_no_stair() -> None:
    report = gradcli.gradcheck(lambda x: np.maximum(x - 2, 0).sum(), np.ones_like, np.ones(3))
    assert report.verdict == "fail", report


def test_what_cancels_below_rounding_is_not_called_wrong() -> None:
    """The loss of a confident classifier is exactly zero, its slope is 4e-18."""

    def loss(x: Array) -> Any:
        return np.log(np.exp(x - x.max()).sum()) + x.max() - x[0]

    def slope(x: Array) -> Array:
        e = np.exp(x - x.max())
        return e / e.sum() - np.eye(3)[0]

    for seed in range(4):
        report = gradcli.gradcheck(loss, slope, np.array([40.0, 0, -5]), seed=seed)
        assert report.passed, report


def test_rounding_of_a_backward_is_not_called_nonlinear() -> None:
    def softmax(x: Array) -> Array:
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return np.asarray(e / e.sum(axis=-1, keepdims=True))

    def pull(x: Array, y: Array, g: Array) -> Array:
        return y * (g - (g * y).sum(axis=-1, keepdims=True))

    point = 300 * np.random.default_rng(1).standard_normal((3, 5))
    for seed in range(6):
        assert gradcli.check_vjp(softmax, pull, point, seed=seed).verdict != "fail"


@pytest.mark.parametrize("temperature", [1e-300, 1e300])
def test_gradients_whose_squares_are_no_numbers_are_proved(temperature: float) -> None:
    """At the one temperature 1e300 and more, at the other 1e-300."""
    report = gradcli.check(
        {
            "gradcli": 1,
            "data": {"inputs": {"shape": [4, 3], "distribution": "normal"}, "targets": "auto"},
            "network": [{"dense": 3}],
            "loss": {"cross_entropy": {"temperature": temperature}},
        }
    )
    assert report.passed, report
