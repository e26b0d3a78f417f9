"""Runs equal PyTorch's, step for step, from the same weights and on the same batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli.ops  # noqa: F401 - registers the catalogue
from gradcli.analysis.training import train_options, train_plan
from gradcli.analysis.training.batches import Batches
from gradcli.engine.model import INPUTS, Model
from gradcli.sources import plan_of

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.torch

STEPS = 40
SPEC: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [48, 6]}, "targets": "auto"},
    "network": [{"dense": 8}, "tanh", {"dense": 4}],
    "loss": {"sum": ["cross_entropy", {"l2": {"weight": 1e-3}}]},
}
Schedule = Callable[[Any], Any]

OPTIMIZERS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "sgd": ("sgd", lambda p: torch.optim.SGD(p, lr=0.1)),
    "sgd decayed": (
        {"sgd": {"weight_decay": 0.02}},
        lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.02),
    ),
    "momentum": ("momentum", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    "nesterov": (
        {"momentum": {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01}},
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.01),
    ),
    "adam": ("adam", lambda p: torch.optim.Adam(p, lr=0.1)),
    "adam decayed": (
        {"adam": {"beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "weight_decay": 0.1}},
        lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    ),
    "adamw": ("adamw", lambda p: torch.optim.AdamW(p, lr=0.1)),
    "lbfgs": (
        {"lbfgs": {"history": 5}},
        lambda p: torch.optim.LBFGS(
            p, lr=0.1, max_iter=1, history_size=5, tolerance_grad=0, tolerance_change=0
        ),
    ),
}


def losses(spec: dict[str, Any], **options: Any) -> list[float]:
    plan = plan_of(spec, {}, False, 1 << 30, whole_data=True)
    report = train_plan(plan, train_options({"steps": STEPS, "lr": 0.1, **options}))
    return [step.loss for step in report.results[0].steps]


def torch_losses(
    spec: dict[str, Any],
    make: Callable[[Any], Any],
    batch: int | None,
    *,
    schedule: Schedule | None = None,
    before_step: Callable[[Any], Any] | None = None,
) -> list[float]:
    plan = plan_of(spec, {}, False, 1 << 30, whole_data=True)
    model = Model(plan)
    batches = Batches(model, batch, plan.seed)
    tensors = {
        name: torch.tensor(value, requires_grad=True) for name, value in model.parameters.items()
    }
    x, y = torch.tensor(model.inputs[INPUTS]), torch.tensor(model.targets["targets"])
    optimizer = make(list(tensors.values()))
    changing = None if schedule is None else schedule(optimizer)
    found = []
    for number in range(STEPS):
        rows = torch.tensor(batches.at(number))

        def closure(rows: Any = rows) -> Any:
            optimizer.zero_grad()
            hidden = torch.tanh(
                torch.nn.functional.linear(
                    x[rows], tensors["dense_1.weight"], tensors["dense_1.bias"]
                )
            )
            out = torch.nn.functional.linear(
                hidden, tensors["dense_2.weight"], tensors["dense_2.bias"]
            )
            loss = torch.nn.functional.cross_entropy(out, y[rows])
            for name in ("dense_1.weight", "dense_2.weight"):
                loss = loss + 1e-3 * (tensors[name] ** 2).sum()
            loss.backward()
            if before_step is not None:
                before_step(list(tensors.values()))
            return loss.detach()

        found.append(float(optimizer.step(closure)))
        if changing is not None:
            changing.step()
    return found


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_losses_are_pytorchs_step_for_step(name: str) -> None:
    optimizer, make = OPTIMIZERS[name]
    batch = None if name == "lbfgs" else 16
    ours = losses(SPEC, optimizer=optimizer, batch=batch or "all")
    theirs = torch_losses(SPEC, make, batch)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    assert abs(ours[-1] - ours[0]) > 1e-3  # it has moved


SCHEDULES: dict[str, tuple[Any, Schedule]] = {
    "cosine": (
        {"cosine": {"end": 0.1}},
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.01),
    ),
    "linear": (
        "linear",
        lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, total_iters=STEPS),
    ),
    "exponential": (
        {"exponential": {"end": 0.01}},
        lambda o: torch.optim.lr_scheduler.ExponentialLR(o, gamma=0.01 ** (1 / STEPS)),
    ),
    "step": (
        {"step": {"every": 10, "factor": 0.5}},
        lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=10, gamma=0.5),
    ),
    "warm_up": (
        {"warm_up": {"steps": 10}},
        lambda o: torch.optim.lr_scheduler.LinearLR(o, 0.1, 1.0, total_iters=9),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_pytorchs(name: str) -> None:
    schedule, make = SCHEDULES[name]
    ours = losses(SPEC, optimizer="momentum", batch=16, schedule=schedule)
    theirs = torch_losses(SPEC, OPTIMIZERS["momentum"][1], 16, schedule=make)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


@pytest.mark.parametrize(
    ("clip", "cut"),
    [
        ({"norm": 0.05}, lambda p: torch.nn.utils.clip_grad_norm_(p, 0.05)),
        ({"value": 0.01}, lambda p: torch.nn.utils.clip_grad_value_(p, 0.01)),
    ],
)
def test_clipping_is_pytorchs(clip: dict[str, float], cut: Callable[[Any], Any]) -> None:
    """PyTorch adds 1e-6 to the norm that it divides by, which is what the tolerance is for."""
    ours = losses(SPEC, optimizer="sgd", batch=16, clip=clip)
    theirs = torch_losses(SPEC, OPTIMIZERS["sgd"][1], 16, before_step=cut)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5 if "norm" in clip else 1e-8)
