"""A fixed set of random networks: none that is right fails, and no mistake goes unnoticed.

`python tests/random_networks.py` does the same with a thousand, and prints the numbers.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import random_networks as random

import gradcli
from gradcli.analysis.gradcheck.check import check_plan
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.self_test_network import NetworkSelfTest
from gradcli.analysis.gradcheck.tensors import NetworkTensors

NUMBERS = range(40)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_right_network_passes_and_a_wrong_one_does_not(number: int) -> None:
    rng = np.random.default_rng([1, number])
    outcome = random.check(random.draw(rng), rng)
    assert outcome.result.verdict == "pass", outcome
    assert outcome.mutant is None or outcome.mutant.fate in ("caught", "without effect"), outcome


def test_the_drawing_covers_the_catalogue() -> None:
    """Whatever is defined next is drawn as well, with no list to keep."""
    rng = np.random.default_rng(2)
    used: set[str] = set()
    for _ in range(400):
        used.update(random.ops_in(random.Draw(rng).spec()))
    assert random.drawable() <= used, random.drawable() - used


def test_the_same_number_is_the_same_network() -> None:
    one, other = (random.draw(np.random.default_rng([3, 7])).spec for _ in range(2))
    assert json.dumps(one) == json.dumps(other)


@pytest.mark.parametrize("number", range(6))
def test_the_self_test_tells_what_the_check_itself_says(number: int) -> None:
    """Its short cuts (a shared truth, tensors examined until one fails) change no outcome."""
    rng = np.random.default_rng([4, number])
    model = random.draw(rng).model
    options = CheckOptions(seed=model.plan.seed)
    (result,) = gradcli.check(model).results
    assert result.verdict == "pass"
    network = NetworkTensors(model, options)
    tests = NetworkSelfTest(network, {t.name: t for t in result.tensors}, result.required)
    plantings = list(tests.plantings())
    for at in rng.integers(len(plantings), size=4):
        planting = plantings[int(at)]
        fate = tests.tried(planting).fate
        plan = planting.part.network_with(model.plan, planting.op)
        wrong = check_plan(plan, options, model=model.with_plan(plan))
        noticed = [f for f in wrong.findings if f.severity != "note" and f.code[:3] == "GC1"]
        told = wrong.verdict == "fail" or bool(noticed)
        assert told == (fate == "caught"), (planting.mistake.kind, planting.part.name, wrong)
