"""The check of whole networks: never red when right, red and in the right words when wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli
import gradcli.ops
from gradcli.analysis.gradcheck.check import check_plan
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import CheckReport, SpecResult
from gradcli.analysis.gradcheck.tensors import NetworkTensors
from gradcli.core.arrays import Array
from gradcli.core.op import Activation
from gradcli.core.registry import CATALOGUE
from gradcli.errors import ExitCode
from gradcli.spec import load_plan
from gradcli.spec.plan import Plan


def mlp(widths: list[int], activation: Any = "relu", rows: int = 8, **more: Any) -> dict[str, Any]:
    network: list[Any] = []
    for width in widths[1:-1]:
        network += [{"dense": width}, activation]
    network.append({"dense": widths[-1]})
    return {
        "gradcli": 1,
        "data": {"inputs": {"shape": [rows, widths[0]]}, "targets": "auto"},
        "network": network,
        "loss": "cross_entropy",
        **more,
    }


def codes(result: SpecResult | CheckReport, severity: str = "error") -> list[tuple[str, str]]:
    return [(f.where, f.code) for f in result.findings if f.severity == severity]


@pytest.mark.parametrize("seed", range(10))
def test_every_entry_of_a_relu_network_passes(seed: int) -> None:
    """Naive central differences at 1e-5 reject 456 of these 26,122 entries."""
    report = gradcli.check(mlp([64, 128, 128, 10], rows=32), seed=seed)
    assert report.verdict == "pass", report
    parameters = [tensor for tensor in report.tensors if tensor.kind == "parameter"]
    assert sum(tensor.checked for tensor in parameters) == 26_122
    assert {tensor.grade for tensor in report.tensors} == {"excellent"}
    assert all(tensor.detectable_error < 1e-10 for tensor in report.tensors)
    assert not codes(report) + codes(report, "warning")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CATALOGUE.names(Activation))
def test_every_activation_passes_inside_a_network(name: str, dtype: str) -> None:
    report = gradcli.check(mlp([5, 6, 4, 3], name, dtype=dtype))
    assert report.verdict == "pass", report
    assert not codes(report) + codes(report, "warning"), report


def test_units_exactly_at_a_kink_pass_and_are_named() -> None:
    spec = mlp([3, 4, 4, 2])
    spec["data"]["inputs"] = {"values": [[0.0, 0.0, 0.0]] * 2 + [[1.0, -1.0, 0.5]] * 2}
    report = gradcli.check(spec)
    assert report.verdict == "pass", report
    kinks = [f for f in report.findings if f.code == "GC201"]
    assert [kink.where for kink in kinks] == ["relu_1", "relu_2"]
    assert kinks[0].data["count"] == 8
    assert kinks[0].data["units"][0] == [0, 0]


@pytest.mark.parametrize(
    ("slope", "verdict"),
    [(0.0, "pass"), (0.3, "pass"), (1.0, "pass"), (1.2, "fail"), (-0.1, "fail")],
)
def test_any_subgradient_passes_at_a_kink_and_nothing_else(slope: float, verdict: str) -> None:
    """Zero inputs put every unit at the kink; upstream the chosen slope is what counts."""
    spec = mlp([3, 4, 2], "ramp")
    spec["define"] = {
        "ramp": {
            "kind": "activation",
            "forward": "where(x > 0, x, 0)",
            "derivative": f"where(x > 0, 1, where(x < 0, 0, {slope}))",
        }
    }
    spec["data"]["inputs"] = {"values": [[0.0, 0.0, 0.0]] * 4}
    report = gradcli.check(spec)
    assert report.verdict == verdict, report
    assert ("ramp" in {tensor.name for tensor in report.tensors if tensor.verdict == "fail"}) == (
        verdict == "fail"
    )


def test_l1_at_exactly_zero_weights_passes() -> None:
    model = gradcli.load(
        mlp([4, 3, 2], "tanh", loss={"sum": ["cross_entropy", {"l1": {"weight": 0.1}}]})
    )
    model.parameters["dense_1.weight"][0, :2] = 0.0
    report = gradcli.check(model)
    assert report.verdict == "pass", report
    assert [f.where for f in report.findings if f.code == "GC201"] == ["l1"]


def test_dead_paths_are_vacuous_and_strict_counts_them() -> None:
    spec = mlp([4, 3, 2])
    model = gradcli.load(spec)
    model.parameters["dense_1.bias"][...] = -100.0
    report = gradcli.check(model)
    assert report.verdict == "pass"
    assert report.exit_code == ExitCode.OK
    vacuous = {tensor.name for tensor in report.tensors if tensor.vacuous}
    assert vacuous == {"dense_1.weight", "dense_1.bias", "dense_2.weight", "inputs"}
    assert gradcli.check(model, strict=True).exit_code == ExitCode.UNDECIDED
    assert gradcli.check(model, strict=True, allow_inconclusive=True).exit_code == ExitCode.OK


def with_wrong_tanh(change: Callable[[Array, Array], Array], widths: list[int]) -> Plan:
    """A network whose first tanh has `change(derivative, x)` in place of its derivative."""

    def wrong(x: Array) -> tuple[Array, Callable[[Array], Array]]:
        y = np.tanh(x)
        return y, lambda g: g * change((1 - y) * (1 + y), x)

    tanh = CATALOGUE.find("tanh", Activation)
    assert tanh is not None
    plan = load_plan(mlp(widths, "tanh"))
    nodes = list(plan.nodes)
    nodes[1] = nodes[1].replace(op=tanh.replace(function=wrong))
    return plan.replace(nodes=tuple(nodes))


PLANTED: dict[str, tuple[str, Callable[[Array, Array], Array]]] = {
    "sign": ("GC101", lambda d, x: -d),
    "factor": ("GC102", lambda d, x: 1.5 * d),
    "zero": ("GC103", lambda d, x: 0 * d),
    "one branch": ("GC107", lambda d, x: np.where(x > 0, d, 1.1 * d)),
    "not finite": ("GC004", lambda d, x: d * np.nan),
    "infinite": ("GC004", lambda d, x: d * np.inf),
}


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_wrong_builtin_is_caught_and_is_a_bug(mistake: str) -> None:
    code, change = PLANTED[mistake]
    result = check_plan(with_wrong_tanh(change, [6, 5, 4, 3]), CheckOptions())
    assert result.verdict == "fail"
    assert result.exit_code == ExitCode.BUG
    assert codes(result) == [("tanh_1", code)]
    consequences = [found for found in result.findings if found.code == "GC204"]
    assert [found.where for found in consequences] == ["dense_1.weight", "dense_1.bias", "inputs"]
    assert {tuple(found.data["culprits"]) for found in consequences} == {("tanh_1",)}
    untouched = [t for t in result.tensors if t.name.startswith(("dense_2", "dense_3"))]
    assert all(tensor.verdict == "pass" for tensor in untouched)


def six_layers(*wrong_nodes: str, factor: Array | float = 1.1) -> SpecResult:
    """A check of six layers in which some of the tanh multiply their gradient by a factor."""

    def wrong(x: Array) -> tuple[Array, Callable[[Array], Array]]:
        y = np.tanh(x)
        return y, lambda g: g * factor * (1 - y * y)

    tanh = CATALOGUE.find("tanh", Activation)
    assert tanh is not None
    plan = load_plan(mlp([4, 5, 5, 5, 5, 5, 2], "tanh"))
    nodes = [
        node.replace(op=tanh.replace(function=wrong)) if node.name in wrong_nodes else node
        for node in plan.nodes
    ]
    return check_plan(plan.replace(nodes=tuple(nodes)), CheckOptions())


def test_a_wrong_node_in_layer_three_of_six_is_named_with_its_consequences() -> None:
    result = six_layers("tanh_3")
    assert codes(result) == [("tanh_3", "GC102")]
    causes = {f.where: f.data["culprits"] for f in result.findings if f.code == "GC204"}
    below = [f"dense_{layer}.{name}" for layer in (1, 2, 3) for name in ("weight", "bias")]
    assert causes == {name: ["tanh_3"] for name in (*below, "inputs")}
    assert {t.name for t in result.tensors if t.verdict == "fail"} == set(causes)


def test_what_is_off_within_the_grade_is_named_where_it_grows_beyond() -> None:
    """Where contributions cancel, the error of one node weighs more in what is left."""
    rng = np.random.default_rng(0)
    result = six_layers("tanh_3", factor=1 + 9e-6 * rng.uniform(-1, 1, (8, 5)))
    assert result.verdict == "fail"
    assert codes(result) == [("tanh_3", "GC113")]
    assert {f.data["culprits"][0] for f in result.findings if f.code == "GC204"} == {"tanh_3"}


def test_a_claim_that_is_unsure_of_itself_is_judged_part_by_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wrong gradient can be so sensitive that its own uncertainty covers any difference."""
    measured = NetworkTensors.jitter

    def jitter(self: NetworkTensors, name: str) -> Array:
        found = measured(self, name)
        return found + 1e3 if len(self.model.plan.nodes) > 1 else found

    monkeypatch.setattr(NetworkTensors, "jitter", jitter)
    assert six_layers().verdict == "pass"
    result = six_layers("tanh_3")
    assert codes(result) == [("tanh_3", "GC102")]
    failing = {tensor.name for tensor in result.tensors if tensor.verdict == "fail"}
    assert failing >= {"dense_3.weight", "dense_3.bias"}
    assert all(t.below_resolution_error > 0 for t in result.tensors if t.verdict == "fail")


