"""Runs that stop, are kept, and go on; and those that cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.errors import UsageError

SPEC: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [32, 4], "distribution": "normal"}, "targets": "auto"},
    "network": [{"dense": 8}, "tanh", {"dense": 2}],
    "loss": "mse",
    "train": {"batch": 8},
}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"optimizer": "momentum"}, {"optimizer": "lbfgs"}, "optimizer momentum, and this one lbf"),
        ({"optimizer": "adam"}, {"optimizer": "momentum"}, "optimizer adam, and this one momentum"),
        ({}, {"precision": "mixed"}, "precision float64, and this one mixed"),
        ({"precision": "mixed"}, {}, "precision mixed, and this one float64"),
        ({}, {"curriculum": "adaptive"}, "curriculum none, and this one adaptive"),
        ({"curriculum": "self_paced"}, {"curriculum": "adaptive"}, "curriculum self_paced, and"),
        ({"seed": 1}, {"seed": 2}, "seed 1, and this one 2"),
        ({}, {"batch": 4}, "batch 8, and this one 4"),
        ({"batch": "all"}, {}, "batch 32, and this one 8"),
        ({"accumulate": 2}, {}, "accumulate 2, and this one 1"),
    ],
    ids=str,
)
def test_a_run_of_another_kind_is_not_gone_on_with(
    before: dict[str, Any], after: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """What an optimizer keeps is of no use to another, and would be taken for its own.

    Another seed or batch would go on with other examples than those whose turn it is.
    """
    file = tmp_path / "run.npz"
    gradcli.train(SPEC, steps=2, save_weights=file, **before)
    with pytest.raises(UsageError, match=said):
        gradcli.train(SPEC, steps=4, resume=file, **after)
    assert gradcli.train(SPEC, steps=4, resume=file, lr=0.1, **before).results[0].started == 2


def test_another_weighting_or_number_of_examples_is_another_run(tmp_path: Path) -> None:
    file = tmp_path / "run.npz"

    def heads(weighting: str) -> dict[str, Any]:
        one = {"heads": {"a": [{"dense": 1}], "b": [{"dense": 1}]}, "trunk": [{"dense": 4}]}
        tasks = {"weighting": weighting, "tasks": {"a": "mse", "b": "mse"}}
        targets = {"a": "auto", "b": "auto"}
        data = {**SPEC["data"], "targets": targets}
        return {**SPEC, "data": data, "network": one, "loss": {"multi_task": tasks}}

    gradcli.train(heads("dynamic"), steps=2, save_weights=file)
    with pytest.raises(UsageError, match="weighting dynamic, and this one gradnorm"):
        gradcli.train(heads("gradnorm"), steps=4, resume=file)
    gradcli.train(SPEC, steps=2, save_weights=file, curriculum="adaptive")
    more = {**SPEC, "data": {**SPEC["data"], "inputs": {"shape": [40, 4]}}}
    with pytest.raises(UsageError, match="examples 32, and this one 40"):
        gradcli.train(more, steps=4, resume=file, curriculum="adaptive")


@pytest.mark.parametrize("place", ["missing/run.npz", "run.txt", "folder.npz"])
def test_where_a_run_cannot_be_kept_is_said_before_it(place: str, tmp_path: Path) -> None:
    (tmp_path / "folder.npz").mkdir()
    done: list[Any] = []
    with pytest.raises(UsageError, match=r"cannot be written|an \.npz file"):
        gradcli.train(SPEC, steps=2, save_weights=tmp_path / place, on_step=done.append)
    assert not done


def test_a_kept_run_without_its_settings_is_not_guessed(tmp_path: Path) -> None:
    file = tmp_path / "run.npz"
    gradcli.train(SPEC, steps=2, save_weights=file)
    with np.load(file) as kept:
        bare = {name: kept[name] for name in kept.files if "setting" not in name}
    np.savez(file, **bare)
    with pytest.raises(UsageError, match="optimizer unknown"):
        gradcli.train(SPEC, steps=4, resume=file)
