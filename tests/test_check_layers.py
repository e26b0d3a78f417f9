"""The check of users' Python layers: alone and inside networks, right and wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from layer_specs import PLACES, check, errors, in_the_middle, layer, network

import gradcli
from gradcli.errors import ExitCode

RIGHT = {
    "plain": layer("Dense"),
    "saves": layer("Saves"),
    "keeps in self": layer("KeepsInSelf"),
    "without parameters": layer("Cube"),
    "couples rows": layer("Centred"),
    "dropout": layer("Dropout"),
    "dropout from the global generator": layer("GlobalDropout"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_layer_passes(
    name: str, place: str, dtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state = np.random.get_state(legacy=False)  # noqa: NPY002
    report = check(PLACES[place](RIGHT[name]), dtype=dtype)
    assert report.verdict == "pass", report
    assert not errors(report)
    assert not [found for found in report.findings if found.severity == "warning"], report
    assert all(tensor.detectable_error < 1e-8 for tensor in report.tensors) or dtype == "float32"
    assert str(np.random.get_state(legacy=False)) == str(state)  # noqa: NPY002
    assert capsys.readouterr().out == ""
    notes = [found.message for found in report.findings if found.code == "GC005"]
    assert any("NumPy's" in note for note in notes) == (name.endswith("generator"))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["Single", "OnlySingle"])
def test_a_layer_that_computes_in_float32_is_judged_by_what_that_can_tell(
    name: str, place: str, dtype: str
) -> None:
    right, wrong = (PLACES[place](layer(name, factor=factor)) for factor in (1.0, 1.02))
    report = check(right, dtype=dtype)
    if (name, dtype) == ("OnlySingle", "float64"):
        (problem,) = report.results[0].errors
        assert (problem.code, "TypeError: only float32" in problem.message) == ("SP021", True)
        return
    assert report.verdict == "pass", report
    assert max(tensor.detectable_error for tensor in report.tensors) > 1e-5
    assert {code for _, code in errors(check(wrong, dtype=dtype))} == {"GC102"}


@pytest.mark.parametrize("seed", [1, 4, 6, 8])
def test_what_float32_loses_in_saturation_is_no_mistake(seed: int) -> None:
    """1 - y² of a y that rounds to almost 1: its digits are lost inside the layer."""
    spec = network([{"dense": 4}, "mine", {"dense": 3}], mine=layer("Saves"))
    spec["data"]["inputs"] = {"shape": [5, 3], "std": 6.0}
    report = check(spec, dtype="float32", seed=seed)
    assert report.verdict == "pass", report
    spec["define"] = {"mine": layer("Dense", factor=1.01)}
    assert {code for _, code in errors(check(spec, dtype="float32", seed=seed))} == {"GC102"}


SIX = [{"dense": 4}, "mine", {"dense": 4}, "relu", {"residual": ["mine"]}, {"dense": 3}]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", range(3))
def test_only_what_lies_before_a_layer_needs_the_ladder(dtype: str, seed: int) -> None:
    report = check(network(SIX, mine=layer("Dense", units=4)), dtype=dtype, seed=seed)
    assert report.verdict == "pass", report
    assert {tensor.grade for tensor in report.tensors} <= {"excellent", "good"}
    oracles = {tensor.name: tensor.oracle for tensor in report.tensors}
    assert oracles.pop("dense_3.weight") == oracles.pop("dense_3.bias") == "complex"
    assert set(oracles.values()) == {"ladder"}


# Each row: the code, and part of what is said, alone and in a network.
WRONG = {
    "sign": ("GC101", "sign"),
    "factor": ("GC102", "exactly 1.5 times"),
    "zero": ("GC103", "zero"),
    "transposed": ("GC104", "transpose"),
    "squared": ("GC001", "not linear in the cotangent"),
    "ignored": ("GC001", "not linear in the cotangent"),
    "clipped": ("GC105", "0.1"),
    "shape": ("GC002", "gradient of weight is float64 of shape (1, 4, 4)"),
    "shape of dx": ("GC002", "gradient of x is float64 of shape (4, 5)"),
    "missing": ("GC002", "no entry for bias"),
    "unknown": ("GC002", "an entry for wieght, which is no argument"),
    "no pair": ("GC002", "not (dx, {name: cotangent})"),
    "none": ("GC002", "gradient of x is None"),
    "complex": ("GC003", "complex128"),
    "whole": ("GC003", "lose their fractions"),
    "nan": ("GC004", "4 entries are not finite"),
    "random": ("GC005", "differs when it is computed twice"),
    "adds up": ("GC005", "called twice after one forward"),
    "forward draws anew": ("GC005", "the forward itself gives"),
    "forward changes x": ("GC006", "the forward changes its argument x in place"),
    "changes x": ("GC006", "changes its argument x in place"),
    "changes weight": ("GC006", "changes its argument weight in place"),
    "changes cotangent": ("GC006", "changes the cotangent in place"),
    "changes output": ("GC006", "changes the output in place"),
    "changes saved": ("GC006", "in place"),
    "raises": ("GC007", "raises ValueError: not today"),
    "exits": ("GC007", "raises SystemExit: 0"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_layer_is_told_by_its_code(how: str, place: str) -> None:
    code, words = WRONG[how]
    report = check(PLACES[place](layer("Wrong", how=how)))
    assert report.verdict == "fail", report
    assert report.exit_code == ExitCode.WRONG
    found = [found for found in report.findings if found.severity == "error"]
    assert {each.code for each in found} == {code}, report
    assert all(each.where.startswith("mine_1" if place != "alone" else "mine") for each in found)
    assert words in found[0].message
    names = {found.where for found in report.findings if found.code == "GC204"}
    assert names <= {"dense_1.weight", "dense_1.bias", "inputs"}


@pytest.mark.parametrize(
    ("how", "consequences", "wrong"),
    [
        ("raises", True, {"mine_1.weight", "mine_1.bias"}),
        ("missing", False, {"mine_1.bias"}),
        ("none", True, set()),
        ("unknown", False, set()),
        ("squared", True, {"mine_1.weight", "mine_1.bias"}),
        ("changes x", False, set()),
        ("factor", False, {"mine_1.weight"}),
    ],
)
def test_what_a_broken_layer_makes_wrong_and_what_not(
    how: str, consequences: bool, wrong: set[str]
) -> None:
    report = check(in_the_middle(layer("Wrong", how=how)))
    before = {"dense_1.weight", "dense_1.bias", "inputs"}
    failing = {tensor.name for tensor in report.tensors if tensor.verdict == "fail"}
    assert failing == wrong | (before if consequences else set())
    marked = {found.where for found in report.findings if found.code == "GC204"}
    assert marked == (before if consequences else set())


def test_nothing_is_said_of_tensors_where_a_forward_is_random() -> None:
    report = check(in_the_middle(layer("Wrong", how="forward draws anew")))
    assert (errors(report), report.tensors) == ([("mine_1", "GC005")], ())


def test_layer_3_of_6_is_named_and_what_follows_from_it() -> None:
    entries = ["right", "right", {"mine": {"factor": 1.1}}, "right", {"dense": 5}, {"dense": 3}]
    report = check(network(entries, right=layer("Dense"), mine=layer("Dense", factor=1.0)))
    assert report.exit_code == ExitCode.WRONG
    assert set(errors(report)) == {("mine_1", "GC102")}
    consequences = [found for found in report.findings if found.code == "GC204"]
    assert {found.where for found in consequences} == {
        *("right_1.weight", "right_1.bias", "right_2.weight", "right_2.bias", "inputs")
    }
    assert {tuple(found.data["culprits"]) for found in consequences} == {("mine_1",)}


def test_a_wrong_layer_and_a_wrong_formula_are_both_named() -> None:
    entries = [{"dense": 4}, "bent", {"dense": 4}, "mine", {"dense": 3}]
    bent = {"kind": "activation", "forward": "tanh(x)", "derivative": "-(1 - tanh(x)**2)"}
    report = check(network(entries, bent=bent, mine=layer("Dense", factor=0.5)), skip=["bent"])
    assert set(errors(report)) == {("bent_1", "GC101"), ("mine_1", "GC102")}
    causes = {f.where: f.data["culprits"] for f in report.findings if f.code == "GC204"}
    assert causes["dense_1.weight"] == ["bent_1", "mine_1"]
    assert causes["dense_2.weight"] == ["mine_1"]


ZEROS = {"values": [[0.0] * 3, [1.0, -0.5, 2.0]]}


@pytest.mark.parametrize(
    ("at_zero", "verdict"),
    [(0.0, "pass"), (0.5, "pass"), (1.0, "pass"), (1.2, "fail"), (-0.1, "fail")],
)
def test_any_slope_between_the_sides_passes_at_a_kink(at_zero: float, verdict: str) -> None:
    """Zero biases and zero inputs put every unit of a row exactly at the kink."""
    spec = network([{"dense": 4}, "mine", {"dense": 3}], mine=layer("Ramp", at_zero=at_zero))
    spec["data"]["inputs"] = ZEROS
    report = check(spec)
    assert report.verdict == verdict, report
    kinks = [found for found in report.findings if found.code == "GC201"]
    assert [kink.where for kink in kinks] == ["mine_1"] * (verdict == "pass")
    assert {where for where, _ in errors(report)} == ({"mine_1"} if verdict == "fail" else set())


@pytest.mark.parametrize("entries", [["mine"], [{"dense": 4}, "relu", "mine"]])
@pytest.mark.parametrize("factor", [1.0, 1.1])
def test_many_kinks_at_once_inside_a_layer(entries: list[Any], factor: float) -> None:
    """A row of zeros, given or left by a relu: each input entry bends several units at once."""
    spec = network([*entries, {"dense": 3}], rows=20, mine=layer("ReluDense", factor=factor))
    if entries == ["mine"]:
        spec["data"]["inputs"] = ZEROS
    report = check(spec)
    kinks = [found for found in report.findings if found.code == "GC201"]
    assert ("mine_1", 4) in [(kink.where, kink.data["count"]) for kink in kinks]
    assert set(errors(report)) == (set() if factor == 1 else {("mine_1", "GC102")}), report


@pytest.mark.parametrize("factor", [1.0, 1.1])
def test_many_kinks_at_once_in_a_layer_alone(factor: float) -> None:
    definition = {**layer("ReluDense", factor=factor), "inputs": {"x": ZEROS}}
    report = check({"gradcli": 1, "define": {"mine": definition}})
    assert {code for _, code in errors(report)} == (set() if factor == 1 else {"GC102"}), report
    assert "GC201" in [found.code for found in report.findings]


@pytest.mark.parametrize(("slope", "verdict"), [(0.0, "pass"), (0.3, "pass"), (1.2, "fail")])
def test_many_kinks_at_once_in_a_vector_function(slope: float, verdict: str) -> None:
    weight = np.array([[1.0, -2.0, 0.5], [0.5, 1.0, -1.0]])

    def backward(inputs: Any, output: Any, cotangent: Any) -> Any:
        z = inputs["x"] @ weight
        return {"x": (cotangent * np.where(z == 0, slope, z > 0)) @ weight.T}

    x = np.array([[0.0, 0.0], [1.0, -0.3]])
    report = gradcli.check_vjp(lambda i: np.maximum(i["x"] @ weight, 0), backward, {"x": x})
    assert report.verdict == verdict, report