def test_two_wrong_nodes_of_six_layers_are_both_named() -> None:
    result = six_layers("tanh_2", "tanh_4")
    assert codes(result) == [("tanh_2", "GC102"), ("tanh_4", "GC102")]
    causes = {f.where: f.data["culprits"] for f in result.findings if f.code == "GC204"}
    assert causes["dense_1.weight"] == ["tanh_2", "tanh_4"]
    assert causes["dense_4.weight"] == ["tanh_4"]
    assert "dense_5.weight" not in causes


def test_a_wrong_shortcut_and_a_wrong_loss_are_named() -> None:
    spec = mlp([4, 4, 2], "tanh")
    spec["network"].insert(1, {"residual": ["tanh"]})
    plan = load_plan(spec)
    residual = next(node.op for node in plan.nodes if node.name == "residual_1")

    def wrong(x: Array, branch: Array, **options: Any) -> tuple[Array, Any]:
        y, _ = residual.function(x, branch, **options)
        return y, lambda g: ((g, 2 * g), {})

    nodes = [
        node.replace(op=residual.replace(function=wrong)) if node.op is residual else node
        for node in plan.nodes
    ]
    result = check_plan(plan.replace(nodes=tuple(nodes)), CheckOptions())
    assert codes(result) == [("residual_1", "GC102")]

    entropy = plan.losses[0].op

    def doubled(p: Array, y: Array, **options: Any) -> tuple[Array, Any]:
        values, pull = entropy.function(p, y, **options)
        return values, lambda g: 2 * pull(g)

    loss = plan.losses[0].replace(op=entropy.replace(function=doubled))
    result = check_plan(plan.replace(losses=(loss,)), CheckOptions())
    assert codes(result) == [("cross_entropy", "GC102")]


