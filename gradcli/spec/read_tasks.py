"""Reading the tasks of a `multi_task`: a loss with its weight for each head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gradcli.core.op import Loss
from gradcli.core.param import Param
from gradcli.core.record import Record
from gradcli.spec.fields import INVALID, Context, fields, read_value
from gradcli.spec.heads import Heads, by_head
from gradcli.spec.nodes import Node
from gradcli.spec.read_ops import Call, read_call

__all__ = ["KEYS", "WEIGHT", "Task", "task_reader"]

WEIGHT: Final = Param("weight", 1.0)
"""What a task, or a summand of a sum, is multiplied by."""

KEYS: Final = ("loss", WEIGHT.name)
"""What a task may hold."""


class Task(Record):
    """The loss of a head, and its weight."""

    call: Call
    weight: float


def task_reader(heads: Heads, context: Context) -> Callable[[Node], Any]:
    """A reader of tasks by head, INVALID with the problem noted where there are none to use."""

    def read(node: Node) -> Any:
        if heads == ():
            hint = "write `network: {trunk: [...], heads: {...}}`"
            message = "there are tasks, but the network has no heads"
            context.problems.add("SP008", message, node, hint=hint, at_key=True)
            return INVALID
        if not node.is_mapping:
            hint = "write them by head: " + ", ".join(f"{head}: ..." for head in heads or ())
            context.problems.add("SP009", f"tasks cannot be {node}", node, hint=hint)
            return INVALID
        known, missing = by_head(node, heads, context.problems)
        for head in missing:
            hint = f"write `{head}: {{loss: mse}}`"
            message = f"head {head} has no task"
            context.problems.add("SP008", message, node, hint=hint, at_key=True)
        tasks = {head: _task(child, head, context) for head, child in known.items()}
        complete = None not in tasks.values() and len(tasks) == len(heads or tasks)
        return tasks if complete else INVALID

    return read


def _task(node: Node, head: str, context: Context) -> Task | None:
    """`{loss: ..., weight: ...}`, or a loss's name alone."""
    if isinstance(node.value, str):
        call = read_call(node, "a loss", context, (Loss,))
        return None if call is None else Task(call, WEIGHT.default)
    known = fields(node, KEYS, context.problems, f"task {head}")
    if known is None:
        return None
    call = None
    if "loss" in known:
        call = read_call(known["loss"], "a loss", context, (Loss,))
    elif len(known) == len(node.value):
        hint = "write `loss: mse`"
        context.problems.add("SP008", f"task {head} has no loss", node, hint=hint, at_key=True)
    weight = WEIGHT.default
    if WEIGHT.name in known:
        weight = read_value(known[WEIGHT.name], WEIGHT, context.problems)
    return None if call is None or weight is INVALID else Task(call, weight)
