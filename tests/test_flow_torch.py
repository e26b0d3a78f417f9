"""Per-layer norms of the flow equal those of PyTorch's hooks, on the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli.ops  # noqa: F401
from gradcli.analysis.flow import FlowOptions, analyse_flow, build_spec
from gradcli.engine.model import Model
from gradcli.spec import load_plan

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

CLOSE = 1e-9  # relative, of norms after up to 30 layers; the two sum in different orders

FUNCTIONS: dict[str, Any] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "selu": torch.selu,
    "gelu": torch.nn.functional.gelu,
}


@pytest.mark.parametrize("activation", FUNCTIONS)
@pytest.mark.parametrize("scale", [None, 0.5])
def test_norms_equal_those_of_hooks(activation: str, scale: float | None) -> None:
    depth = 30
    residual = {} if scale is None else {"residual": True, "residual_scale": scale}
    plan = load_plan(
        build_spec(depth=depth, width=24, batch=16, activation=activation, bias_std=0.1, **residual)
    )
    model = Model(plan)
    parameters = {
        name: torch.tensor(value, requires_grad=True) for name, value in model.parameters.items()
    }
    x = torch.tensor(model.inputs["inputs"], requires_grad=True)
    seen: dict[int, float] = {}

    def watch(layer: int) -> Any:
        return lambda grad: seen.__setitem__(layer, float(torch.linalg.norm(grad)))

    a = x
    a.register_hook(watch(0))
    for index in range(1, depth + 1):
        name = f"dense_{index}" if scale is None else f"residual_{index}.dense_1"
        z = torch.nn.functional.linear(a, parameters[f"{name}.weight"], parameters[f"{name}.bias"])
        out = FUNCTIONS[activation](z)
        a = out if scale is None else a + scale * out
        a.register_hook(watch(index))
    y = torch.nn.functional.linear(a, parameters["head.weight"], parameters["head.bias"])
    (target,) = model.targets.values()
    torch.nn.functional.mse_loss(y, torch.tensor(target)).backward()

    result = analyse_flow(plan, FlowOptions(seeds=1)).results[0]
    assert 10**result.log10_input_gradient_norm == pytest.approx(seen[0], rel=CLOSE)
    for layer in result.layers:
        weight = parameters[f"{layer.name}.weight"]
        gradient = float(torch.linalg.norm(weight.grad))
        spectral = float(torch.linalg.matrix_norm(weight.detach(), 2))
        assert 10**layer.log10_gradient_norm == pytest.approx(seen[layer.index], rel=CLOSE)
        assert 10**layer.log10_weight_gradient_norm == pytest.approx(gradient, rel=CLOSE)
        assert layer.weight_norm == pytest.approx(spectral, rel=CLOSE)
    gains = [seen[i] / seen[i + 1] for i in range(depth)]
    assert np.allclose([layer.gain for layer in result.layers], gains, rtol=CLOSE, atol=0)
