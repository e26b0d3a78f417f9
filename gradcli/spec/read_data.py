"""Reading `data`: where inputs and targets come from; values are loaded later, if they fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from gradcli.core.param import Param
from gradcli.core.record import Record
from gradcli.spec.fields import Context, fields, read_value
from gradcli.spec.heads import Heads, by_head
from gradcli.spec.layout import OUTPUTS
from gradcli.spec.nodes import Node
from gradcli.spec.read_arrays import KEYS as ARRAY_KEYS
from gradcli.spec.read_arrays import ArraySource, read_array

if TYPE_CHECKING:
    from gradcli.spec.data_files import DataFile

__all__ = ["BATCH", "DRAWN", "KEYS", "TARGETS", "Data", "Target", "read_data", "targets_of"]

DRAWN: Final = "auto"
"""`targets: auto`: drawn to suit the loss."""

TARGETS: Final = "targets"
"""What the targets of a network without heads are called."""

BATCH: Final = Param("batch", kind="integer", at_least=1, doc="only the first so many rows")
KEYS: Final = ("file", "inputs", "targets", BATCH.name)
"""What the section `data` may hold."""


class Target(Record):
    """The targets of one output: an array, or drawn to suit the loss.

    Neither, where the problem with them has been noted.
    """

    source: ArraySource | None = None
    is_drawn: bool = False


class Data(Record):
    """Inputs and targets, by their names, as far as they could be read; `batch` as written."""

    node: Node
    inputs: ArraySource | None
    targets: Mapping[str, Target]
    batch: int | None = None


def targets_of(output: str) -> str:
    """What the targets of an output are called: a head's have its name."""
    return TARGETS if output == OUTPUTS else output


def read_data(node: Node, heads: Heads, context: Context) -> Data | None:
    """The `data` section; None where it is no mapping."""
    problems = context.problems
    known = fields(node, KEYS, problems, "data")
    if known is None:
        return None
    batch: int | None = None
    if "batch" in known:
        batch = read_value(known["batch"], BATCH, problems, fallback=None)
    rows = None if context.whole_data else batch
    file: DataFile | None = None
    if "file" in known:
        # zipfile and csv take a while to import, and most specs read no file
        from gradcli.spec.data_files import DataFile

        file = DataFile(known["file"], rows, context)
    inputs = None
    if "inputs" in known:
        inputs = _read(known["inputs"], "inputs", file, context)
    elif file is not None and file.is_single:
        inputs = file.single()
    else:
        hint = (
            "write the name of an array of the file" if file else "write `inputs: {shape: [32, 8]}`"
        )
        problems.add("SP008", "data has no inputs", node, hint=hint, at_key=True)
    targets = {
        name: Target() if child is None else _target(child, name, rows, file, context)
        for name, child in _target_nodes(known.get("targets"), heads, context).items()
    }
    if inputs is not None and (0 in inputs.shape or not inputs.shape):
        problems.add("SP012", f"inputs of shape {list(inputs.shape)} have no rows", inputs.node)
        inputs = None
    if batch is not None and inputs is not None:
        if batch > inputs.shape[0]:
            message = f"batch is {batch}, but inputs have {inputs.shape[0]} rows"
            problems.add("SP009", message, known["batch"])
        inputs = inputs if rows is None else inputs.first(rows)
    return Data(node, inputs, targets, batch)


def _target_nodes(node: Node | None, heads: Heads, context: Context) -> Mapping[str, Node | None]:
    """Where the targets of each output stand, by their names; None where that could not be read.

    Those of several heads stand by head, or are all drawn; those of a single head may stand alone.
    """
    if node is None or heads is None:
        return {}
    if heads == ():
        return {TARGETS: node}
    if node.says(DRAWN):
        return dict.fromkeys(heads, node)
    if not node.is_mapping or set(node.value) <= set(ARRAY_KEYS):
        if len(heads) == 1:
            return {heads[0]: node}
        message = f"targets cannot be {node}: the network has {len(heads)} heads"
        hint = "write them by head: " + ", ".join(f"{head}: ..." for head in heads)
        context.problems.add("SP009", message, node, hint=hint)
        return dict.fromkeys(heads)
    known, missing = by_head(node, heads, context.problems)
    return {head: known.get(head) for head in heads if head not in missing}


def _target(
    node: Node, name: str, rows: int | None, file: DataFile | None, context: Context
) -> Target:
    if node.says(DRAWN):
        return Target(is_drawn=True)
    source = _read(node, name if name == TARGETS else f"targets of {name}", file, context)
    if source is not None and source.shape and rows is not None:
        source = source.first(rows)
    return Target(source)


def _read(node: Node, what: str, file: DataFile | None, context: Context) -> ArraySource | None:
    """An array that the spec states or has drawn, or one of the file by name."""
    if node.is_mapping:
        found = read_array(node, what, context)
        return None if found is None else found[0]
    if file is not None:
        return file.read(node, what)
    hint = "write `{shape: [32, 8]}` or `{values: [...]}`"
    hint += f", or `{DRAWN}`" if what != "inputs" else ""
    context.problems.add("SP009", f"{what} cannot be {node}: there is no file", node, hint=hint)
    return None
