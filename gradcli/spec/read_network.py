"""Reading `network`: entries with their options, blocks and heads, before any shape is known."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gradcli.core.op import Activation, Layer, Macro, NodeOp
from gradcli.core.record import Record
from gradcli.core.registry import nearest
from gradcli.spec.fields import INVALID, NAME, Context, fields, read_name
from gradcli.spec.heads import Heads
from gradcli.spec.nodes import Node
from gradcli.spec.read_ops import Call, read_call

__all__ = ["CLASSES", "KEYS", "RESERVED", "Entry", "Tree", "read_network"]

RESERVED: Final = ("loss",)
"""Names that a layer cannot have: the loss's own parameters are called `loss.…`."""

KEYS: Final = ("trunk", "heads")
"""What a network with heads holds."""


class Entry(Record):
    """One entry of a network. `branches` are the lists of layers in its options, by option.

    `name` is the one that the spec gives it, `written` the options it states. A broken entry has
    its problem noted; its op is what was probably meant, if that can be told.
    """

    op: NodeOp | Macro | None
    options: dict[str, Any]
    branches: dict[str, list[Entry]]
    written: frozenset[str]
    name: str | None
    node: Node
    is_broken: bool = False


class Tree(Record):
    """A network as written: a trunk and the heads on it; None for heads that could not be read."""

    trunk: list[Entry]
    heads: Mapping[str, list[Entry]] | None = MappingProxyType({})

    @property
    def head_names(self) -> Heads:
        return None if self.heads is None else tuple(self.heads)


def read_network(node: Node, context: Context) -> Tree | None:
    """A list of entries, or a trunk with heads; None where there is neither."""
    if not node.is_mapping:
        return Tree(_entries(node, "network", context))
    known = fields(node, KEYS, context.problems, "network")
    if known is None:
        return None
    trunk = _entries(known["trunk"], "trunk", context) if "trunk" in known else []
    heads: dict[str, list[Entry]] = {}
    if "heads" not in known:
        hint = "write a list of layers, or trunk and heads"
        context.problems.add("SP008", "network has no heads", node, hint=hint, at_key=True)
    elif not known["heads"].is_mapping or not known["heads"].value:
        hint = "expected a mapping of lists of layers by the heads' names"
        context.problems.add(
            "SP009", f"heads cannot be {known['heads']}", known["heads"], hint=hint
        )
    else:
        for name, child in known["heads"].value.items():
            if name in RESERVED or not NAME.fullmatch(name):
                context.problems.add(
                    "SP011", f"a head cannot be called {name!r}", child, at_key=True
                )
            heads[name] = _entries(child, f"head {name}", context)
    return Tree(trunk, heads or None)


def _entries(node: Node, what: str, context: Context) -> list[Entry]:
    """The entries of a list; none, with the problem noted, where there is no list."""
    if not node.is_list or not node.value:
        hint = "expected a list of layers"
        context.problems.add("SP009", f"{what} cannot be {node}", node, hint=hint)
        return []
    return [_entry(child, context) for child in node.value]


CLASSES: Final = (Layer, Activation, Macro)


def _broken(node: Node, context: Context) -> Entry:
    name = next(iter(node.value), "") if node.is_mapping else node.value
    op: Any = None
    if isinstance(name, str):
        near = nearest(name[:100], context.catalogue.names(*CLASSES))
        op = context.catalogue.find(name, *CLASSES) or context.catalogue.find(near or "", *CLASSES)
    return Entry(op, {}, {}, frozenset(), None, node, is_broken=True)


def _entry(node: Node, context: Context) -> Entry:
    def read_layers(child: Node) -> Any:
        return _entries(child, "layers", context) or INVALID

    call = read_call(
        node,
        "a layer",
        context,
        CLASSES,
        extra=("name",),
        readers={"layers": read_layers},
    )
    if call is None or not isinstance(call.op, (NodeOp, Macro)):
        return _broken(node, context)
    branches = {
        param.name: call.options[param.name] for param in call.op.params if param.kind == "layers"
    }
    if isinstance(call.op, Macro) and "name" in call.extra:
        hint = "it writes its layers out; name those"
        context.problems.add("SP006", f"{call.op.name} has no name", call.extra["name"], hint=hint)
    options = {name: value for name, value in call.options.items() if name not in branches}
    return Entry(call.op, options, branches, call.written, _own_name(call, context), call.node)


def _own_name(call: Call, context: Context) -> str | None:
    node = call.extra.get("name")
    if node is None:
        return None
    name = read_name(node, "name", context.problems)
    if name in RESERVED:
        context.problems.add("SP011", f"the name {name} is reserved", node)
        return None
    return name
