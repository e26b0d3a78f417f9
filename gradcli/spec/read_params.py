"""Names and numbers of the parameters of a definition."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from gradcli.core.param import Param
from gradcli.spec.fields import INVALID, Context, read_value
from gradcli.spec.nodes import Node
from gradcli.spec.read_formula import SYMBOL

__all__ = ["COTANGENT", "TAKEN", "is_free", "read_params"]

COTANGENT: Final = "g"
"""What the cotangent of a function's output is called in formulas."""

TAKEN: Final = frozenset({"pi", "inf", COTANGENT})
_NUMBER: Final = Param("a parameter")


def is_free(name: str) -> bool:
    """Whether a variable or parameter of a formula may be called so."""
    return SYMBOL.fullmatch(name) is not None and name not in TAKEN


def read_params(
    node: Node | None, variables: Collection[str], context: Context
) -> dict[str, float] | None:
    """`params`: numbers by name, none of them a variable or constant; None where one is wrong."""
    problems = context.problems
    if node is None:
        return {}
    if not node.is_mapping:
        problems.add("SP009", f"params cannot be {node}", node, hint="expected numbers by name")
        return None
    params: dict[str, float] = {}
    for name, child in node.value.items():
        if is_free(name) and name not in variables:
            params[name] = read_value(child, _NUMBER, problems)
        else:
            problems.add("SP011", f"a parameter cannot be called {name!r}", child, at_key=True)
            params[name] = INVALID
    return None if any(value is INVALID for value in params.values()) else params
