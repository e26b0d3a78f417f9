"""YAML as YAML 1.2 reads it, with places and key paths kept."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradcli.errors import SpecError
from gradcli.spec.nodes import Node, Place, from_python
from gradcli.spec.problems import Problems
from gradcli.spec.scalars import resolve
from gradcli.spec.yaml_nodes import decode, parse


def read(text: str) -> Node:
    problems = Problems("spec.yaml", text)
    root = parse(text, problems)
    problems.raise_any()
    assert root is not None
    return root


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-12", -12), ("+3", 3), ("007", 7), ("0o17", 15), ("0x1F", 31),
        ("1e-3", 1e-3), ("1.", 1.0), (".5", 0.5), ("-1.5E+3", -1500.0), ("1e400", math.inf),
        (".inf", math.inf), ("-.INF", -math.inf), ("+.Inf", math.inf),
        ("true", True), ("False", False), ("TRUE", True),
        ("", None), ("~", None), ("null", None), ("NULL", None),
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("y", "y"), ("nan", "nan"), ("inf", "inf"),
        ("1_000", "1_000"), ("1:30", "1:30"), ("0b1", "0b1"), ("1e", "1e"), ("2024-01-01",) * 2,
        (".", "."), ("-", "-"), ("e5", "e5"), ("１", "１"), ("0o8", "0o8"), ("tRue", "tRue"),
    ],
)  # fmt: skip
def test_plain_scalars_of_the_core_schema(text: str, value: object) -> None:
    found = resolve(text)
    assert found == value
    assert isinstance(found, type(value))


def test_nan() -> None:
    found = resolve(".nan")
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize("text", ["9" * 30, "9" * 10_000, "0x" + "F" * 10_000, "-" + "9" * 400])
def test_whole_numbers_beyond_64_bits_are_floats(text: str) -> None:
    assert isinstance(resolve(text), float)


def test_quoted_scalars_are_words() -> None:
    root = read("a: '1'\nb: \"true\"\nc: |\n  2\n")
    assert root.plain() == {"a": "1", "b": "true", "c": "2\n"}


def test_places_and_paths() -> None:
    root = read("network:\n  - dense: {units: 16}\n  - 'tanh'\n")
    units = root.value["network"].value[0].value["dense"].value["units"]
    assert units.path == "network[0].dense.units"
    assert units.place == Place(2, 20, 2)
    assert units.key_place == Place(2, 13, 5)
    dense = root.value["network"].value[0].value["dense"]
    assert (dense.place, dense.key_place) == (Place(2, 12, 11), Place(2, 5, 5))
    assert root.value["network"].value[1].place == Place(3, 5, 6)


def test_columns_count_characters() -> None:
    root = read('{"ключ 🎉": é, b: 2}')
    assert root.value["b"].place == Place(1, 18, 1)


def test_aliases_stand_at_their_anchor_with_a_path_of_their_own() -> None:
    root = read("a: &x {b: [1]}\nc: *x\n")
    copy = root.value["c"].value["b"].value[0]
    assert copy.path == "c.b[0]"
    assert copy.place == Place(1, 12, 1)
    assert root.plain() == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_anchors_can_be_set_anew() -> None:
    assert read("a: &x 1\nb: &x 2\nc: *x\n").plain() == {"a": 1, "b": 2, "c": 2}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_mark(end: str) -> None:
    data = f"\ufeffgradcli: 1{end}seed: 2{end}".encode()
    root = read(decode(data, "spec.yaml"))
    assert root.plain() == {"gradcli": 1, "seed": 2}
    assert root.value["seed"].place == Place(2, 7, 1)


def test_aliases_may_expand_to_100_000_nodes_and_no_more() -> None:
    hundred = "h: &h [" + ", ".join(["1"] * 99) + "]\n"
    assert read(hundred + "n: [" + ", ".join(["*h"] * 1000) + "]").size > 100_000
    with pytest.raises(SpecError, match="100,000"):
        read(hundred + "n: [" + ", ".join(["*h"] * 1001) + "]")


def test_64_collections_may_be_nested_and_no_more() -> None:
    assert read("[" * 64 + "]" * 64).height == 64
    with pytest.raises(SpecError, match="64 nested"):
        read("[" * 65 + "]" * 65)
    with pytest.raises(SpecError, match="64 nested"):
        read("a: &x " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 30 + "*x" + "]" * 30)


def test_python_data_become_the_same_nodes() -> None:
    source = {"a": [1, {"b": (2.5, None, "no", True)}], "c": np.float32(0.5), "d": np.int64(3)}
    root = from_python(source)
    assert root.plain() == {
        "a": [1, {"b": [2.5, None, "no", True]}], "c": 0.5, "d": 3,
    }  # fmt: skip
    assert root.value["a"].value[1].value["b"].value[0].path == "a[1].b[0]"
    assert root.value["a"].place.line == 0


def test_python_data_that_no_spec_can_hold() -> None:
    endless: list[object] = []
    endless.append(endless)
    for value in (endless, object(), b"bytes", {1: 2}, 1j):
        with pytest.raises(ValueError, match=r"nested|hold|keys"):
            from_python({"a": value})
