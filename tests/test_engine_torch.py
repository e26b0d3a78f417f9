"""Whole networks' values, gradients and products with their Jacobian equal PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.engine.model import INPUTS, Model

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.torch

Tensors = dict[str, Any]
F = torch.nn.functional


def dense(name: str, x: Any, tensors: Tensors) -> Any:
    return F.linear(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"])


def penalty(tensors: Tensors) -> Any:
    return sum(
        (w**2).sum() for name, w in tensors.items() if name.endswith("weight") and w.ndim > 1
    )


CHAIN: dict[str, Any] = {
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


def chain(tensors: Tensors) -> dict[str, Any]:
    a = torch.relu(dense("dense_1", tensors[INPUTS], tensors))
    branch = F.gelu(dense("residual_1.dense_1", a, tensors))
    a = a + 0.5 * F.prelu(branch, tensors["residual_1.prelu_1.weight"])
    a = F.softplus(dense("dense_2", a, tensors), threshold=1000)
    return {"targets": dense("dense_3", a, tensors)}


def chain_loss(outputs: dict[str, Any], targets: dict[str, Any], tensors: Tensors) -> Any:
    loss = F.cross_entropy(outputs["targets"], targets["targets"], label_smoothing=0.1)
    return loss + 0.01 * penalty(tensors)


HEADS: dict[str, Any] = {
    **CHAIN,
    "network": {
        "trunk": [{"dense": 6}, "gelu", {"residual": [{"dense": 6}, "tanh"]}],
        "heads": {"depth": [{"dense": 4}, "tanh", {"dense": 2}], "label": [{"dense": 3}]},
    },
    "loss": {
        "sum": [
            {
                "multi_task": {
                    "weighting": "uncertainty",
                    "tasks": {
                        "depth": {"loss": {"huber": {"delta": 0.8}}, "weight": 0.5},
                        "label": {"loss": {"cross_entropy": {"label_smoothing": 0.1}}},
                    },
                }
            },
            {"l2": {"weight": 0.01}},
        ]
    },
}


def heads(tensors: Tensors) -> dict[str, Any]:
    a = F.gelu(dense("dense_1", tensors[INPUTS], tensors))
    a = a + torch.tanh(dense("residual_1.dense_1", a, tensors))
    depth = torch.tanh(dense("depth.dense_1", a, tensors))
    return {
        "depth": dense("depth.dense_2", depth, tensors),
        "label": dense("label.dense_1", a, tensors),
    }


def heads_loss(outputs: dict[str, Any], targets: dict[str, Any], tensors: Tensors) -> Any:
    huber = F.huber_loss(outputs["depth"], targets["depth"], delta=0.8)
    entropy = F.cross_entropy(outputs["label"], targets["label"], label_smoothing=0.1)
    s, t = (tensors[f"loss.log_variance.{head}"].sum() for head in ("depth", "label"))
    weighted = 0.5 * (torch.exp(-s) * huber + s) + torch.exp(-t) * entropy + t
    return weighted + 0.01 * penalty(tensors)


@dataclass(frozen=True)
class Network:
    """A spec and what it says, in PyTorch: outputs by the names of their targets, and the loss."""

    spec: dict[str, Any]
    outputs: Callable[[Tensors], dict[str, Any]]
    loss_of: Callable[[dict[str, Any], dict[str, Any], Tensors], Any]

    def load(self, **options: Any) -> Model:
        """The model, away from the point where the learned parameters of its loss are zero."""
        model = gradcli.load(self.spec, **options)
        for name, value in model.parameters.items():
            if name.startswith("loss."):
                value[...] = 0.4 if name.endswith("label") else -0.7
        return model

    def loss(self, model: Model, tensors: Tensors) -> Any:
        targets = {name: torch.tensor(array) for name, array in model.targets.items()}
        return self.loss_of(self.outputs(tensors), targets, tensors)


networks = pytest.mark.parametrize(
    "network",
    [Network(CHAIN, chain, chain_loss), Network(HEADS, heads, heads_loss)],
    ids=["chain", "heads"],
)


def tensors_of(model: Model) -> Tensors:
    return {
        name: torch.tensor(value, requires_grad=True)
        for name, value in {**model.parameters, **model.inputs}.items()
    }


def close(found: Any, expected: Any, tolerance: float = 1e-12) -> None:
    expected = expected.detach().numpy()
    scale = max(float(np.abs(expected).max()), 1e-300)
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=tolerance)


@networks
@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradients(network: Network, seed: int) -> None:
    model = network.load(seed=seed)
    tensors = tensors_of(model)
    loss = network.loss(model, tensors)
    loss.backward()
    value, gradients = model.value_and_grad()
    assert value == pytest.approx(loss.item(), rel=1e-14)
    assert set(gradients) == set(tensors)
    for name, tensor in tensors.items():
        close(gradients[name], tensor.grad)


@networks
def test_float32_gradients(network: Network) -> None:
    model = network.load(dtype="float32")
    tensors = tensors_of(model)
    network.loss(model, tensors).backward()
    _, gradients = model.value_and_grad()
    for name, tensor in tensors.items():
        assert gradients[name].dtype == np.float32
        close(gradients[name], tensor.grad, 1e-5)


@networks
def test_jvp_vjp_and_hvp(network: Network, rng: np.random.Generator) -> None:
    model = network.load()
    names = list(tensors_of(model))
    points = tuple(tensors_of(model).values())
    v = {name: rng.standard_normal(point.shape) for name, point in zip(names, points, strict=True)}
    along = tuple(torch.tensor(direction) for direction in v.values())

    def outputs(*tensors: Any) -> Any:
        return tuple(network.outputs(dict(zip(names, tensors, strict=True))).values())

    def loss(*tensors: Any) -> Any:
        return network.loss(model, dict(zip(names, tensors, strict=True)))

    found = model.jvp(v)
    tangents = found.values() if isinstance(found, dict) else [found]
    expected = torch.autograd.functional.jvp(outputs, points, along)[1]
    for tangent, right in zip(tangents, expected, strict=True):
        close(tangent, right)

    shapes = {head: model.network.slot_shape(slot) for head, slot in model.plan.outputs.items()}
    u = {head: rng.standard_normal(shape) for head, shape in shapes.items()}
    cotangents = tuple(torch.tensor(cotangent) for cotangent in u.values())
    pulled = model.vjp(u if len(u) > 1 else u["outputs"])
    expected = torch.autograd.functional.vjp(outputs, points, cotangents, strict=False)[1]
    for name, right in zip(names, expected, strict=True):
        close(pulled[name], right)

    expected = torch.autograd.functional.hvp(loss, points, along)[1]
    product = model.hvp(v)
    for name, right in zip(names, expected, strict=True):
        close(product[name], right, 1e-11)
