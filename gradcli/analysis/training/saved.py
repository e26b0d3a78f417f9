"""A run kept in a file: the weights by name, and what it takes to go on from there."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from gradcli.core.arrays import Array
from gradcli.errors import UsageError
from gradcli.files import check_writable, write_file
from gradcli.spec.array_files import ArrayFileError, npz_array, npz_names
from gradcli.spec.data_files import RUN
from gradcli.spec.plan import Plan

__all__ = ["SETTING", "as_array", "as_text", "check_place", "load_run", "save_run"]

SETTING: Final = "setting/"
"""Before the name of a setting among the arrays of a run's state."""


def as_array(text: str) -> Array:
    """Text as its bytes, since files of arrays hold numbers only."""
    return np.frombuffer(text.encode(), np.uint8)


def as_text(array: Array | None) -> str:
    """The text of such an array; `unknown` where there is none."""
    return (
        "unknown" if array is None else array.astype(np.uint8).tobytes().decode("utf-8", "replace")
    )


def save_run(
    path: str | os.PathLike[str], parameters: Mapping[str, Array], state: Mapping[str, Array]
) -> None:
    """Write both into an .npz file that `weights:` reads; UsageError where that cannot be."""
    arrays: dict[str, Any] = {**parameters, **{RUN + name: value for name, value in state.items()}}
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    write_file(path, stream.getvalue())


def check_place(path: str | os.PathLike[str]) -> None:
    """Raise UsageError, before a run, where it could not be saved after it."""
    if Path(path).suffix.lower() != ".npz":
        raise UsageError(f"weights are saved in an .npz file, not in {os.fspath(path)}")
    check_writable(path)


def load_run(
    path: str | os.PathLike[str], plan: Plan, max_memory: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """The weights and the state of a run; UsageError for a file that is not of this spec's run."""
    source = Path(path)
    try:
        names = npz_names(source)
        arrays = {}
        for name in names:
            stored = npz_array(source, name=name)
            if stored.bytes_read(None) > max_memory:
                raise UsageError(f"{source}: {name} is larger than --max-memory allows")
            arrays[name] = stored.load(None)
    except ArrayFileError as error:
        raise UsageError(str(error)) from None
    state = {name.removeprefix(RUN): each for name, each in arrays.items() if name.startswith(RUN)}
    weights = {name: each for name, each in arrays.items() if not name.startswith(RUN)}
    if "steps" not in state:
        raise UsageError(f"{source} holds no run to resume, only weights; name it in `weights:`")
    wanted = {name: own.shape for name, own in plan.parameters.items()}
    found = {name: each.shape for name, each in weights.items()}
    if wanted != found:
        differing = sorted(
            name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
        )
        raise UsageError(f"{source} is of another network: {', '.join(differing[:3])} differ")
    return weights, state
