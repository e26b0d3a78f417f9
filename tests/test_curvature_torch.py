"""Hessian, Gauss-Newton and Fisher matrices equal those made with PyTorch, for every layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.analysis.curvature.exact import assemble
from gradcli.analysis.curvature.products import Products
from gradcli.core.op import Layer
from gradcli.core.registry import CATALOGUE

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.torch

F = torch.nn.functional
TOLERANCE = 1e-10  # of the largest entry; 1e-8 is what is promised


def spec_of(network: list[Any], shape: list[int], loss: Any) -> dict[str, Any]:
    data = {"inputs": {"shape": shape}, "targets": "auto"}
    return {"gradcli": 1, "data": data, "network": network, "loss": loss}


DENSE = [{"dense": 5}, "tanh", {"dense": 3}]
NETWORKS: dict[str, tuple[list[Any], list[int]]] = {
    "dense": (DENSE, [6, 4]),
    "smooth": (
        [{"dense": 4}, "gelu", {"dense": 4}, "swish", {"dense": 4}, "softplus", {"dense": 3}],
        [6, 4],
    ),
    "kinked": (  # at no kink: where a whole row is dead, a bias of zero would put it at one
        [
            {"dense": 5},
            "relu",
            {"dense": {"units": 5, "bias_init": {"normal": 0.1}}},
            "prelu",
            {"dense": 3},
        ],
        [6, 4],
    ),
    "batch_norm": ([{"dense": 5}, "batch_norm", "relu", {"dense": 3}], [6, 4]),
    "batch_norm eval": (
        [{"dense": 5}, {"batch_norm": {"mode": "eval"}}, "tanh", {"dense": 3}],
        [6, 4],
    ),
    "layer_norm": ([{"dense": 5}, "layer_norm", "tanh", {"dense": 3}], [6, 4]),
    "rms_norm": ([{"dense": 5}, "rms_norm", "tanh", {"dense": 3}], [6, 4]),
    "dropout": ([{"dense": 6}, "tanh", {"dropout": 0.4}, {"dense": 3}], [6, 4]),
    "residual": (
        [
            {"dense": 4},
            {"residual": {"scale": 0.5, "layers": [{"dense": 4}, "tanh"]}},
            {"dense": 3},
        ],
        [6, 4],
    ),
    "repeat": ([{"repeat": {"times": 2, "layers": [{"dense": 4}, "tanh"]}}, {"dense": 3}], [6, 4]),
    "flatten": ([{"dense": 3}, "tanh", "flatten", {"dense": 3}], [5, 2, 3]),
    "rnn": ([{"rnn": {"units": 4, "output": "last"}}, {"dense": 3}], [4, 5, 3]),
    "rnn relu": ([{"rnn": {"units": 4, "activation": "relu"}}, {"dense": 3}], [3, 4, 3]),
    "lstm": ([{"lstm": {"units": 3, "output": "last"}}, {"dense": 3}], [4, 5, 3]),
    "gru": ([{"gru": {"units": 3}}, {"dense": 3}], [3, 4, 2]),
}
LOSSES = ["cross_entropy", "mse"]


def test_every_layer_is_among_the_networks() -> None:
    used = {entry if isinstance(entry, str) else next(iter(entry))
            for network, _ in NETWORKS.values() for entry in network}  # fmt: skip
    layers = {op.name for op in CATALOGUE.all(Layer)} | {"repeat"}
    assert layers <= used


def close(found: Any, expected: Any) -> None:
    expected = expected.detach().numpy()
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=TOLERANCE)


def row_losses(loss: str, z: Any, y: Any) -> Any:
    """The negative log-likelihood of each row, up to a constant: cross-entropy, or noise of ½."""
    if loss == "cross_entropy":
        return F.cross_entropy(z, y, reduction="none")
    return ((z - y) ** 2).sum(dim=1)


def drawn(loss: str, z: Any) -> list[tuple[Any, Any]]:
    """Targets for all rows with their probability in each: a sum over them is the expectation."""
    if loss == "cross_entropy":
        chances = torch.softmax(z, -1)
        return [(torch.full(z.shape[:1], c), chances[:, c]) for c in range(z.shape[1])]
    nodes, weights = np.polynomial.hermite.hermgauss(3)  # exact for squares
    found = []
    for i in range(z.shape[1]):  # elements one by one: their scores are independent, of mean zero
        for node, weight in zip(nodes, weights, strict=True):
            y = z.clone()
            y[:, i] += node
            chance = torch.full(z.shape[:1], weight / np.sqrt(np.pi), dtype=z.dtype)
            found.append((y, chance))
    return found


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_matrix_is_the_one_made_with_torch(name: str, loss: str) -> None:
    from torch_networks import TorchNetwork

    network, shape = NETWORKS[name]
    model = gradcli.load(spec_of(network, shape, loss))
    there, products = TorchNetwork(model), Products(model)
    target = torch.tensor(model.targets["targets"])
    features = model.network.slot_shape(model.plan.losses[0].slot)[-1]
    outputs = there.outputs(there.point).detach()
    y = target.reshape(-1) if loss == "cross_entropy" else target.reshape(-1, features)
    rows = len(outputs) // features
    count = rows if loss == "cross_entropy" else len(outputs)

    def of_outputs(z: Any) -> Any:
        return row_losses(loss, z.reshape(-1, features), y).sum() / count

    def whole(point: Any) -> Any:
        return of_outputs(there.outputs(point))

    hessian = torch.autograd.functional.hessian(whole, there.point)
    close(assemble(products, "hessian").matrix, hessian)

    jacobian = torch.autograd.functional.jacobian(there.outputs, there.point)
    of_loss = torch.autograd.functional.hessian(of_outputs, outputs)
    close(assemble(products, "gauss_newton").matrix, jacobian.T @ of_loss @ jacobian)

    by_row = jacobian.reshape(rows, features, -1)
    fisher = torch.zeros_like(hessian)
    z = outputs.reshape(rows, features)
    for targets, chances in drawn(loss, z):
        at = z.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(row_losses(loss, at, targets).sum(), at)
        scores = torch.einsum("rf,rfp->rp", slopes, by_row)
        fisher += torch.einsum("r,rp,rq->pq", chances, scores, scores) / count
    close(assemble(products, "fisher").matrix, fisher)

    at = z.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(row_losses(loss, at, y).sum(), at)
    by_example = torch.einsum("rf,rfp->rp", slopes, by_row).reshape(shape[0], -1, hessian.shape[0])
    scores = by_example.sum(dim=1)
    close(assemble(products, "empirical_fisher").matrix, scores.T @ scores / count)


def test_eigenvalues_are_those_of_torch() -> None:
    from torch_networks import TorchNetwork

    report = gradcli.curvature(spec_of(DENSE, [6, 4], "cross_entropy"))
    model = gradcli.load(spec_of(DENSE, [6, 4], "cross_entropy"))
    there = TorchNetwork(model)
    labels = torch.tensor(model.targets["targets"])

    def whole(point: Any) -> Any:
        return F.cross_entropy(there.slots(point)[-1], labels)

    values = torch.linalg.eigvalsh(torch.autograd.functional.hessian(whole, there.point))
    close(np.array(report.results[0].spectra["hessian"].eigenvalues), values)


HEADS: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [6, 4]}, "targets": "auto"},
    "network": {
        "trunk": [{"dense": 5}, "tanh"],
        "heads": {"depth": [{"dense": 2}], "label": [{"dense": 3}]},
    },
    "loss": {
        "sum": [
            {
                "multi_task": {
                    "tasks": {
                        "depth": {"loss": "mse", "weight": 0.5},
                        "label": {"loss": "cross_entropy"},
                    }
                }
            },
            {"l2": {"weight": 0.01}},
        ]
    },
}


def test_heads_and_penalties() -> None:
    """Each head's Fisher matrix, weighted; the curvature of a penalty is part of every matrix."""
    from torch_networks import TorchNetwork

    model = gradcli.load(HEADS)
    there, products = TorchNetwork(model), Products(model)
    depth, label = (torch.tensor(model.targets[head]) for head in ("depth", "label"))

    def penalty(point: Any) -> Any:
        weights = there.parameters(point).values()
        return 0.01 * sum((w**2).sum() for w in weights if w.ndim > 1)

    def of_outputs(z: Any) -> Any:
        loss = 0.5 * F.mse_loss(z[:12].reshape(6, 2), depth)
        return loss + F.cross_entropy(z[12:].reshape(6, 3), label)

    def whole(point: Any) -> Any:
        return of_outputs(there.outputs(point)) + penalty(point)

    close(
        assemble(products, "hessian").matrix,
        torch.autograd.functional.hessian(whole, there.point),
    )
    jacobian = torch.autograd.functional.jacobian(there.outputs, there.point)
    outputs = there.outputs(there.point).detach()
    curved = jacobian.T @ torch.autograd.functional.hessian(of_outputs, outputs) @ jacobian
    curved = curved + torch.autograd.functional.hessian(penalty, there.point)
    close(assemble(products, "gauss_newton").matrix, curved)
    close(assemble(products, "fisher").matrix, curved)
