"""Specs at random: networks of the whole catalogue and instances of the schema, then mutated."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import random_networks
import yaml

from fuzzing.case import SPEC, Case, flip
from fuzzing.formulas import formula
from fuzzing.from_schema import drawn, schema

__all__ = ["BUDGET", "FILES", "HEADS", "MEMORY", "RICH", "draw", "spec_text", "texts"]

SPECS: Final = Path(__file__).parents[2] / "specs"

COMMANDS: Final = (
    "check",
    "check",
    "check",
    "check",
    "flow",
    "flow",
    "loss",
    "curvature",
    "graph",
    "train",
)
"""What reads specs, the check most often."""

MEMORY: Final = "64MiB"
"""What a spec may need: more is as right, and only takes longer."""

BUDGET: Final = "1e9"
"""Multiply-adds that a check may take, for the same reason."""

RICH: Final = """\
gradcli: 1
name: digits
seed: 3
dtype: float32
data: {file: data.npz, inputs: x, targets: y, batch: 8}
define:
  act:
    kind: activation
    params: {beta: 1.5}
    forward: x * sigmoid(beta * x)
    derivative: sigmoid(x)
    domain: {x: [-5, inf]}
    at: {x: [0, 1]}
  pin: {kind: loss, params: {tau: 0.9}, forward: "where(y >= p, y - p, tau)", gradient: -1}
  fn:
    kind: function
    inputs: {p: {shape: [6]}, y: {shape: [6], differentiable: false}, k: {values: [1], dtype: int}}
    forward: mean((y - p) ** 2) + sum(k)
    gradient: {p: g * 2 * (p - y)}
network:
  - dense: 6
  - act
  - &b {residual: [dense: {units: 6, init: {xavier_normal: {gain: 2}}, bias: false}, relu]}
  - *b
  - repeat: {times: 3, layers: [dense: 6, {leaky_relu: {alpha: 0.1}}]}
  - dense: {units: 10, name: head}
weights: weights.npz
loss: {sum: [cross_entropy: {label_smoothing: 0.1}, {l2: {weight: 1.0e-4}}]}
check: {require: good, entries: all, only: ["dense*"], allow-inconclusive: true}
expect: {check: GC102, flow: vanishing}
"""
HEADS: Final = """\
gradcli: 1
data: {file: data.npz, inputs: x, targets: {depth: x, label: y, event: auto}, batch: 8}
network:
  trunk: [dense: 6, {layer_norm: {eps: 1.0e-4}}, tanh, dropout: 0.2]
  heads:
    depth: [dense: 4]
    label: [dense: {units: 10, name: last}]
    event: [residual: [dense: 6, gelu], dense: 1]
loss:
  sum:
    - multi_task:
        weighting: uncertainty
        tasks:
          depth: {loss: {adaptive_robust: {learn: all}}, weight: 2}
          label: cross_entropy
          event: {loss: {binary_cross_entropy: {input: logits}}}
    - l1: 1.0e-4
"""
PYTHON: Final = """\
gradcli: 1
define:
  own:
    kind: function
    python: canary.py
    forward: forward
    backward: backward
    inputs: {x: {shape: [2]}}
  layered: {kind: layer, python: canary.py, class: Layer}
data: {inputs: {shape: [3, 2]}, targets: auto}
network: [layered, dense: 2]
loss: mse
"""
VALUES: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1, 7, 1e308, -1e300, 1e-320, float("nan"), float("inf"), 10**400, 1 << 63,
    "", " ", "x", "auto", "inf", "canary.py", "os", "/etc/passwd", "../..", "data.npz", "data.csv",
    "data.npy", "weights.npz", "mse", "tanh", "relu", "dense", "softmax", "a" * 300, "\u00e9\u200b",
    "\x1b[2J", "dense_1.weight", "9**9**9", "*", "[", "fail", "pass", "GC102", "vanishing",
    [], {}, [1], [0], [[1, 2], [3]], {"a": 1}, [[]], [None], {"values": [1, 2]},
    {"values": [[1e300, -1e300], [1, 2]]}, {"shape": [4, 4]}, {"shape": [10**9] * 9}, {"shape": []},
    {"shape": [0]}, {"dense": {}}, {"dense": 10**12}, {"dense": 3}, {"residual": ["relu"]},
    {"repeat": {"times": 10**9, "layers": ["relu"]}}, {"repeat": {"times": 30, "layers": ["tanh"]}},
)  # fmt: skip
PIECES: Final = (
    b"-1", b"1e400", b".nan", b"[", b"]", b"{", b"}", b":", b"- ", b"\n", b"  ", b"null", b"&b",
    b"*b", b"<<", b"!!int", b"!!python/object/apply:os.system", b"auto", b"repeat", b"1" * 20, b"'",
    b'"', b"#", b"|", b"0x1F", b"\t", b"\x00", b"\xc3\xa9", b"**", b"\xef\xbb\xbf", b"\xc2\x85",
    b"\xf0\x9f\x8e\x89", b"? ", b"%", b"---\n", b"...\n", b"\r\n", b"\xff\xfe", b"\xed\xa0\x80",
)  # fmt: skip


def _arrays() -> dict[str, bytes]:
    """Data files that specs name, small and right."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((12, 4)), np.arange(12) % 10
    table = io.StringIO()
    np.savetxt(table, np.column_stack([x, y]), delimiter=",", header="a,b,c,d,y", comments="")
    archive, weights, single = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez(archive, x=x, y=y)
    np.savez(weights, **{"dense_1.weight": rng.standard_normal((6, 4))})
    np.save(single, x)
    return {
        "data.npz": archive.getvalue(),
        "weights.npz": weights.getvalue(),
        "data.npy": single.getvalue(),
        "data.csv": table.getvalue().encode(),
    }


