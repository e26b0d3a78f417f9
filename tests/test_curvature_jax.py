"""Hessian and Gauss-Newton matrix equal those of JAX, forward over reverse and by linearization."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.analysis.curvature.exact import assemble
from gradcli.analysis.curvature.products import Products

jax = pytest.importorskip("jax", reason="JAX is not installed")
pytestmark = pytest.mark.jax

TOLERANCE = 1e-10  # of the largest entry
NETWORK = [
    {"dense": 5},
    "layer_norm",
    "gelu",
    {"residual": {"scale": 0.5, "layers": [{"dense": 5}, "tanh"]}},
    {"dense": {"units": 4, "name": "last"}},
    "softplus",
    {"dense": {"units": 3, "name": "head"}},
]


def outputs(weights: dict[str, Any], x: Any) -> Any:
    jnp = jax.numpy

    def dense(name: str, a: Any) -> Any:
        return a @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    a = dense("dense_1", x)
    off = a - a.mean(-1, keepdims=True)
    a = off / jnp.sqrt((off**2).mean(-1, keepdims=True) + 1e-5)
    a = a * weights["layer_norm_1.weight"] + weights["layer_norm_1.bias"]
    a = jax.nn.gelu(a, approximate=False)
    a = a + 0.5 * jnp.tanh(dense("residual_1.dense_1", a))
    return dense("head", jax.nn.softplus(dense("last", a)))


def close(found: Any, expected: Any) -> None:
    expected = np.asarray(expected)
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_matrices_are_those_of_jax(loss: str) -> None:
    data = {"inputs": {"shape": [6, 4]}, "targets": "auto"}
    model = gradcli.load({"gradcli": 1, "data": data, "network": NETWORK, "loss": loss})
    products = Products(model)
    x, y = model.inputs["inputs"], model.targets["targets"]

    def of_outputs(z: Any) -> Any:
        z = z.reshape(6, 3)
        if loss == "mse":
            return ((z - y) ** 2).mean()
        return -jax.nn.log_softmax(z)[np.arange(6), y].mean()

    def unraveled(point: Any) -> dict[str, Any]:
        places = products.where.places
        return {
            name: point[places[name]].reshape(shape)
            for name, shape in products.where.shapes.items()
        }

    def through(point: Any) -> Any:
        return outputs(unraveled(point), x).ravel()

    with jax.enable_x64(True):
        point = jax.numpy.asarray(products.point)
        close(
            assemble(products, "hessian").matrix,
            jax.jacfwd(jax.grad(lambda at: of_outputs(through(at))))(point),
        )
        jacobian = jax.jacfwd(through)(point)
        of_loss = jax.hessian(of_outputs)(through(point))
        expected = jacobian.T @ of_loss @ jacobian
        close(assemble(products, "gauss_newton").matrix, expected)
        close(assemble(products, "fisher").matrix, expected)
