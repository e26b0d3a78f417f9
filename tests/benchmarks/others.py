"""The checkers of PyTorch and JAX on the networks of `check.py`, where they are installed.

Each takes a network's arrays and returns whether it accepts the gradient. With `planted`, the
gradient of one weight of the first layer is 0.1 % too large.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gradcli.engine.model import Model

__all__ = ["ENTRY", "FACTOR", "Checker", "checkers"]

ENTRY = (5, 7)
"""Of the first layer's weight, whose gradient a planted mistake multiplies by `FACTOR`."""

FACTOR = 1.001

Arrays = list[Any]


class Checker(NamedTuple):
    """`accepts(model, planted)`: whether the gradient, or the wrong one, is found right."""

    name: str
    accepts: Callable[[Model, bool], bool]


def checkers() -> list[Checker]:
    """Those that can be imported."""
    found = []
    try:
        import torch  # noqa: F401
    except ImportError:
        print("PyTorch is not installed")
    else:
        found += [
            Checker("torch.autograd.gradcheck", lambda model, planted: _torch(model, planted)),
            Checker(
                "torch.autograd.gradcheck, fast mode",
                lambda model, planted: _torch(model, planted, fast_mode=True),
            ),
        ]
    try:
        import jax  # noqa: F401
    except ImportError:
        print("JAX is not installed")
    else:
        found.append(Checker("jax.test_util.check_grads", _jax))
    return found


def _torch(model: Model, planted: bool, **mode: bool) -> bool:
    import torch

    class Linear(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, weight: Any, bias: Any) -> Any:
            ctx.save_for_backward(x, weight)
            return x @ weight.T + bias

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, weight = ctx.saved_tensors
            gradient = g.T @ x
            if planted:
                gradient[ENTRY] *= FACTOR
            return g @ weight, gradient, g.sum(0)

    labels = torch.tensor(model.targets["targets"])
    x = torch.tensor(model.inputs["inputs"])
    parameters = [torch.tensor(value, requires_grad=True) for value in model.parameters.values()]

    def loss(*tensors: Any) -> Any:
        a = torch.relu(Linear.apply(x, tensors[0], tensors[1]))
        for index in range(2, len(tensors) - 2, 2):
            a = torch.relu(torch.nn.functional.linear(a, tensors[index], tensors[index + 1]))
        logits = torch.nn.functional.linear(a, tensors[-2], tensors[-1])
        return torch.nn.functional.cross_entropy(logits, labels)

    return bool(torch.autograd.gradcheck(loss, parameters, raise_exception=False, **mode))


def _jax(model: Model, planted: bool) -> bool:
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    labels = jnp.asarray(model.targets["targets"])
    x = jnp.asarray(model.inputs["inputs"])
    parameters: Arrays = [jnp.asarray(value) for value in model.parameters.values()]

    @jax.custom_vjp
    def linear(x: Any, weight: Any, bias: Any) -> Any:
        return x @ weight.T + bias

    def forward(x: Any, weight: Any, bias: Any) -> Any:
        return linear(x, weight, bias), (x, weight)

    def backward(saved: Any, g: Any) -> Any:
        x, weight = saved
        gradient = g.T @ x
        if planted:
            gradient = gradient.at[ENTRY].multiply(FACTOR)
        return g @ weight, gradient, g.sum(0)

    linear.defvjp(forward, backward)

    def loss(*tensors: Any) -> Any:
        a = jax.nn.relu(linear(x, tensors[0], tensors[1]))
        for index in range(2, len(tensors) - 2, 2):
            a = jax.nn.relu(a @ tensors[index].T + tensors[index + 1])
        log_p = jax.nn.log_softmax(a @ tensors[-2].T + tensors[-1])
        return -jnp.mean(log_p[np.arange(len(labels)), labels])

    try:
        check_grads(loss, parameters, order=1, modes=["rev"])
    except AssertionError:
        return False
    return True
