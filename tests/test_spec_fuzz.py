"""Whatever a spec holds, loading gives a plan or a SpecError, quickly, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fuzzing.specs import FILES, HEADS, RICH

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.errors import SpecError
from gradcli.spec import CODES, load_plan, load_text

each_spec = pytest.mark.parametrize("text", [RICH, HEADS], ids=["chain", "heads"])
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
    for name, data in FILES.items():
        (made / name).write_bytes(data)
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
