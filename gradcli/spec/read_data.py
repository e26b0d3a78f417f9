"""Reading `data`: where inputs and targets come from; values are loaded later, if they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gradcli.core.param import Param
from gradcli.core.record import Record
from gradcli.spec.fields import Context, fields, read_value
from gradcli.spec.nodes import Node
from gradcli.spec.read_arrays import ArraySource, read_array

if TYPE_CHECKING:
    from gradcli.spec.data_files import DataFile

__all__ = ["DRAWN", "Data", "read_data"]

DRAWN: Final = "auto"
"""`targets: auto`: drawn to suit the loss."""

_BATCH: Final = Param("batch", kind="integer", at_least=1)


class Data(Record):
    """Inputs and targets as far as they could be read; `targets_node` is where targets stand."""

    node: Node
    inputs: ArraySource | None
    targets: ArraySource | None
    targets_node: Node | None

    @property
    def draws_targets(self) -> bool:
        return self.targets_node is not None and self.targets_node.says(DRAWN)


def read_data(node: Node, context: Context) -> Data | None:
    """The `data` section; None where it is no mapping."""
    problems = context.problems
    known = fields(node, ("file", "inputs", "targets", "batch"), problems, "data")
    if known is None:
        return None
    batch: int | None = None
    if "batch" in known:
        batch = read_value(known["batch"], _BATCH, problems, fallback=None)
    file: DataFile | None = None
    if "file" in known:
        # zipfile and csv take a while to import, and most specs read no file
        from gradcli.spec.data_files import DataFile

        file = DataFile(known["file"], batch, context)
    inputs = targets = None
    if "inputs" in known:
        inputs = _read(known["inputs"], "inputs", file, context)
    elif file is not None and file.is_single:
        inputs = file.single()
    else:
        hint = (
            "write the name of an array of the file" if file else "write `inputs: {shape: [32, 8]}`"
        )
        problems.add("SP008", "data has no inputs", node, hint=hint, at_key=True)
    targets_node = known.get("targets")
    if targets_node is not None and not targets_node.says(DRAWN):
        targets = _read(targets_node, "targets", file, context)
    if inputs is not None and (0 in inputs.shape or not inputs.shape):
        problems.add("SP012", f"inputs of shape {list(inputs.shape)} have no rows", inputs.node)
        inputs = None
    if batch is not None and inputs is not None:
        if batch > inputs.shape[0]:
            message = f"batch is {batch}, but inputs have {inputs.shape[0]} rows"
            problems.add("SP009", message, known["batch"])
        inputs = inputs.first(batch)
        targets = targets.first(batch) if targets is not None and targets.shape else targets
    return Data(node, inputs, targets, targets_node)


def _read(node: Node, what: str, file: DataFile | None, context: Context) -> ArraySource | None:
    """An array that the spec states or has drawn, or one of the file by name."""
    if node.is_mapping:
        found = read_array(node, what, context)
        return None if found is None else found[0]
    if file is not None:
        return file.read(node, what)
    hint = "write `{shape: [32, 8]}` or `{values: [...]}`"
    hint += f", or `{DRAWN}`" if what == "targets" else ""
    context.problems.add("SP009", f"{what} cannot be {node}: there is no file", node, hint=hint)
    return None
