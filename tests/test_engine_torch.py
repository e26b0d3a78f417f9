"""A whole network's value, gradients and products with its Jacobian equal PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.engine.model import INPUTS, Model

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.torch

SPEC: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [9, 5]}, "targets": "auto"},
    "network": [
        {"dense": 6},
        "relu",
        {"residual": {"scale": 0.5, "layers": [{"dense": 6}, "gelu", {"prelu": {"alpha": 0.2}}]}},
        {"dense": {"units": 4, "init": "pytorch_default"}},
        "softplus",
        {"dense": 3},
    ],
    "loss": {"sum": [{"cross_entropy": {"label_smoothing": 0.1}}, {"l2": {"weight": 0.01}}]},
}


def outputs_of(tensors: dict[str, Any]) -> Any:
    def dense(name: str, x: Any) -> Any:
        return torch.nn.functional.linear(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    a = torch.relu(dense("dense_1", tensors[INPUTS]))
    branch = torch.nn.functional.gelu(dense("residual_1.dense_1", a))
    branch = torch.nn.functional.prelu(branch, tensors["residual_1.prelu_1.weight"])
    a = a + 0.5 * branch
    a = torch.nn.functional.softplus(dense("dense_2", a), threshold=1000)
    return dense("dense_3", a)


def loss_of(model: Model, tensors: dict[str, Any]) -> Any:
    targets = torch.tensor(model.targets["targets"])
    loss = torch.nn.functional.cross_entropy(outputs_of(tensors), targets, label_smoothing=0.1)
    penalty = sum(
        (w**2).sum() for name, w in tensors.items() if name.endswith("weight") and w.ndim > 1
    )
    return loss + 0.01 * penalty


def tensors_of(model: Model) -> dict[str, Any]:
    return {
        name: torch.tensor(value, requires_grad=True)
        for name, value in {**model.parameters, **model.inputs}.items()
    }


def close(found: Any, expected: Any, tolerance: float = 1e-12) -> None:
    expected = expected.detach().numpy()
    scale = max(float(np.abs(expected).max()), 1e-300)
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=tolerance)


@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradients(seed: int) -> None:
    model = gradcli.load(SPEC, seed=seed)
    tensors = tensors_of(model)
    loss = loss_of(model, tensors)
    loss.backward()
    value, gradients = model.value_and_grad()
    assert value == pytest.approx(loss.item(), rel=1e-14)
    for name, tensor in tensors.items():
        close(gradients[name], tensor.grad)


def test_float32_gradients() -> None:
    model = gradcli.load(SPEC, dtype="float32")
    tensors = tensors_of(model)
    loss_of(model, tensors).backward()
    _, gradients = model.value_and_grad()
    for name, tensor in tensors.items():
        close(gradients[name], tensor.grad, 1e-5)


def test_jvp_vjp_and_hvp(rng: np.random.Generator) -> None:
    model = gradcli.load(SPEC)
    names = list(tensors_of(model))
    points = tuple(tensors_of(model).values())
    v = {name: rng.standard_normal(point.shape) for name, point in zip(names, points, strict=True)}
    along = tuple(torch.tensor(direction) for direction in v.values())

    def outputs(*tensors: Any) -> Any:
        return outputs_of(dict(zip(names, tensors, strict=True)))

    def loss(*tensors: Any) -> Any:
        return loss_of(model, dict(zip(names, tensors, strict=True)))

    close(model.jvp(v), torch.autograd.functional.jvp(outputs, points, along)[1])

    u = rng.standard_normal((9, 3))
    expected = torch.autograd.functional.vjp(outputs, points, torch.tensor(u))[1]
    for name, cotangent in zip(names, expected, strict=True):
        close(model.vjp(u)[name], cotangent)

    expected = torch.autograd.functional.hvp(loss, points, along)[1]
    found = model.hvp(v)
    for name, product in zip(names, expected, strict=True):
        close(found[name], product, 1e-11)
