"""Every op of the catalogue, at every point of its sweep, keeps every law. No op is named here."""

from __future__ import annotations

import pytest

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.core.op import Activation, Initializer, Layer, Loss, Macro, Term, Weighting
from gradcli.core.registry import CATALOGUE
from gradcli.core.traits import NOT_STATED
from gradcli.testing import LAWS, Case, Law, cases

CASES = [case for op in CATALOGUE for case in cases(op)]
INSTANCES = [(case, law) for case in CASES for law in LAWS.values() if law.applies(case)]


@pytest.mark.parametrize(
    ("case", "law"), INSTANCES, ids=[f"{case.op.kind}-{case}-{law.name}" for case, law in INSTANCES]
)
def test_law(case: Case, law: Law) -> None:
    law.check(case)


@pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.name)
def test_every_law_is_about_something(law: Law) -> None:
    assert any(instance is law for _, instance in INSTANCES)


@pytest.mark.parametrize("kind", [Activation, Initializer, Layer, Loss, Macro, Term, Weighting])
def test_every_kind_of_op_is_tried(kind: type) -> None:
    assert any(isinstance(case.op, kind) for case in CASES)


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.op.kind == "loss" and isinstance(case.op, Loss)],
    ids=str,
)
def test_every_trait_of_a_loss_is_stated_and_checked(case: Case) -> None:
    traits = case.op.traits_at(case.options)
    assert traits is not None
    assert NOT_STATED not in vars(traits).values()
    checked = {law.about for law in LAWS.values() if law.applies(case)} - {None}
    assert checked == set(vars(traits)) - {"measure"}  # it says what `kinks` are values of


@pytest.mark.parametrize("op", CATALOGUE.all(Activation), ids=lambda op: op.name)
def test_auto_draws_a_known_initializer_before_each_activation(op: Activation) -> None:
    found = CATALOGUE.find(op.init, Initializer)
    assert found is not None
    assert not found.resolves
