"""`check_op`, for authors of ops: what it accepts, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.core.op import Activation, Loss, Op
from gradcli.core.registry import CATALOGUE
from gradcli.testing import LawBroken, cases, check_op


def original(name: str, kind: type[Op]) -> Any:
    op = CATALOGUE.find(name, kind)
    assert op is not None
    return op


def test_accepts_what_is_right() -> None:
    check_op("swish")
    check_op(original("mae", Loss))


def test_names_the_case_the_law_and_the_place() -> None:
    correct = original("huber", Loss)

    def huber(p: Any, y: Any, *, delta: float) -> Any:
        """A loss with its gradient doubled."""
        value, pull = correct.function(p, y, delta=delta)
        return value, lambda g: 2 * pull(g)

    with pytest.raises(LawBroken) as caught:
        check_op(correct.replace(function=huber))
    text = str(caught.value)
    assert "huber[delta=2.5] breaks 'central differences': pullback" in text
    assert ", target " in text
    assert "'formula'" not in text


def test_an_op_without_traits_is_held_to_everything_else() -> None:
    with pytest.raises(LawBroken) as caught:
        check_op(original("tanh", Activation).replace(traits=None))
    assert str(caught.value) == "tanh breaks 'documented': no traits are stated"


def test_says_where_an_op_raised() -> None:
    def tanh(x: Any) -> Any:
        """An activation that cannot be computed."""
        raise OSError("no such device")

    with pytest.raises(OSError, match="no such device") as caught:
        check_op(original("tanh", Activation).replace(function=tanh))
    assert any("while tanh was tried against" in note for note in caught.value.__notes__)


def test_knows_its_catalogue() -> None:
    with pytest.raises(ValueError, match="no op is called swosh"):
        check_op("swosh")


def test_a_required_parameter_needs_a_sweep() -> None:
    op = original("quantile", Loss)
    (tau,) = op.params
    with pytest.raises(ValueError, match="tau is required and states no sweep"):
        list(cases(op.replace(params=(type(tau)("tau"),))))
