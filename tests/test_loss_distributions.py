"""Losses of distributions, compared: entropy, divergence, surprise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from loss_reports import only

import gradcli

TARGETS, PREDICTED = (0.7, 0.2, 0.1), (0.5, 0.3, 0.2)
ENTROPY = -sum(y * math.log(y) for y in TARGETS)
CROSS = -sum(y * math.log(q) for y, q in zip(TARGETS, PREDICTED, strict=True))


@pytest.mark.parametrize(
    ("given", "loss"),
    [
        ({"predictions": PREDICTED}, CROSS),
        ({"logits": [math.log(q) + 3 for q in PREDICTED]}, CROSS),
    ],
)
@pytest.mark.parametrize("name", ["cross_entropy", "kl_divergence"])
def test_two_distributions(name: str, given: dict[str, Any], loss: float) -> None:
    found = only(gradcli.loss(name, targets=TARGETS, **given)).comparison
    assert found is not None
    assert found.entropy == pytest.approx(ENTROPY)
    assert found.cross_entropy == pytest.approx(CROSS)
    assert found.divergence == pytest.approx(CROSS - ENTROPY)
    assert found.loss == pytest.approx(loss if name == "cross_entropy" else CROSS - ENTROPY)
    gradients = [share.gradient for share in found.classes]
    expected = np.subtract(PREDICTED, TARGETS) if name == "cross_entropy" else -np.array(TARGETS)
    np.testing.assert_allclose(gradients, expected)


def test_a_temperature_divides_the_logits() -> None:
    logits = [2.0, 0.0, -2.0]
    found = only(
        gradcli.loss("cross_entropy:temperature=2", targets=TARGETS, logits=logits)
    ).comparison
    assert found is not None
    e = np.exp(np.array(logits) / 2)
    np.testing.assert_allclose([share.predicted for share in found.classes], e / e.sum())
    assert found.loss == pytest.approx(found.cross_entropy)


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_one_chance_of_an_event(kind: str) -> None:
    found = only(
        gradcli.loss(
            "binary_cross_entropy", params={"input": kind}, targets=[0.3], predictions=[0.6]
        )
    ).comparison
    assert found is not None
    cross = -0.3 * math.log(0.6) - 0.7 * math.log(0.4)
    assert found.cross_entropy == pytest.approx(cross)
    assert found.loss == pytest.approx(cross)
    slope = 0.6 - 0.3 if kind == "logits" else (0.6 - 0.3) / (0.6 * 0.4)
    assert found.classes[1].gradient == pytest.approx(slope)


def test_what_is_deemed_impossible_costs_infinity_if_it_happens() -> None:
    found = only(
        gradcli.loss("cross_entropy", targets=(0.5, 0.5, 0.0), predictions=(1.0, 0.0, 0.0))
    ).comparison
    assert found is not None
    assert found.cross_entropy == found.divergence == found.loss == math.inf
    never = only(
        gradcli.loss("cross_entropy", targets=(0.5, 0.5, 0.0), predictions=(0.5, 0.5, 0.0))
    ).comparison
    assert never is not None
    assert never.divergence == pytest.approx(0.0)
    assert never.loss == pytest.approx(math.log(2))


@pytest.mark.torch
def test_distributions_equal_pytorch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    y, z = rng.dirichlet(np.ones(5)), rng.standard_normal(5)
    options = {"label_smoothing": 0.1}
    found = only(gradcli.loss("cross_entropy", params=options, targets=y, logits=z)).comparison
    assert found is not None
    p = torch.tensor(z[None], requires_grad=True)
    loss = torch.nn.functional.cross_entropy(p, torch.tensor(y[None]), label_smoothing=0.1)
    loss.backward()
    assert found.loss == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose([s.gradient for s in found.classes], p.grad[0].numpy(), rtol=1e-9)
    log_q = torch.log_softmax(torch.tensor(z), 0)
    divergence = torch.nn.functional.kl_div(log_q, torch.tensor(y), reduction="sum")
    assert found.divergence == pytest.approx(divergence.item(), rel=1e-12)
