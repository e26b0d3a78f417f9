"""The encoder: valid JSON whatever the numbers are."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from gradcli.errors import ExitCode
from gradcli.report.json import encode, jsonable


def reject(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (np.float64("nan"), "nan"),
        (np.float32("-inf"), "-inf"),
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (True, True),
        (None, None),
        (10**40, 10**40),
        (ExitCode.WRONG, 1),
        ((1, (2.5,)), [1, [2.5]]),
        (np.array([[1.0, np.inf]]), [[1.0, "inf"]]),
        ({"a": {3: math.nan}}, {"a": {"3": "nan"}}),
        ("é\x1b\udc80", "é\x1b\udc80"),
        (-0.0, -0.0),
        (5e-324, 5e-324),
    ],
)
def test_values_survive(value: object, expected: object) -> None:
    text = encode({"value": value})
    assert text.isascii()
    assert json.loads(text, parse_constant=reject)["value"] == expected


def test_a_bool_stays_a_bool() -> None:
    assert jsonable(np.bool_(False)) is False
    assert jsonable(True) is True


def test_what_json_lacks_is_refused() -> None:
    with pytest.raises(TypeError, match="complex"):
        encode({"value": 1j})
    with pytest.raises(TypeError, match="set"):
        encode({"value": {1}})


def test_keys_keep_their_order_and_the_bytes_are_stable() -> None:
    document = {"b": 1, "a": [0.1, 1e-300], "c": {}}
    assert encode(document) == encode(json.loads(encode(document)))
    assert list(json.loads(encode(document))) == ["b", "a", "c"]
    assert encode(document).endswith("}\n")
