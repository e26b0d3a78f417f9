"""Targets by what a loss reads: drawn so, taken so, and refused in words where they do not suit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.core.op import Loss
from gradcli.core.registry import CATALOGUE
from gradcli.engine.model import Model
from gradcli.errors import SpecError
from gradcli.spec import load_text
from gradcli.spec.plan import Plan
from gradcli.testing import Case, cases

LOSSES = [
    case for op in CATALOGUE.all(Loss) for case in cases(op) if op.reads_at(case.options) != "none"
]
BY_DRAWING = {
    "numbers": lambda y: np.unique(y).size == y.size,
    "events": lambda y: set(np.unique(y)) == {0.0, 1.0},
    "binary": lambda y: set(np.unique(y)) == {0.0, 1.0},
    "signs": lambda y: set(np.unique(y)) == {-1.0, 1.0},
    "labels": lambda y: set(np.unique(y)) == {0, 1, 2, 3},
    "classes": lambda y: set(np.unique(y)) == {0, 1, 2, 3},
    "probabilities": lambda y: np.allclose(y.sum(axis=-1), 1) and (y > 0).all(),
}


def plan_of(loss: str, shape: list[int], targets: str = "auto", seed: int = 0) -> Plan:
    data = f"{{inputs: {{shape: {shape}}}, targets: {targets}}}"
    text = f"gradcli: 1\nseed: {seed}\ndata: {data}\nloss: {loss}\n"
    return load_text(text, "spec.yaml")


def targets_of(plan: Plan) -> np.ndarray:
    return Model(plan).targets["targets"]


@pytest.mark.parametrize("case", LOSSES, ids=str)
def test_drawn_as_each_loss_reads_them(case: Case) -> None:
    assert isinstance(case.op, Loss)
    reads = case.op.reads_at(case.options)
    loss = str({case.op.name: case.options}).replace("None", "null").replace("True", "true")
    drawn = targets_of(plan_of(loss.replace("False", "false"), [24, 4]))
    assert BY_DRAWING[reads](drawn)
    assert drawn.dtype == (np.int64 if reads in ("labels", "classes") else np.float64)


GOOD: dict[str, tuple[str, list[int], str, Any]] = {
    "signs": ("hinge", [2, 2], "[[-1, 1], [1, 1]]", [[-1.0, 1.0], [1.0, 1.0]]),
    "events": ("focal", [2, 1], "[0, 1]", [[0.0], [1.0]]),
    "labels": ("nll", [2, 3], "[2, 0]", [2, 0]),
    "labels-of-sequences": ("nll", [1, 2, 3], "[[2, 0]]", [[2, 0]]),
    "probabilities": ("kl_divergence", [1, 2], "[[0.25, 0.75]]", [[0.25, 0.75]]),
    "one-a-pair": ("contrastive", [4, 3], "[0, 1]", [0.0, 1.0]),
    "one-a-pair-of-sequences": ("contrastive", [2, 4, 3], "[0, 1, 1, 0]", [0.0, 1.0, 1.0, 0.0]),
}


@pytest.mark.parametrize("name", GOOD)
def test_taken_as_written(name: str) -> None:
    loss, shape, text, expected = GOOD[name]
    found = targets_of(plan_of(loss, shape, f"{{values: {text}}}"))
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.asarray(expected).dtype


# Each row: loss, shape of the predictions, targets as written; code, and what the message and the
# hint say.
MISTAKES: dict[str, tuple[str, list[int], str, str, str, str]] = {
    "no-sign": ("hinge", [1, 2], "[[0, 1]]", "SP015", "target 0", "-1 or 1"),
    "event-between": ("focal", [1, 2], "[[0.5, 1]]", "SP015", "target 0.5", "0 or 1"),
    "pair-between": ("contrastive", [2, 3], "[0.5]", "SP015", "target 0.5", "0 or 1"),
    "one-a-row": (
        "contrastive", [4, 3], "[0, 1, 0, 1]", "SP012", "[4]", "expects [2], one for every 2 rows",
    ),
    "label-too-large": ("nll", [2, 3], "[0, 3]", "SP015", "label 3", "from 0 to 2"),
    "probabilities-for-labels": ("nll", [1, 2], "[[0.5, 0.5]]", "SP012", "[1, 2]", "expects [1]"),
    "labels-for-probabilities": (
        "kl_divergence", [2, 3], "[0, 1]", "SP012", "[2]", "expects [2, 3]",
    ),
    "no-distribution": (
        "kl_divergence", [1, 2], "[[0.5, 0.4]]", "SP015", "sum to 0.9", "sum of 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_refused_in_words(name: str) -> None:
    loss, shape, text, code, message, hint = MISTAKES[name]
    with pytest.raises(SpecError) as caught:
        plan_of(loss, shape, f"{{values: {text}}}")
    (problem,) = caught.value.errors
    assert (problem.code, problem.key) == (code, "data.targets.values")
    assert problem.line == 3
    assert problem.source_line[problem.column - 1 :].startswith(text)
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("losses", "fits"),
    [
        ("[cross_entropy, nll]", True),
        ("[binary_cross_entropy, focal]", True),
        ("[mse, hinge]", False),
        ("[cross_entropy, kl_divergence]", False),
    ],
)
def test_drawn_for_several_losses_only_where_they_agree(losses: str, fits: bool) -> None:
    if fits:
        plan_of(f"{{sum: {losses}}}", [6, 3])
        return
    with pytest.raises(SpecError, match="do not suit"):
        plan_of(f"{{sum: {losses}}}", [6, 3])


@pytest.mark.parametrize(
    ("loss", "rows", "hint"),
    [
        ("contrastive", 7, "a multiple of 2, such as 6"),
        ("triplet", 7, "a multiple of 3, such as 6"),
        ("triplet", 2, "a multiple of 3, such as 3"),
    ],
)
def test_rows_that_belong_together_come_by_the_group(loss: str, rows: int, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        plan_of(loss, [rows, 3])
    (problem,) = caught.value.errors
    assert (problem.code, problem.key, problem.line) == ("SP012", "loss", 4)
    assert hint in problem.hint


def test_targets_that_nothing_reads_are_refused() -> None:
    with pytest.raises(SpecError, match="triplet reads no targets") as caught:
        plan_of("triplet", [6, 2], "{values: [0, 0, 1, 1, 2, 2]}")
    (problem,) = caught.value.errors
    assert (problem.code, problem.key) == ("SP015", "data.targets.values")
    assert "options with which it reads some" in problem.hint


def test_triples_need_no_targets() -> None:
    plan = load_text("gradcli: 1\ndata: {inputs: {shape: [6, 2]}}\nloss: triplet\n", "spec.yaml")
    assert not plan.targets
