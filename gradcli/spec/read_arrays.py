"""Arrays as a spec writes them: values, or a shape with a distribution."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any, Final

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import Shape
from gradcli.core.param import Param
from gradcli.core.record import Record
from gradcli.spec.fields import INVALID, Context, fields, read_shape, read_value
from gradcli.spec.nodes import Node
from gradcli.spec.plan import ArrayPlan

__all__ = [
    "DISTRIBUTION",
    "KEYS",
    "STD",
    "ArraySource",
    "finite",
    "read_array",
    "representable",
]

KEYS: Final = ("values", "shape", "distribution", "std")
"""How an array may be written."""

DISTRIBUTIONS: Final = ("normal", "uniform")
DISTRIBUTION: Final = Param("distribution", "normal", kind="choice", choices=DISTRIBUTIONS)
STD: Final = Param("std", 1.0, above=0)


class ArraySource(Record):
    """An array whose shape is known and whose values are not in memory yet.

    `load` gives them, real and finite, or None with the problem noted; `drawn` says instead how
    they are drawn.
    """

    shape: Shape
    node: Node
    load: Callable[[], Array | None] = lambda: None
    drawn: ArrayPlan | None = None

    def first(self, rows: int) -> ArraySource:
        """The first rows of it."""
        shape = (min(rows, self.shape[0]), *self.shape[1:])

        def load() -> Array | None:
            values = self.load()
            return None if values is None else values[: shape[0]]

        drawn = None if self.drawn is None else self.drawn.replace(shape=shape)
        return ArraySource(shape, self.node, load, drawn)


def read_array(
    node: Node, what: str, context: Context, *, keys: Collection[str] = (), scalar: bool = False
) -> tuple[ArraySource, dict[str, Node]] | None:
    """`{values: ...}` or `{shape: ..., distribution: ..., std: ...}`, and further keys' nodes."""
    problems = context.problems
    before = len(problems)
    known = fields(node, (*KEYS, *keys), problems, what)
    if known is None or (len(problems) > before and known.keys().isdisjoint(("values", "shape"))):
        return None
    extra = {key: child for key, child in known.items() if key in keys}
    if ("values" in known) == ("shape" in known):
        hint = "write `shape: [32, 8]` or `values: [...]`"
        which = "both values and a shape" if "values" in known else "neither values nor a shape"
        problems.add("SP008", f"{what} has {which}", node, hint=hint, at_key=True)
        return None
    if "values" in known:
        for key in ("distribution", "std"):
            if key in known:
                problems.add("SP006", f"stated values have no {key}", known[key], at_key=True)
        values = _values(known["values"], context, scalar)
        if values is None:
            return None
        return ArraySource(values.shape, known["values"], lambda: values), extra
    shape = read_shape(known["shape"], problems, scalar=scalar)
    distribution, std = (
        read_value(known[option.name], option, problems) if option.name in known else option.default
        for option in (DISTRIBUTION, STD)
    )
    if shape is None or INVALID in (distribution, std):
        return None
    plan = ArrayPlan(shape, distribution=distribution, std=std)
    return ArraySource(shape, known["shape"], drawn=plan), extra


def _values(node: Node, context: Context, scalar: bool) -> Array | None:
    """Nested lists of numbers as an array; every row has to be as long as the first."""
    problems = context.problems
    if isinstance(node.value, np.ndarray):
        if node.value.dtype.kind not in "biuf":
            problems.add("SP009", f"values cannot be of dtype {node.value.dtype}", node)
            return None
        return node.value if finite(node.value, node, "values", context) else None
    shape: list[int] = []
    level = [node]
    while level[0].is_list:
        lengths = {len(item.value) if item.is_list else -1 for item in level}
        if len(lengths) > 1:
            first = len(level[0].value)
            odd = next(item for item in level if not item.is_list or len(item.value) != first)
            problems.add("SP012", f"values are not rectangular: expected {first} here", odd)
            return None
        shape.append(len(level[0].value))
        if shape[-1] == 0:
            problems.add("SP009", "values are empty", node)
            return None
        level = [child for item in level for child in item.value]
    if not shape and not scalar:
        problems.add("SP009", f"values cannot be {node}", node, hint="expected a list of numbers")
        return None
    for item in level:
        if isinstance(item.value, bool) or not isinstance(item.value, (int, float)):
            expected = "expected a list of numbers" if item is node else "expected a number"
            problems.add("SP009", f"values cannot hold {item}", item, hint=expected)
            return None
        if not math.isfinite(item.value):
            problems.add("SP014", f"values hold {item}", item, hint="expected finite numbers")
            return None
    return np.array([item.value for item in level]).reshape(shape)


def representable(values: Array, node: Node, what: str, context: Context) -> bool:
    """Whether all values are finite in the spec's precision; the first that is not is noted."""
    largest = float(np.finfo(np.float32).max)
    if not context.single or values.dtype.kind != "f" or not (np.abs(values) > largest).any():
        return True
    index = [int(i) for i in np.argwhere(np.abs(values) > largest)[0]]
    message = f"{what}: {values[tuple(index)]:g} at {index} is not finite in float32"
    context.problems.add("SP014", message, node, hint=f"float32 ends at {largest:.4g}")
    return False


def finite(values: Array, node: Node, what: str, context: Context) -> bool:
    """Whether all values are finite; the first that is not is noted."""
    good = np.isfinite(values)
    if good.all():
        return True
    index = [int(i) for i in np.argwhere(~good)[0]]
    value: Any = values[tuple(index)]
    context.problems.add(
        "SP014", f"{what}: the entry at {index} is {value}", node, hint="expected finite numbers"
    )
    return False