def test_a_small_mistake_within_the_grade_is_a_warning() -> None:
    result = check_plan(with_wrong_tanh(lambda d, x: d * (1 + 3e-7), [6, 5, 4, 3]), CheckOptions())
    assert result.verdict == "pass"
    assert {code for _, code in codes(result, "warning")} == {"GC113"}
    strict = CheckOptions(required=1e-7)
    assert check_plan(
        with_wrong_tanh(lambda d, x: d * (1 + 3e-7), [6, 5, 4, 3]), strict
    ).verdict == ("fail")


def test_one_wrong_weight_gradient_is_found_and_located() -> None:
    """A mistake in one entry of 8,192, ten percent off."""
    dense = next(op for op in CATALOGUE if op.name == "dense")

    def wrong(x: Array, **options: Any) -> tuple[Array, Any]:
        y, pull = dense.function(x, **options)

        def pullback(g: Array) -> tuple[Array, dict[str, Array]]:
            dx, cotangents = pull(g)
            cotangents["weight"][..., 17, 42] *= 1.1
            return dx, cotangents

        return y, pullback

    plan = load_plan(mlp([64, 128, 10], rows=16))
    nodes = list(plan.nodes)
    nodes[0] = nodes[0].replace(op=dense.replace(function=wrong))
    result = check_plan(plan.replace(nodes=tuple(nodes)), CheckOptions())
    (found,) = [tensor for tensor in result.tensors if tensor.verdict == "fail"]
    assert found.name == "dense_1.weight"
    assert found.wrong == 1
    assert found.worst is not None
    assert found.worst.index == (17, 42)
    assert found.max_rel_error == pytest.approx(0.1 / 1.1, rel=1e-6)