FILES: Final = {
    **_arrays(),
    "canary.py": b"raise SystemExit('the canary sings')\n",
}


@cache
def texts() -> tuple[bytes, ...]:
    """Specs that are right: the repository's own small ones, and some that use everything."""
    own = [path.read_bytes() for path in sorted(SPECS.rglob("*.yaml"))]
    return (*own, *(text.encode() for text in (RICH, HEADS, PYTHON)))


@cache
def _parsed() -> tuple[Any, ...]:
    return tuple(yaml.safe_load(text) for text in texts())


def draw(rng: np.random.Generator) -> Case:
    """A spec and the command that reads it."""
    text = spec_text(rng)
    command = COMMANDS[rng.integers(len(COMMANDS))]
    arguments = [command, SPEC, "--max-memory", MEMORY]
    if command == "check":
        arguments += ["--budget", BUDGET]
    if command == "train":
        arguments += ["--steps", "3"]
    if rng.random() < 0.2:
        arguments += ["--format", ("json", "markdown")[rng.integers(2)]]
    return Case(tuple(arguments), {**FILES, SPEC: text})


def spec_text(rng: np.random.Generator) -> bytes:
    """A spec's text: of a mutated structure, or right and then mutated byte by byte."""
    if rng.random() < 0.2:
        return _mutated_text(texts()[rng.integers(len(texts()))], rng)
    way = rng.random()
    if way < 0.5:
        spec: Any = random_networks.draw(rng).spec
    elif way < 0.9:
        spec = copy.deepcopy(_parsed()[rng.integers(len(_parsed()))])
    else:
        spec = {**drawn(rng), "gradcli": 1}
    for _ in range((0, 0, 1, 1, 1, 2, 3)[rng.integers(7)]):
        _mutate(spec, rng)
    flow_style = (None, False, True)[rng.integers(3)]
    dumped = yaml.safe_dump(spec, default_flow_style=flow_style, sort_keys=False, width=10**6)
    return _dressed(dumped.encode(), rng)


def _dressed(data: bytes, rng: np.random.Generator) -> bytes:
    """As another editor saves it, now and then."""
    way = rng.integers(20)
    if way == 0:
        return data.replace(b"\n", b"\r\n")
    return b"\xef\xbb\xbf" + data if way == 1 else data


def _mutated_text(data: bytes, rng: np.random.Generator) -> bytes:
    for _ in range(int(rng.integers(1, 4))):
        lines = data.split(b"\n")
        line = int(rng.integers(len(lines)))
        start = int(rng.integers(len(data) + 1))
        end = start + int(rng.integers(1, 12))
        piece = PIECES[rng.integers(len(PIECES))]
        other = texts()[rng.integers(len(texts()))].split(b"\n")
        data = (
            data[:start] + piece + data[start:],
            data[:start] + piece + data[end:],
            b"\n".join(lines[:line] + lines[line + 1 :]),
            b"\n".join([*lines[: line + 1], *lines[line:]]),
            b"\n".join([*lines[:line], other[rng.integers(len(other))], *lines[line:]]),
            flip(data, rng),
        )[rng.integers(6)]
    return _dressed(data, rng)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if path[-1:] == ("values",):  # its numbers would be nearly all the places there are
        return
    children: Any = value.items() if isinstance(value, dict) else ()
    for key, child in enumerate(value) if isinstance(value, list) else children:
        yield from _places(child, (*path, key))


def _part(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _mutate(spec: Any, rng: np.random.Generator) -> None:
    """One change somewhere: left out, renamed, another value, or a part of another spec."""
    places = list(_places(spec))
    if not places:
        return
    *above, key = places[rng.integers(len(places))]
    parent = _part(spec, tuple(above))
    way = rng.integers(9)
    if way == 0:
        del parent[key]
    elif way == 1 and isinstance(parent, dict):
        known = list(schema()["properties"])
        names = ["x", "name", "init", "dense", f"{key}s", "values", known[rng.integers(len(known))]]
        parent[names[rng.integers(len(names))]] = parent.pop(key)
    elif way == 2 and isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[rng.integers(len(parent))]))
    elif way in (3, 4):
        other = _parsed()[rng.integers(len(_parsed()))]
        found = list(_places(other))
        same = [path for path in found if path[-1] == key] or found
        parent[key] = copy.deepcopy(_part(other, same[rng.integers(len(same))]))
    elif way == 5:
        parent[key] = _bent(parent[key], rng)
    elif way == 6:
        defined = list(schema()["$defs"].values())
        parent[key] = drawn(rng, defined[rng.integers(len(defined))])
    else:
        parent[key] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])


def _bent(value: Any, rng: np.random.Generator) -> Any:
    """The same kind of value, another one."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, (int, float)):
        if not abs(value) < 1e300:
            return 7
        choices = [-value, 0, value + 1, value * 10, value / 3, value * 1e30, int(value + 1)]
        return choices[rng.integers(len(choices))]
    if isinstance(value, str):
        return formula(rng, ("x", "p", "y")) if rng.random() < 0.5 else value[: len(value) // 2]
    if isinstance(value, list):
        return [value, value[:1], value * 2, value[::-1]][rng.integers(4)]
    return [value]
