"""A loaded network in PyTorch: every node's op as PyTorch has it, over one vector of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from gradcli.engine.model import INPUTS, Model

F = torch.nn.functional
Tensors = dict[str, Any]


def _recurrent(kind: Any, units: int, x: Any, own: Tensors, output: str, **options: Any) -> Any:
    module = kind(x.shape[-1], units, batch_first=True, **options).double()
    weights = {f"{name}_l0": value for name, value in own.items()}
    states, _ = torch.func.functional_call(module, weights, (x,))
    return states if output == "sequence" else states[:, -1]


def _batch_norm(x: Any, own: Tensors, o: dict[str, Any]) -> Any:
    rows = x.reshape(-1, x.shape[-1])
    train = o["mode"] == "train"
    mean = None if train else own["running_mean"]
    variance = None if train else own["running_var"]
    weight, bias = own.get("weight"), own.get("bias")
    return F.batch_norm(rows, mean, variance, weight, bias, train, eps=o["eps"]).reshape(x.shape)


OPS: dict[str, Callable[..., Any]] = {
    "dense": lambda x, own, o: F.linear(x, own["weight"], own.get("bias")),
    "batch_norm": lambda x, own, o: _batch_norm(x, own, o),
    "layer_norm": lambda x, own, o: F.layer_norm(
        x, x.shape[-1:], own.get("weight"), own.get("bias"), o["eps"]
    ),
    "rms_norm": lambda x, own, o: F.rms_norm(x, x.shape[-1:], own.get("weight"), o["eps"]),
    "dropout": lambda x, own, o: x * own["mask"] / (1 - o["p"]),
    "residual": lambda x, branch, own, o: x + o["scale"] * branch,
    "flatten": lambda x, own, o: x.flatten(1),
    "rnn": lambda x, own, o: _recurrent(
        torch.nn.RNN, o["units"], x, own, o["output"], nonlinearity=o["activation"]
    ),
    "lstm": lambda x, own, o: _recurrent(torch.nn.LSTM, o["units"], x, own, o["output"]),
    "gru": lambda x, own, o: _recurrent(torch.nn.GRU, o["units"], x, own, o["output"]),
    "tanh": lambda x, own, o: torch.tanh(x),
    "relu": lambda x, own, o: torch.relu(x),
    "sigmoid": lambda x, own, o: torch.sigmoid(x),
    "gelu": lambda x, own, o: F.gelu(x, approximate=o["approximate"]),
    "softplus": lambda x, own, o: F.softplus(x, o["beta"], threshold=1000),
    "swish": lambda x, own, o: x * torch.sigmoid(o["beta"] * x),
    "prelu": lambda x, own, o: F.prelu(x, own["weight"]),
    "log_softmax": lambda x, own, o: F.log_softmax(x, -1),
}


class TorchNetwork:
    """The same network, its parameters in one vector in the order of the model's."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.point = torch.tensor(
            np.concatenate([value.ravel() for value in model.parameters.values()])
        )

    def parameters(self, point: Any) -> Tensors:
        found, start = {}, 0
        for name, value in self.model.parameters.items():
            found[name] = point[start : start + value.size].reshape(value.shape)
            start += value.size
        return found

    def slots(self, point: Any) -> list[Any]:
        parameters = self.parameters(point)
        buffers = {name: torch.tensor(value) for name, value in self.model.buffers.items()}
        slots = [torch.tensor(self.model.inputs[INPUTS])]
        for node in self.model.plan.nodes:
            own = {name: parameters[full] for name, full in node.parameters.items()}
            own |= {name: buffers[full] for name, full in node.buffers.items()}
            inputs = [slots[slot] for slot in node.inputs]
            slots.append(OPS[node.op.name](*inputs, own, node.options))
        return slots

    def outputs(self, point: Any) -> Any:
        """All numbers that losses read, in one vector."""
        slots = self.slots(point)
        return torch.cat([slots[loss.slot].reshape(-1) for loss in self.model.plan.losses])
