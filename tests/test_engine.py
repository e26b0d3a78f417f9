"""The engine: a hand-computed network, replicas, and both modes of differentiation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.core.arrays import Array
from gradcli.engine.model import INPUTS, Model

RESIDUAL: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [7, 5]}, "targets": "auto"},
    "network": [
        {"dense": 6},
        "tanh",
        {"residual": {"scale": 0.5, "layers": [{"dense": 6}, "gelu", {"prelu": {"alpha": 0.2}}]}},
        {"repeat": {"times": 2, "layers": [{"dense": 4}, "softplus"]}},
        {"dense": {"units": 3, "name": "head"}},
    ],
    "loss": {"sum": ["cross_entropy", {"l2": {"weight": 0.01}}]},
}


def model_of(spec: dict[str, Any], **changes: Any) -> Model:
    return gradcli.load({**spec, **changes})


def directions(model: Model, rng: np.random.Generator) -> dict[str, Array]:
    return {
        name: rng.standard_normal(value.shape)
        for name, value in {**model.parameters, **model.inputs}.items()
    }


def test_two_layers_by_hand() -> None:
    """y = w2·tanh(w1·x + b1) + b2 and (y - t)², with every derivative written out."""
    model = model_of(
        {
            "gradcli": 1,
            "data": {"inputs": {"values": [[0.5]]}, "targets": {"values": [[2.0]]}},
            "network": [{"dense": 1}, "tanh", {"dense": 1}],
            "loss": "mse",
        }
    )
    w1, b1, w2, b2, x, t = 0.7, 0.1, -1.3, 0.2, 0.5, 2.0
    for name, value in (("dense_1", (w1, b1)), ("dense_2", (w2, b2))):
        model.parameters[f"{name}.weight"][...], model.parameters[f"{name}.bias"][...] = value
    a = np.tanh(w1 * x + b1)
    residual = w2 * a + b2 - t
    delta = 2 * residual * w2 * (1 - a * a)
    value, gradients = model.value_and_grad()
    assert value == pytest.approx(residual**2, rel=1e-15)
    expected = {
        "dense_1.weight": delta * x,
        "dense_1.bias": delta,
        "dense_2.weight": 2 * residual * a,
        "dense_2.bias": 2 * residual,
        INPUTS: delta * w1,
    }
    assert gradients.keys() == expected.keys()
    for name, derivative in expected.items():
        assert gradients[name].item() == pytest.approx(derivative, rel=1e-14)


def test_names_count_by_kind_within_their_block() -> None:
    model = model_of(RESIDUAL)
    assert [node.name for node in model.plan.nodes] == [
        "dense_1",
        "tanh_1",
        "residual_1.dense_1",
        "residual_1.gelu_1",
        "residual_1.prelu_1",
        "residual_1",
        "dense_2",
        "softplus_1",
        "dense_3",
        "softplus_2",
        "head",
    ]


def test_a_batch_is_the_mean_of_its_rows() -> None:
    model = model_of({**RESIDUAL, "loss": "cross_entropy"})
    together, gradients = model.value_and_grad()
    losses, summed = [], {name: np.zeros_like(value) for name, value in model.parameters.items()}
    for row in range(7):
        one = model_of(
            {
                **RESIDUAL,
                "loss": "cross_entropy",
                "data": {
                    "inputs": {"values": model.inputs[INPUTS][[row]].tolist()},
                    "targets": {"values": model.targets["targets"][[row]].tolist()},
                },
            }
        )
        loss, found = one.value_and_grad()
        losses.append(loss)
        for name in summed:
            summed[name] += found[name] / 7
    assert together == pytest.approx(np.mean(losses), rel=1e-14)
    for name, gradient in summed.items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=1e-12, atol=1e-16)


def test_replicas_equal_single_runs(rng: np.random.Generator) -> None:
    """Copies of the inputs and of every parameter at once give what each copy gives alone."""
    model = model_of(RESIDUAL)
    copies = {
        name: value + 0.1 * rng.standard_normal((3, *value.shape))
        for name, value in {**model.parameters, **model.inputs}.items()
    }
    inputs = copies.pop(INPUTS)
    values, gradients = model.value_and_grad_at(copies, inputs)
    for copy in range(3):
        alone, single = model.value_and_grad_at(
            {name: value[copy] for name, value in copies.items()}, inputs[copy]
        )
        assert values[copy] == pytest.approx(float(alone), rel=1e-14)
        for name, gradient in single.items():
            np.testing.assert_allclose(gradients[name][copy], gradient, rtol=1e-11, atol=1e-15)


def test_forward_and_reverse_mode_agree(rng: np.random.Generator) -> None:
    model = model_of(RESIDUAL)
    v = directions(model, rng)
    u = rng.standard_normal((7, 3))
    jv, vj = model.jvp(v), model.vjp(u)
    assert isinstance(jv, np.ndarray)
    along = sum(float(np.sum(v[name] * vj[name])) for name in v)
    assert float(np.sum(u * jv)) == pytest.approx(along, rel=1e-12)


def test_hessian_is_symmetric_and_is_the_derivative_of_the_gradient(
    rng: np.random.Generator,
) -> None:
    model = model_of(RESIDUAL)
    v, w = directions(model, rng), directions(model, rng)
    hv, hw = model.hvp(v), model.hvp(w)
    left = sum(float(np.sum(w[name] * hv[name])) for name in v)
    right = sum(float(np.sum(v[name] * hw[name])) for name in v)
    assert left == pytest.approx(right, rel=1e-10)

    h = 1e-5
    slopes = []
    for sign in (1, -1):
        moved = {name: value + sign * h * v[name] for name, value in model.parameters.items()}
        _, gradients = model.value_and_grad_at(moved, model.inputs[INPUTS] + sign * h * v[INPUTS])
        slopes.append(gradients)
    for name, product in hv.items():
        difference = (slopes[0][name] - slopes[1][name]) / (2 * h)
        np.testing.assert_allclose(product, difference, rtol=1e-6, atol=1e-8)


def test_each_parameter_has_a_draw_of_its_own() -> None:
    """Changing one layer leaves the other layers' weights as they were."""
    narrow = model_of({**RESIDUAL, "network": [{"dense": 6}, {"dense": {"units": 2}}]})
    wide = model_of({**RESIDUAL, "network": [{"dense": 6}, {"dense": {"units": 3}}]})
    name = "dense_1.weight"
    np.testing.assert_array_equal(narrow.parameters[name], wide.parameters[name])
    other = gradcli.load({**RESIDUAL, "network": [{"dense": 6}, {"dense": 3}]}, seed=1)
    assert not np.array_equal(other.parameters[name], wide.parameters[name])


def test_float32_stays_float32() -> None:
    model = model_of(RESIDUAL, dtype="float32")
    _, gradients = model.value_and_grad()
    assert {value.dtype for value in model.parameters.values()} == {np.dtype(np.float32)}
    assert {gradient.dtype for gradient in gradients.values()} == {np.dtype(np.float32)}
    assert model.forward().slots[-1].dtype == np.float32


@pytest.mark.parametrize("method", ["jvp", "hvp"])
def test_directions_of_the_wrong_shape_are_refused(method: str) -> None:
    model = model_of(RESIDUAL)
    with pytest.raises(ValueError, match="directions are by name"):
        getattr(model, method)({"dense_1.weight": np.zeros(3)})


def test_cotangents_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="cotangents are by output"):
        model_of(RESIDUAL).vjp(np.zeros((7, 4)))
