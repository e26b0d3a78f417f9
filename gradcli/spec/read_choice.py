"""Reading options that are ops of the catalogue, such as an optimizer with its own options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcli.core.registry import CATALOGUE
from gradcli.core.training_op import Choice
from gradcli.errors import UsageError
from gradcli.spec.fields import INVALID, Context
from gradcli.spec.nodes import Node, NodeError, from_python
from gradcli.spec.options import OpOption
from gradcli.spec.problems import Problems
from gradcli.spec.read_ops import read_call

__all__ = ["choice_of", "read_choice"]


def read_choice(node: Node, option: OpOption, context: Context) -> Any:
    """A `Choice`, or a dict of them; INVALID, with the problem noted, where it is neither."""
    if not option.by_name:
        return _one(node, option, context)
    if not node.is_mapping:
        hint = f"expected {option.expected()}"
        context.problems.add("SP009", f"{option.name} cannot be {node}", node, hint=hint)
        return INVALID
    found = {name: _one(child, option, context) for name, child in node.value.items()}
    return INVALID if INVALID in found.values() else found


def _one(node: Node, option: OpOption, context: Context) -> Any:
    article = "an" if option.op_class.kind[0] in "aeiou" else "a"
    call = read_call(node, f"{article} {option.op_class.kind}", context, (option.op_class,))
    return INVALID if call is None else Choice(call.op, call.options)


def choice_of(value: Any, option: OpOption) -> Any:
    """What a command line or a caller gives for the option, read the same way.

    A `Choice` stands for itself. Raises UsageError, with the nearest name, for what is wrong.
    """
    if isinstance(value, Choice) or (
        option.by_name
        and isinstance(value, Mapping)
        and all(isinstance(each, Choice) for each in value.values())
    ):
        return value
    problems = Problems("")
    context = Context(problems, CATALOGUE, "", 0, False)
    try:
        read = read_choice(from_python({option.name: value}).value[option.name], option, context)
    except NodeError as error:
        raise UsageError(f"{option.name} cannot be {value!r}: {error}") from None
    if len(problems):
        (first, *_) = problems.error().errors
        hint = f"; {first.hint}" if first.hint else ""
        raise UsageError(f"{first.message}{hint}")
    return read
