"""Formulas in a spec: parsed with their mistakes shown at their place in the text."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from gradcli.core.formula import Formula, FormulaError
from gradcli.core.op import Activation
from gradcli.spec.fields import Context
from gradcli.spec.nodes import Node, Place

__all__ = ["SYMBOL", "read_formula"]

SYMBOL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What a variable or parameter of a formula may be called."""


def read_formula(
    node: Node, what: str, names: Collection[str], context: Context, *, elementwise: bool = False
) -> Formula | None:
    """A formula in these names; a number alone is one. Problems are noted where it is wrong."""
    problems = context.problems
    text = node.value
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        text = repr(text)
    if not isinstance(text, str) or not text.strip():
        problems.add("SP009", f"{what} cannot be {node}", node, hint="expected a formula")
        return None
    functions = {
        name: op for op in context.catalogue.all(Activation) for name in (op.name, *op.aliases)
    }
    try:
        formula = Formula.parse(text, names, functions)
    except FormulaError as error:
        place = _place(node, text, error, context)
        message = f"{what}: {error.message}"
        problems.add("SP017", message, node, hint=error.hint, place=place)
        return None
    if elementwise and not formula.elementwise:
        hint = "its result at one entry depends on that entry only; use kind: function for the rest"
        problems.add("SP017", f"{what} is not elementwise", node, hint=hint)
        return None
    return formula


def _place(node: Node, text: str, error: FormulaError, context: Context) -> Place:
    """Where in the source the error is: on the node's own line, or in the block (`|`) under it."""
    line, column, length = node.place
    source = context.problems.source_line(line)
    for start in (column - 1, column):
        if source.startswith(text, start):
            return Place(line, start + 1 + error.offset, error.length)
    before, own = text[: error.offset].split("\n"), text.split("\n")
    below = line + len(before)
    source = context.problems.source_line(below)
    if source.strip() and source.strip() == own[len(before) - 1].strip():
        indent = source.index(source.strip()) - own[len(before) - 1].index(source.strip())
        return Place(below, indent + len(before[-1]) + 1, error.length)
    return Place(line, column, length)
