"""Whatever a spec holds, loading gives a plan or a SpecError, quickly, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.errors import SpecError
from gradcli.spec import CODES, load_plan, load_text

CHAIN = """\
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
  - dense: 16
  - act
  - &b {residual: [dense: {units: 16, init: {xavier_normal: {gain: 2}}, bias: false}, relu]}
  - *b
  - repeat: {times: 3, layers: [dense: 16, {leaky_relu: {alpha: 0.1}}]}
  - dense: {units: 10, name: head}
loss: {sum: [cross_entropy: {label_smoothing: 0.1}, {l2: {weight: 1.0e-4}}]}
check: {require: good, entries: all, only: ["dense*"], allow-inconclusive: true}
expect: {check: GC102, flow: vanishing}
"""
HEADS = """\
gradcli: 1
data: {file: data.npz, inputs: x, targets: {depth: x, label: y, event: auto}, batch: 8}
network:
  trunk: [dense: 16, {layer_norm: {eps: 1.0e-4}}, tanh, dropout: 0.2]
  heads:
    depth: [dense: 4]
    label: [dense: {units: 10, name: last}]
    event: [residual: [dense: 16, gelu], dense: 1]
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
each_spec = pytest.mark.parametrize("text", [CHAIN, HEADS], ids=["chain", "heads"])
PIECES = [
    "-1", "1e400", ".nan", "[", "]", "{", "}", ":", "- ", "\n", "  ", "null", "&b", "*b", "<<",
    "!!int", "auto", "values", "repeat", "1000000000000", "'", '"', "#", "|", "0x1F", "\t", "\x00",
    "é", "kind: layer", "**", "(", ")", "dense", "x", "\ufeff", "\x85", "🎉", "? ", "%", "---\n",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, 0, -1, 1e308, float("nan"), 10**400, "", "x", "auto", "inf", [], {}, [1],
    [[1, 2], [3]], {"a": 1}, np.zeros(3), np.array("x"), np.array([object()]), object(), 1j,
    "data.npz", "mse", "tanh", {"values": [1, 2]}, {"shape": [4, 4]}, {"shape": [10**9] * 9},
    [[]], {"dense": {}}, {"dense": 10**12}, {"residual": ["relu"]}, (1, 2), Path("x"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fuzz")
    np.savez(made / "data.npz", x=np.ones((20, 4)), y=np.arange(20) % 10)
    return made


def allowed(loading: Any) -> bool:
    """Whether the spec loads; any error but SpecError escapes."""
    try:
        loading()
    except SpecError as error:
        problems = error.errors
    else:
        return True
    assert problems
    assert all(problem.code in CODES for problem in problems)
    return False


def mutated(text: str, rng: np.random.Generator) -> str:
    for _ in range(rng.integers(1, 4)):
        start = int(rng.integers(len(text)))
        end = start + int(rng.integers(1, 12))
        piece = PIECES[rng.integers(len(PIECES))]
        lines = text.split("\n")
        line = int(rng.integers(len(lines)))
        text = [
            text[:start] + text[end:],
            text[:start] + piece + text[start:],
            text[:start] + piece + text[end:],
            text[:start] + chr(rng.integers(1, 300)) + text[start + 1 :],
            "\n".join(lines[:line] + lines[line + 1 :]),
            "\n".join([*lines[:line], lines[line], *lines[line:]]),
        ][rng.integers(6)]
    return text


@each_spec
def test_the_unmutated_spec_loads(text: str, folder: Path) -> None:
    assert allowed(lambda: load_text(text, folder=folder))


@each_spec
def test_mutated_text(text: str, folder: Path) -> None:
    rng = np.random.default_rng(1)
    texts = [mutated(text, rng) for _ in range(300)]
    loaded = [allowed(lambda text=text: load_text(text, folder=folder)) for text in texts]
    assert 0 < sum(loaded) < len(loaded)


@each_spec
def test_mutated_bytes(text: str, folder: Path) -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        data = bytearray(text.encode())
        for position in rng.integers(len(data), size=3):
            data[position] = rng.integers(256)
        allowed(lambda data=data: load_text(bytes(data), folder=folder))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    children: Any = value.items() if isinstance(value, dict) else ()
    for key, child in enumerate(value) if isinstance(value, list) else children:
        yield from places(child, (*path, key))


@each_spec
def test_mutated_structure(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    source = yaml.safe_load(text)
    assert allowed(lambda: load_plan(source))
    rng = np.random.default_rng(3)
    paths = list(places(source))
    loaded = []
    for _ in range(400):
        spec = copy.deepcopy(source)
        *above, key = paths[rng.integers(len(paths))]
        parent = spec
        for step in above:
            parent = parent[step]
        way = rng.integers(4)
        if way == 0:
            del parent[key]
        elif way == 1 and isinstance(parent, dict):
            parent[["x", "name", "init", "dense", f"{key}s"][rng.integers(5)]] = parent.pop(key)
        else:
            parent[key] = VALUES[rng.integers(len(VALUES))]
        loaded.append(allowed(lambda spec=spec: load_plan(spec)))
    assert 0 < sum(loaded) < len(loaded)
