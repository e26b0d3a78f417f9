"""The product of norms bounds the gradient at every layer, whatever the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli.ops  # noqa: F401
from gradcli.analysis.flow import FlowOptions, FlowResult, analyse_flow, build_spec
from gradcli.analysis.flow import measure as measure_module
from gradcli.core.op import Activation
from gradcli.core.registry import CATALOGUE
from gradcli.errors import ExitCode
from gradcli.spec import load_plan

ROUNDING = 1e-9  # decades
ACTIVATIONS = [op.name for op in CATALOGUE.all(Activation)]
INITIALIZERS = ["auto", "pytorch_default", "orthogonal", "he_uniform", {"normal": 2.0}, "ones"]


def random_network(rng: np.random.Generator) -> dict[str, Any]:
    """A few dense layers of random widths, with residual blocks, nested ones too, in between."""
    width = int(rng.integers(1, 9))

    def dense(units: int) -> dict[str, Any]:
        init = INITIALIZERS[rng.integers(len(INITIALIZERS))]
        return {"dense": {"units": units, "init": init, "bias_init": {"normal": 0.5}}}

    def activation() -> str:
        return ACTIVATIONS[rng.integers(len(ACTIVATIONS))]

    def block(depth: int) -> dict[str, Any]:
        layers = [dense(width), activation()]
        if depth:
            layers.append(block(depth - 1))
        if rng.random() < 0.5:
            layers.append(dense(width))
        return {"residual": {"layers": layers, "scale": float(rng.normal())}}

    network: list[Any] = [dense(width)]
    for _ in range(rng.integers(1, 5)):
        if rng.random() < 0.5:
            width = int(rng.integers(1, 9))
            network.append(dense(width))
            if rng.random() < 0.8:
                network.append(activation())
        else:
            network.append(block(int(rng.integers(2))))
    network.append({"dense": 1})
    shape = [int(rng.integers(1, 7)), int(rng.integers(1, 9))]
    inputs = {"shape": shape, "distribution": "normal", "std": float(rng.uniform(0.1, 5))}
    data = {"inputs": inputs, "targets": "auto"}
    return {"gradcli": 1, "data": data, "network": network, "loss": "mse"}


def flow_of(spec: dict[str, Any], seed: int = 0) -> FlowResult:
    return analyse_flow(load_plan(spec, overrides={"seed": seed}), FlowOptions(seeds=1)).results[0]


@pytest.mark.parametrize("start", range(0, 200, 20))
def test_the_bound_holds_at_every_layer_of_random_networks(start: int) -> None:
    compared = 0
    for number in range(start, start + 20):
        result = flow_of(random_network(np.random.default_rng(number)), number)
        assert not [found for found in result.findings if found.code == "GF106"]
        norm, bound = result.log10_input_gradient_norm, 0.0
        assert result.layers[-1].at_cut
        for layer in result.layers:
            if not layer.at_cut or not np.isfinite(norm):
                continue
            compared += 1
            reached = result.log10_input_gradient_norm - layer.log10_gradient_norm
            assert reached <= layer.log10_bound + ROUNDING
            step = norm - layer.log10_gradient_norm
            assert step <= layer.log10_bound - bound + ROUNDING
            norm, bound = layer.log10_gradient_norm, layer.log10_bound
    assert compared > 20


def test_the_bound_is_reached_by_an_orthogonal_linear_network() -> None:
    layers = {"dense": {"units": 6, "init": {"orthogonal": {"gain": 1.5}}}}
    network = [{"repeat": {"times": 7, "layers": [layers]}}, {"dense": 1}]
    data = {"inputs": {"shape": [5, 6]}, "targets": "auto"}
    result = flow_of({"gradcli": 1, "data": data, "network": network, "loss": "mse"})
    assert result.log10_bound == pytest.approx(7 * np.log10(1.5), abs=1e-12)
    assert result.log10_total == pytest.approx(result.log10_bound, abs=1e-12)
    assert result.log10_rms_product == pytest.approx(result.log10_bound, abs=1e-12)


def test_a_residual_block_counts_one_plus_its_scaled_branch() -> None:
    branch = [
        {"dense": {"units": 4, "name": "one"}},
        "tanh",
        {"dense": {"units": 4, "name": "two"}},
    ]
    network = [{"residual": {"layers": branch, "scale": -0.5}}, {"dense": 1}]
    data = {"inputs": {"shape": [5, 4]}, "targets": "auto"}
    result = flow_of({"gradcli": 1, "data": data, "network": network, "loss": "mse"})
    one, two = result.layers
    product = one.weight_norm * one.slope_max * two.weight_norm
    assert 10**one.log10_bound == pytest.approx(one.weight_norm * one.slope_max, rel=1e-12)
    assert 10**two.log10_bound == pytest.approx(1 + 0.5 * product, rel=1e-12)
    assert (one.at_cut, two.at_cut) == (False, True)


def test_a_bound_that_is_too_small_is_reported_as_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = measure_module.spectral_norm
    monkeypatch.setattr(measure_module, "spectral_norm", lambda matrix: 0.3 * exact(matrix))
    data = {"inputs": {"shape": [5, 4]}, "targets": "auto"}
    network = [{"dense": {"units": 4, "init": "orthogonal"}}, "identity", {"dense": 1}]
    result = flow_of({"gradcli": 1, "data": data, "network": network, "loss": "mse"})
    assert {found.code for found in result.findings} == {"GF106"}
    assert result.exit_code == ExitCode.BUG


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 64])
def test_rounding_is_no_violation(width: int, dtype: str) -> None:
    # one unit alone reaches its bound, so that rounding decides on which side of it it falls
    tight = 0
    for seed in range(20):
        built = build_spec(depth=5, width=width, dtype=dtype, activation="tanh", seed=seed, batch=1)
        result = flow_of(built, seed)
        assert not [found for found in result.findings if found.code == "GF106"]
        tight += abs(result.log10_total - result.log10_bound) < 1e-6
    assert tight == (20 if width == 1 else 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_above_rounding_is_a_violation(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = measure_module.spectral_norm
    monkeypatch.setattr(measure_module, "spectral_norm", lambda matrix: (1 - 1e-5) * exact(matrix))
    built = build_spec(depth=5, width=1, dtype=dtype, activation="identity", batch=4)
    assert {found.code for found in flow_of(built).findings} >= {"GF106"}
