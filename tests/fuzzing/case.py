"""One run of a command in a folder of its own making, and the smallest one that ends like it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

__all__ = ["SPEC", "Case", "Draw", "flip", "shrink"]

SPEC: Final = "spec.yaml"

Draw = Callable[[np.random.Generator], "Case"]


class Case(NamedTuple):
    """What is typed, the files that are there, and what stands on standard input.

    `written` are the files that the command is asked to write.
    """

    arguments: tuple[str, ...]
    files: Mapping[str, bytes]
    stdin: bytes = b""
    written: frozenset[str] = frozenset()
    environment: Mapping[str, str] = {}

    def __str__(self) -> str:
        said = [f"gradcli {' '.join(map(repr, self.arguments))}"]
        said += [f"with {name}={value}" for name, value in self.environment.items()]
        for name, data in [*self.files.items(), *([("-", self.stdin)] if self.stdin else [])]:
            shown = data if len(data) < 3000 else data[:3000] + b"..."
            text = shown.decode("utf-8", "backslashreplace").rstrip("\n")
            plain = text.isprintable() or name.endswith((".yaml", ".csv"))
            said += [f"--- {name}", text if plain else repr(shown)]
        return "\n".join(said)


def shrink(case: Case, same: Callable[[Case], bool], seconds: float = 30) -> Case:
    """The case without the arguments and lines that it needs not to end the same way.

    After so many seconds it is left as it is by then.
    """
    end = time.monotonic() + seconds
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(case):
            if time.monotonic() > end:
                return case
            if same(smaller):
                case, progress = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    """The case without some of its arguments, or of the lines of its spec; many first."""
    for name in case.files:
        if name != SPEC:
            yield case._replace(files={k: v for k, v in case.files.items() if k != name})
    for position in range(1, len(case.arguments)):
        kept = case.arguments[:position] + case.arguments[position + 1 :]
        yield case._replace(arguments=kept)
    lines = case.files.get(SPEC, b"").splitlines(keepends=True)
    size = len(lines) // 2
    while size:
        for start in range(0, len(lines), size):
            text = b"".join(lines[:start] + lines[start + size :])
            yield case._replace(files={**case.files, SPEC: text})
        size //= 2


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    """The bytes with a few of them changed, left out, repeated or cut off."""
    for _ in range(int(rng.integers(1, 4))):
        start = int(rng.integers(len(data) + 1))
        end = min(len(data), start + int(rng.integers(1, 40)))
        way = rng.integers(6)
        if way == 0:
            data = data[:start] + data[end:]
        elif way == 1:
            data = data[:start] + bytes([rng.integers(256)]) + data[start + 1 :]
        elif way == 2:
            data = data[:start] + data[start:end] + data[start:]
        elif way == 3:
            data = data[:start]
        elif way == 4:
            data = data[:start] + rng.bytes(int(rng.integers(1, 9))) + data[start:]
        else:
            data = data[:start] + bytes([255]) * int(rng.integers(1, 9)) + data[end:]
    return data
