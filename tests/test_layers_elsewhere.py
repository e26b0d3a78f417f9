"""Users' Python layers in what is not the check of their gradients: flow, models, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from layer_specs import check, errors, in_the_middle, layer, network

import gradcli
from gradcli.cli.main import main
from gradcli.errors import ExitCode, UsageError

DEEP = [{"dense": 4}, "tanh", "mine", {"dense": 4}, "tanh", {"dense": 3}]


def test_flow_goes_through_a_layer_and_knows_no_bound_for_it() -> None:
    report = gradcli.flow(network(DEEP, mine=layer("Dense")), allow_python=True, seeds=2)
    (result,) = report.results
    assert [row.name for row in result.layers] == ["dense_1", "dense_2"]
    assert np.isfinite(result.log10_total)
    assert result.layers[0].log10_bound < np.inf == result.layers[1].log10_bound


def test_the_gradient_through_a_layer_is_that_through_its_parts() -> None:
    """tanh of a dense layer with the same weights, in Python and in the catalogue."""
    model = gradcli.load(network(["mine", {"dense": 3}], mine=layer("Dense")), allow_python=True)
    _, gradients = model.value_and_grad()
    parts = gradcli.load(
        network(
            [
                {"dense": 4},
                "tanh",
                {
                    "dense": 3,
                },
            ]
        )
    )
    for name, own in {"dense_1": "mine_1", "dense_2": "dense_1"}.items():
        for local in ("weight", "bias"):
            parts.parameters[f"{name}.{local}"][...] = model.parameters[f"{own}.{local}"]
    _, expected = parts.value_and_grad()
    np.testing.assert_allclose(gradients["inputs"], expected["inputs"], rtol=1e-13)
    np.testing.assert_allclose(gradients["mine_1.bias"], expected["dense_1.bias"], rtol=1e-13)


def test_a_layer_before_all_parameters_has_as_many_cotangents_as_follow_it(tmp_path: Path) -> None:
    """Its input is one and the same wherever parameters behind it are moved."""
    path = tmp_path / "tanh.py"
    path.write_text(
        "import numpy as np\n"
        "class Tanh:\n"
        "    def forward(self, x, parameters):\n"
        "        return np.tanh(x)\n"
        "    def backward(self, x, parameters, output, cotangent):\n"
        "        return cotangent * (1 - output**2), {}\n"
    )
    mine = {"kind": "layer", "python": str(path), "class": "Tanh"}
    own = gradcli.curvature(network(["mine", {"dense": 3}], mine=mine), allow_python=True)
    known = gradcli.curvature(network(["tanh", {"dense": 3}]))
    assert (own.verdict, known.verdict) == ("pass", "pass")
    for found, expected in zip(own.results, known.results, strict=True):
        hessian = found.spectra["hessian"].eigenvalues
        exact = expected.spectra["hessian"].eigenvalues
        np.testing.assert_allclose(hessian, exact, rtol=0, atol=1e-8 * max(exact))


def test_flow_of_layers_in_python_alone_is_refused() -> None:
    with pytest.raises(UsageError, match="no layer that mixes units"):
        gradcli.flow(network(["mine"], mine=layer("Dense", units=3)), allow_python=True)


@pytest.mark.parametrize(
    ("where", "words"),
    [("forward", "ValueError: a negative number"), ("backward", "ValueError: no way back")],
)
def test_flow_says_what_a_layer_raises(where: str, words: str) -> None:
    report = gradcli.flow(network(DEEP, mine=layer("Fussy", where=where)), allow_python=True)
    (problem,) = report.results[0].errors
    assert (report.exit_code, problem.code) == (ExitCode.INVALID, "SP021")
    assert f"mine_1: {where} raises {words}" in problem.message


@pytest.mark.parametrize("command", ["check", "flow", "train", "curvature", "graph --run"])
def test_a_layer_that_raises_is_told_with_its_spec(command: str, tmp_path: Path) -> None:
    (tmp_path / "layer.py").write_text(
        "class Picky:\n"
        "    def forward(self, x, parameters):\n"
        "        if x.min() < 0:  # unlike the numbers that a layer is tried on when it is read\n"
        "            raise ValueError('too little')\n"
        "        return x\n"
        "    def backward(self, x, parameters, output, cotangent):\n"
        "        return cotangent, {}\n"
    )
    path = tmp_path / "own.yaml"
    path.write_text(
        "gradcli: 1\n"
        "name: other than the file\n"
        "data: {inputs: {shape: [4, 2]}, targets: {values: [[1.0], [2.0], [3.0], [4.0]]}}\n"
        "define: {picky: {kind: layer, python: layer.py, class: Picky}}\n"
        "network: [picky, dense: 1]\n"
        "loss: mse\n"
    )
    arguments = [*command.split(), str(path), "--allow-python", "--format", "json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    (told,) = json.loads(result.stdout)["results"]
    assert (told["spec"], told["verdict"]) == (str(path), "invalid")
    (error,) = told["errors"]
    assert (error["line"], "ValueError: too little (layer.py:4)" in error["message"]) == (5, True)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("forward", "forward raises ValueError: a negative number"),
        ("shape", "forward returns an array of shape (1, 4), not (5, 4)"),
        ("nan", "the forward is nan at the point of the check"),
    ],
)
def test_a_forward_that_fails_at_the_point_makes_the_spec_invalid(where: str, words: str) -> None:
    report = check(in_the_middle(layer("Fussy", where=where)))
    (problem,) = report.results[0].errors
    assert (report.exit_code, problem.code) == (ExitCode.INVALID, "SP021")
    assert f"mine_1: {words}" in problem.message


@pytest.mark.parametrize("where", ["forward", "shape"])
def test_a_forward_that_fails_at_probes_only_is_no_mistake(where: str) -> None:
    """At zero every step to the left fails; the right side decides."""
    spec = network(["mine", {"dense": 3}], mine=layer("Fussy", where=where))
    spec["data"]["inputs"] = {"values": [[0.0, 1.0, 2.0], [0.5, 0.0, 0.0]]}
    report = check(spec)
    assert report.verdict == "pass", report


def test_parameters_have_the_same_shapes_for_every_seed() -> None:
    report = check(in_the_middle(layer("Fickle")))
    (problem,) = report.results[0].errors
    assert (problem.code, "parameters has as extra" in problem.message) == ("SP021", True)


def test_only_and_skip_choose_layers_too() -> None:
    spec = in_the_middle(layer("Wrong", how="squared"))
    assert errors(check(spec)) == [("mine_1", "GC001")] * 3
    for options in ({"only": ["dense_2.*"]}, {"skip": ["mine_1*", "dense_1.*", "inputs"]}):
        report = check(spec, **options)
        assert (report.verdict, errors(report)) == ("pass", []), report


def test_derivatives_by_the_complex_step_are_refused() -> None:
    model = gradcli.load(in_the_middle(layer("Dense")), allow_python=True)
    direction: dict[str, Any] = {"dense_1.bias": np.ones(4)}
    for derivative in (model.jvp, model.hvp):
        with pytest.raises(UsageError, match="takes real numbers only"):
            derivative(direction)
    assert set(model.vjp(np.ones((5, 3)))) == {*model.parameters, "inputs"}
