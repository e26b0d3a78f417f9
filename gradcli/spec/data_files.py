"""Arrays that a spec takes from files: data by name or column, weights by their own names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import Buffer
from gradcli.core.registry import nearest
from gradcli.spec.array_files import (
    ArrayFileError,
    StoredArray,
    csv_names,
    npy_array,
    npz_array,
    npz_names,
    read_csv,
)
from gradcli.spec.fields import Context, read_text
from gradcli.spec.memory import in_bytes
from gradcli.spec.nodes import Node
from gradcli.spec.plan import ParameterPlan
from gradcli.spec.problems import did_you_mean
from gradcli.spec.read_arrays import ArraySource, finite, representable

__all__ = ["RUN", "DataFile", "read_weights"]

Read = TypeVar("Read")

RUN: Final = "run/"
"""Before the names of what a training run keeps in a file beside the weights, to go on from."""

SUFFIXES: Final = (".npz", ".npy", ".csv")


class DataFile:
    """The file of `data`, of which the first `rows` rows are wanted (None: all)."""

    def __init__(self, node: Node, rows: int | None, context: Context) -> None:
        self.node = node
        self.rows = rows
        self.context = context
        self.path = Path()
        self.names: list[str] = []
        self.usable = self._open()

    @property
    def is_single(self) -> bool:
        """Whether the file is one array without a name."""
        return self.path.suffix.lower() == ".npy"

    def _open(self) -> bool:
        problems = self.context.problems
        text = read_text(self.node, "file", problems)
        if text is None:
            return False
        self.path = Path(self.context.folder, text)
        suffix = self.path.suffix.lower()
        if suffix not in SUFFIXES:
            hint = "expected a file ending in " + ", ".join(SUFFIXES)
            problems.add("SP013", f"data are not read from {text}", self.node, hint=hint)
            return False
        if not _exists(self.path):
            problems.add("SP013", f"there is no file {text}", self.node, hint=_near(self.path))
            return False
        if suffix != ".npy":
            names_of = npz_names if suffix == ".npz" else csv_names
            names = _guarded(names_of, self.path, self.node, self.context)
            self.names = names or []
            return names is not None
        return True

    def read(self, node: Node, what: str) -> ArraySource | None:
        """The array, or the columns, that the node names."""
        if not self.usable:
            return None
        problems = self.context.problems
        if self.is_single:
            hint = "it is the inputs; write `values` or a shape"
            problems.add("SP007", f"{self.path.name} has no names, so no {what}", node, hint=hint)
            return None
        if self.path.suffix.lower() == ".csv":
            return self._columns(node, what)
        name = read_text(node, what, problems)
        if name is None:
            return None
        if name not in self.names:
            self._unknown(node, "array")
            return None
        opening = partial(npz_array, name=name)
        return _source(opening, self.rows, self.path, node, what, self.context)

    def _unknown(self, node: Node, what: str) -> None:
        message = f"{self.path.name} has no {what} {node}"
        hint = did_you_mean(node.value, self.names)
        self.context.problems.add("SP007", message, node, hint=hint)

    def single(self) -> ArraySource | None:
        """The one array of an .npy file."""
        if not self.usable:
            return None
        return _source(npy_array, self.rows, self.path, self.node, "inputs", self.context)

    def _columns(self, node: Node, what: str) -> ArraySource | None:
        """Columns as features; a single column of targets has one axis."""
        items = node.value if node.is_list else [node]
        names = [item.value for item in items]
        if not names or not all(isinstance(name, str) and name for name in names):
            hint = "expected the name of a column or a list of such"
            self.context.problems.add("SP009", f"{what} cannot be {node}", node, hint=hint)
            return None
        unknown = [item for item in items if item.value not in self.names]
        for item in unknown:
            self._unknown(item, "column")
        if unknown:
            return None
        limit = self.context.max_memory // 8
        opening = partial(read_csv, columns=names, rows=self.rows, max_values=limit)
        values = _guarded(opening, self.path, node, self.context)
        if values is None or not finite(values, node, what, self.context):
            return None
        array = values[:, 0] if what != "inputs" and not node.is_list else values
        return ArraySource(array.shape, node, lambda: array)


def read_weights(
    node: Node, known: Mapping[str, ParameterPlan | Buffer], context: Context
) -> dict[str, Array]:
    """Arrays of an .npz file by name of parameter or buffer, as float64.

    What a training run keeps beside them is left alone.
    Unknown names, wrong shapes, and numbers that a buffer may not hold are noted.
    """
    problems = context.problems
    text = read_text(node, "weights", problems)
    if text is None:
        return {}
    path = Path(context.folder, text)
    if path.suffix.lower() != ".npz":
        problems.add(
            "SP013", f"weights are not read from {text}", node, hint="expected an .npz file"
        )
        return {}
    if not _exists(path):
        problems.add("SP013", f"there is no file {text}", node, hint=_near(path))
        return {}
    needed = 8 * sum(math.prod(plan.shape) for plan in known.values())
    if needed > context.max_memory:
        message = f"weights need about {in_bytes(needed)} of memory"
        hint = f"{in_bytes(context.max_memory)} are allowed"
        problems.add("SP016", message, node, hint=hint)
        return {}
    weights: dict[str, Array] = {}
    for name in _guarded(npz_names, path, node, context) or []:
        if name.startswith(RUN):
            continue
        plan = known.get(name)
        if plan is None:
            hint = did_you_mean(name, list(known))
            problems.add("SP007", f"{text} has {name!r}, which is no parameter", node, hint=hint)
            continue
        source = _source(partial(npz_array, name=name), None, path, node, name, context)
        if source is None:
            continue
        if source.shape != plan.shape:
            wanted, found = list(plan.shape), list(source.shape)
            problems.add("SP012", f"{name} has shape {wanted}, in {text} {found}", node)
            continue
        values = source.load()
        if values is None or not representable(values, node, name, context):
            continue
        if isinstance(plan, Buffer) and (values < plan.at_least).any():
            index = np.argwhere(values < plan.at_least)[0].tolist()
            message = f"{name}: the entry at {index} is {values[tuple(index)]:g}"
            hint = f"expected at least {plan.at_least:g}"
            problems.add("SP009", message, node, hint=hint)
            continue
        weights[name] = values.astype(np.float64)
    return weights


def _guarded(
    opening: Callable[[Path], Read], path: Path, node: Node, context: Context
) -> Read | None:
    try:
        return opening(path)
    except ArrayFileError as error:
        context.problems.add("SP013", str(error), node, hint=error.hint)
        return None


def _source(
    opening: Callable[[Path], StoredArray],
    rows: int | None,
    path: Path,
    node: Node,
    what: str,
    context: Context,
) -> ArraySource | None:
    """A stored array, unless what would be read of it is larger than allowed."""
    stored = _guarded(opening, path, node, context)
    if stored is None:
        return None
    shape = stored.shape
    if rows is not None and shape:
        shape = (min(rows, shape[0]), *shape[1:])
    needed = max(math.prod(shape) * 8, stored.bytes_read(rows))
    if needed > context.max_memory:
        message = f"{what} of shape {list(shape)} need {in_bytes(needed)}"
        hint = f"{in_bytes(context.max_memory)} are allowed"
        context.problems.add("SP016", message, node, hint=hint)
        return None

    def load() -> Array | None:
        values = _guarded(lambda _: stored.load(rows), path, node, context)
        return values if values is not None and finite(values, node, what, context) else None

    return ArraySource(shape, node, load)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _near(path: Path) -> str:
    """A hint with the most similar file name in the same folder."""
    try:
        names = sorted(entry.name for entry in path.parent.iterdir())[:1000]
    except (OSError, ValueError):
        return ""
    return did_you_mean(path.name, names) if nearest(path.name, names) else ""
