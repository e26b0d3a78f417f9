"""Consistency under noise: the batch runs beside a noisy copy, and all else sees it as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.core.copies import CHANGE, CLEAN, NOISY_COPY
from gradcli.core.op import Op
from gradcli.errors import SpecError
from gradcli.testing import LAWS, cases

NOISE = "loss.noisy_copy.noise"
TERM = {"consistency": {"weight": 0.5, "noise": 0.3}}
NETWORKS: dict[str, tuple[list[int], list[Any]]] = {
    "none": ([6, 3], []),
    "mlp": ([6, 4], [{"dense": 5}, "relu", {"dense": 3}]),
    "batch norm": ([6, 4], [{"dense": 5}, "batch_norm", "tanh", {"dense": 3}]),
    "dropout": ([6, 4], [{"dense": 5}, {"dropout": 0.4}, "tanh", {"dense": 3}]),
    "residual": ([6, 4], [{"dense": 4}, {"residual": [{"dense": 4}, "tanh"]}, {"dense": 3}]),
    "sequences": ([4, 3, 4], [{"rnn": 5}, {"dense": 3}]),
}


def spec(called: str, *more: Any, **rest: Any) -> dict[str, Any]:
    shape, layers = NETWORKS[called]
    written: dict[str, Any] = {
        "gradcli": 1,
        "data": {"inputs": {"shape": shape}, "targets": "auto"},
        "network": layers,
        "loss": {"sum": ["cross_entropy", *more]},
        **rest,
    }
    if not layers:
        del written["network"]
    return written


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("network", NETWORKS)
def test_check_passes(network: str, dtype: str) -> None:
    for seed in range(3):
        report = gradcli.check(spec(network, TERM, dtype=dtype), seed=seed)
        assert report.verdict == "pass", report
        assert not [found for found in report.findings if found.severity == "error"]


@pytest.mark.parametrize("network", ["none", "mlp", "residual", "sequences"])
def test_it_adds_the_mean_square_of_what_the_noise_changes(network: str) -> None:
    plain, noisy = gradcli.load(spec(network)), gradcli.load(spec(network, TERM))
    x = plain.inputs["inputs"]
    np.testing.assert_array_equal(noisy.inputs["inputs"], x)
    assert list(noisy.parameters) == list(plain.parameters)
    here, there = (
        plain.forward(inputs=inputs).slots[-1] for inputs in (x, x + 0.3 * noisy.buffers[NOISE])
    )
    change = ((here - there) ** 2).sum(axis=-1).mean()
    assert change > 0
    assert noisy.loss() == pytest.approx(plain.loss() + 0.5 * change, rel=1e-14)


def test_outputs_are_those_of_the_batch_as_it_is() -> None:
    plain, noisy = gradcli.load(spec("mlp")), gradcli.load(spec("mlp", TERM))
    v = {"inputs": np.ones((6, 4))}
    np.testing.assert_allclose(noisy.jvp(v), plain.jvp(v), rtol=0, atol=1e-15)
    u = np.ones((6, 3))
    for name, cotangent in plain.vjp(u).items():
        np.testing.assert_allclose(noisy.vjp(u)[name], cotangent, rtol=0, atol=1e-14)


def test_the_noise_is_drawn_once_from_the_seed() -> None:
    first, again, other = (gradcli.load(spec("mlp", TERM), seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.buffers[NOISE], again.buffers[NOISE])
    assert (first.buffers[NOISE] != other.buffers[NOISE]).all()
    assert first.loss() == first.loss() == again.loss()


def test_batch_statistics_are_those_of_both_halves() -> None:
    """So the copy moves the loss even where its weight is zero."""
    still = {"consistency": {"weight": 0.0, "noise": 0.3}}
    assert gradcli.load(spec("mlp", still)).loss() == gradcli.load(spec("mlp")).loss()
    normal = gradcli.load(spec("batch norm")).loss()
    assert gradcli.load(spec("batch norm", still)).loss() != normal


@pytest.mark.torch
def test_gradients_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    model = gradcli.load(spec("mlp", TERM))
    tensors = {
        name: torch.tensor(value, requires_grad=True)
        for name, value in {**model.parameters, **model.inputs}.items()
    }

    def outputs(x: Any) -> Any:
        for name in ("dense_1", "dense_2"):
            weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
            x = torch.nn.functional.linear(torch.relu(x) if name == "dense_2" else x, weight, bias)
        return x

    x = tensors["inputs"]
    clean, noisy = outputs(x), outputs(x + 0.3 * torch.from_numpy(model.buffers[NOISE]))
    loss = torch.nn.functional.cross_entropy(clean, torch.from_numpy(model.targets["targets"]))
    loss = loss + 0.5 * (clean - noisy).square().sum(-1).mean()
    loss.backward()
    value, gradients = model.value_and_grad()
    assert value == pytest.approx(loss.item(), rel=1e-14)
    for name, tensor in tensors.items():
        np.testing.assert_allclose(gradients[name], tensor.grad.numpy(), rtol=0, atol=1e-14)


def test_a_second_copy_is_refused() -> None:
    with pytest.raises(SpecError, match="consistency stands once") as caught:
        gradcli.load(spec("mlp", TERM, TERM))
    assert caught.value.errors[0].code == "SP011"


def test_heads_have_no_copy() -> None:
    heads = {"trunk": [{"dense": 4}], "heads": {"a": [{"dense": 1}], "b": [{"dense": 1}]}}
    tasks = {"multi_task": {"tasks": {"a": "mse", "b": "mse"}}}
    written = spec("mlp", network=heads, loss={"sum": [tasks, TERM]})
    with pytest.raises(SpecError, match="consistency reads one output") as caught:
        gradcli.load(written)
    assert [problem.code for problem in caught.value.errors] == ["SP009"]


def test_smells_show_through_the_copy() -> None:
    network = [{"dense": 5}, "tanh", {"dense": 3}, "softmax"]
    report = gradcli.check(spec("mlp", TERM, network=network))
    found = [(each.code, each.where) for each in report.findings if each.severity == "warning"]
    assert found == [("SP101", "softmax_1")]
    assert not [each for each in gradcli.check(spec("none", TERM)).findings if each.code == "SP104"]


def test_flow_sees_the_same_layers() -> None:
    plain, noisy = (gradcli.flow(spec("mlp", *more), seeds=1) for more in ([], [TERM]))
    names = [[layer.name for layer in report.results[0].layers] for report in (plain, noisy)]
    assert names[0] == names[1] == ["dense_1"]


INSTANCES = [(case, law) for op in (NOISY_COPY, CLEAN, CHANGE) for case in cases(op) for law in
             LAWS.values() if law.applies(case)]  # fmt: skip
# What they give is not of the shape of what they get, and rows that change places count as coupled.
APART: dict[str, tuple[Op, ...]] = {
    "expectation": (NOISY_COPY, CLEAN, CHANGE),
    "coupling": (CLEAN, CHANGE),
}


@pytest.mark.parametrize(
    ("case", "law"),
    [(case, law) for case, law in INSTANCES if case.op not in APART.get(law.name, ())],
    ids=lambda each: str(getattr(each, "name", each)),
)
def test_the_layers_of_a_copy_keep_the_laws(case: Any, law: Any) -> None:
    law.check(case)
