"""How much memory a plan needs, worked out from shapes before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from gradcli.core.op import Shape
from gradcli.spec.fields import Context
from gradcli.spec.nodes import Node

if TYPE_CHECKING:
    from gradcli.spec.layout import Layout

__all__ = ["estimate", "in_bytes"]

_COPIES: Final = 2
"""Of each parameter and output there is a gradient as well, of buffers and what is kept none."""


def in_bytes(count: int) -> str:
    """A number of bytes in the binary unit that suits it."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
    if count >> 80:
        return "more than 1,000,000 EiB"
    unit = min(max(count.bit_length() - 1, 0) // 10, len(units) - 1)
    scaled = count / 1024**unit
    return (
        f"{scaled:.3g} {units[unit]}" if unit and scaled < 1000 else f"{scaled:,.0f} {units[unit]}"
    )


def estimate(
    layout: Layout | None,
    arrays: Iterable[tuple[str, Shape, Node]],
    itemsize: int,
    context: Context,
) -> tuple[int, bool]:
    """Bytes of parameters, buffers, activations, gradients, and data; and whether they are allowed.

    Where that is more than allowed, it is noted at the layer or array that takes most. Of a network
    that will not be in memory as a whole, only its largest layer has to be.
    """
    shares = [(math.prod(shape), what, node) for what, shape, node in arrays]
    data = sum(share for share, _, _ in shares)
    plans = {} if layout is None else layout.parameters
    held_by = {} if layout is None else layout.buffers
    parameters = buffers = activations = kept = 0
    largest = (0, 0, 0, 0)
    nodes = () if layout is None else zip(layout.nodes, layout.entries, strict=True)
    for node, entry in nodes:
        own = sum(math.prod(plans[name].shape) for name in node.parameters.values())
        held = sum(math.prod(held_by[name].shape) for name in node.buffers.values())
        out = math.prod(node.shape)
        parameters += own
        buffers += held
        activations += out
        kept += node.kept
        largest = max(largest, (own, held, out, node.kept), key=sum)
        shares.append((_COPIES * (own + out) + held + node.kept, node.name, entry.node))
    total = itemsize * (data + buffers + kept + _COPIES * (parameters + activations))
    if not context.keeps_network:
        parameters, buffers, activations, kept = largest
    needed = itemsize * (data + buffers + kept + _COPIES * (parameters + activations))
    if needed > context.max_memory:
        share, name, place = max(shares, key=lambda share: share[0])
        parts = [
            f"{what} {in_bytes(itemsize * count)}"
            for what, count in (
                ("parameters", parameters),
                ("buffers", buffers),
                ("activations", activations + kept),
                ("gradients", parameters + activations),
                ("data", data),
            )
            if count
        ]
        context.problems.add(
            "SP016",
            f"needs about {in_bytes(needed)} of memory ({', '.join(parts)}), "
            f"more than the {in_bytes(context.max_memory)} allowed",
            place,
            hint=f"{name} alone needs {in_bytes(itemsize * share)}",
            at_key=True,
        )
    return total, needed <= context.max_memory