def test_only_skip_and_wrt_choose_tensors() -> None:
    spec = mlp([4, 3, 2], "tanh")

    def names(**options: Any) -> list[str]:
        return [tensor.name for tensor in gradcli.check(spec, **options).tensors]

    assert names(only=["dense_1.*"]) == ["dense_1.weight", "dense_1.bias"]
    assert names(skip=["*.bias", "inputs"]) == ["dense_1.weight", "dense_2.weight"]
    assert names(wrt="inputs") == ["inputs"]
    assert "inputs" not in names(wrt="parameters")


def test_what_only_misspells_is_not_passed_over() -> None:
    report = gradcli.check(mlp([4, 3, 2], "tanh"), only=["dense_1.*", "dens_2.*", "inptus"])
    assert report.exit_code == ExitCode.UNDECIDED
    (found,) = report.results[0].findings
    assert "nothing was checked of dens_2.*, inptus: nothing here is called so" in found.message
    assert len(report.tensors) == 2
    nothing = gradcli.check(mlp([4, 3, 2], "tanh"), only=["dens_1.*"])
    assert nothing.exit_code == ExitCode.UNDECIDED
    assert "leave out everything there is" in nothing.results[0].findings[0].message


def test_entries_limits_what_is_checked() -> None:
    report = gradcli.check(mlp([4, 3, 2], "tanh"), entries=2)
    assert {tensor.checked for tensor in report.tensors} == {2}
    assert report.tensors[0].entries == 12


@pytest.mark.parametrize("oracle", ["complex", "ladder", "central", "forward"])
def test_every_oracle_passes_a_correct_network(oracle: Any) -> None:
    report = gradcli.check(mlp([4, 3, 2], "tanh"), oracle=oracle)
    assert report.verdict == "pass", report
    assert {tensor.oracle for tensor in report.tensors} == {oracle}


@pytest.mark.parametrize("oracle", ["complex", "ladder", "central", "forward"])
def test_every_oracle_catches_a_wrong_one(oracle: Any) -> None:
    plan = with_wrong_tanh(lambda d, x: 1.01 * d, [4, 3, 2])
    assert check_plan(plan, CheckOptions(oracle=oracle)).verdict == "fail"


def test_the_same_check_gives_the_same_report() -> None:
    spec = mlp([6, 5, 3], "elu")
    assert gradcli.check(spec, seed=3).to_dict() == gradcli.check(spec, seed=3).to_dict()


def test_learned_weights_of_an_activation_are_checked() -> None:
    report = gradcli.check(mlp([4, 3, 2], {"prelu": {"alpha": 0.1}}))
    assert report.verdict == "pass"
    assert "prelu_1.weight" in {tensor.name for tensor in report.tensors}


@pytest.mark.parametrize("seed", [68, 95, 122])
def test_rounding_noise_around_a_gradient_of_zero_is_not_wrong(seed: int) -> None:
    """The bias before a batch norm, in float32: what is claimed for it is rounding alone."""
    report = gradcli.check(
        {
            "gradcli": 1,
            "dtype": "float32",
            "data": {"inputs": {"shape": [3, 4]}, "targets": "auto"},
            "network": [{"dense": 3}, "relu", {"dense": 5}, "batch_norm", "prelu", {"dense": 2}],
            "loss": "mse",
        },
        seed=seed,
    )
    assert report.verdict == "pass", report
