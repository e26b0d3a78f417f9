"""Records: what a frozen dataclass does, for classes that cost nothing to define."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import cached_property
from typing import ClassVar

import pytest

from gradcli.core.record import Record


class Point(Record):
    """Two coordinates and what to call them."""

    kind: ClassVar[str] = "point"
    x: float
    y: float = 0.0
    label: Callable[[], str] = lambda: "nameless"

    @cached_property
    def norm(self) -> float:
        return abs(complex(self.x, self.y))


class Place(Point):
    z: float = 0.0


class Named(Record, kw_only=True):
    note: str = ""


class Owned(Named, kw_only=True):
    owner: str


def test_fields_are_given_in_order_or_by_name_and_default_to_what_they_are_set_to() -> None:
    point = Point(3.0, y=4.0)
    assert (point.x, point.y, point.kind, point.norm) == (3.0, 4.0, "point", 5.0)
    assert Point(1.0).label() == "nameless"  # a default is a value, never a method
    assert (Place(1.0, 2.0, str, 3.0).z, Place(1.0).z) == (3.0, 0.0)
    assert Owned(owner="me").note == ""


@pytest.mark.parametrize(
    "make",
    [
        lambda: Point(),
        lambda: Point(1.0, 2.0, str, 4.0),
        lambda: Point(1.0, x=2.0),
        lambda: Point(1.0, w=2.0),
        lambda: Point(1.0, kind="line"),
        lambda: Owned("me"),
        lambda: Owned(note="me"),
        lambda: Point(1.0).replace(w=2.0),
    ],
)
def test_anything_else_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=r"Point|Owned"):
        make()


def test_nothing_can_be_changed() -> None:
    point = Point(1.0)
    with pytest.raises(AttributeError, match="immutable"):
        point.x = 2.0  # type: ignore[misc]
    with pytest.raises(AttributeError, match="immutable"):
        del point.x
    assert point.replace(x=2.0).x == 2.0
    assert point.x == 1.0


def test_records_are_equal_by_class_and_fields() -> None:
    point = Point(3.0, 4.0)
    assert point.norm == 5.0
    assert point == Point(3.0, 4.0)  # what is cached does not count
    assert hash(point) == hash(Point(3.0, 4.0))
    assert point != Point(3.0)
    assert point != Place(3.0, 4.0)
    assert repr(Owned(owner="me")) == "Owned(note='', owner='me')"


def test_records_are_copied_and_pickled() -> None:
    point = Owned(note="a", owner="b")
    for again in (copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert again == point
        assert again is not point
