"""Reading a named op with its options: what layers, losses and initializers have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from gradcli.core.op import Initializer, InitializerChoice, Op
from gradcli.core.param import REQUIRED, Param
from gradcli.core.record import Record
from gradcli.core.registry import Catalogue, nearest
from gradcli.errors import InternalError
from gradcli.spec.fields import INVALID, Context, read_value
from gradcli.spec.nodes import Node, Place
from gradcli.spec.problems import did_you_mean

__all__ = [
    "AUTO",
    "Call",
    "choose_initializer",
    "default_initializer",
    "read_call",
    "read_options",
    "split_entry",
]

AUTO: Final = "auto"
"""The initializer that suits the next activation; resolved once that is known."""

Readers = Mapping[str, Callable[[Node], Any]]
"""How options that hold other ops are read, by their kind."""


class Call(Record):
    """An op with its options read, defaults included.

    `written` are the options that the spec states, `extra` the nodes of further keys that were
    allowed. `node` is the entry and `place` where it names the op. Initializers are
    `InitializerChoice`, or AUTO.
    """

    op: Op
    options: dict[str, Any]
    written: frozenset[str]
    extra: Mapping[str, Node]
    node: Node
    place: Place


def split_entry(node: Node, what: str, context: Context) -> tuple[str, Node | None, Node] | None:
    """Name, options, and the node at whose key or value the name stands; None for no entry."""
    if isinstance(node.value, str) and node.value:
        return node.value, None, node
    if node.is_mapping and len(node.value) == 1:
        ((name, options),) = node.value.items()
        return name, options, options
    hint = f"expected the name of {what}, or one name with its options"
    if node.is_mapping and node.value:
        first = next(iter(node.value))
        hint = f"options stand inside the entry: {first}: {{...}}"
        context.problems.add(
            "SP009", f"{what} has {len(node.value)} keys", node.value[first], hint=hint, at_key=True
        )
    else:
        context.problems.add("SP009", f"{what} cannot be {node}", node, hint=hint)
    return None


def read_call(
    node: Node,
    what: str,
    context: Context,
    classes: tuple[type[Op], ...],
    *,
    extra: Collection[str] = (),
    readers: Readers = MappingProxyType({}),
    names: Collection[str] = (),
) -> Call | None:
    """An entry whose op is of one of the classes; `names` are further names for the hint."""
    entry = split_entry(node, what, context)
    if entry is None:
        return None
    name, options, at = entry
    op = context.catalogue.find(name, *classes)
    if op is None and name in context.broken:
        return None
    if op is None:
        known = sorted({*context.catalogue.names(*classes), *names})
        context.problems.add(
            "SP007",
            f"there is no {what.split()[-1]} {name!r}",
            at,
            hint=_where_it_lives(name, context.catalogue)
            or did_you_mean(name, known)
            or "`gradcli list` shows all there are",
            at_key=options is not None,
        )
        return None
    return read_options(op, options, at, context, extra=extra, readers=readers)


def _where_it_lives(name: str, catalogue: Catalogue) -> str:
    kind = next((op.kind for op in catalogue if name in (op.name, *op.aliases)), None)
    return "" if kind is None else f"{name} is the name of a {kind}"


def read_options(
    op: Op,
    node: Node | None,
    at: Node,
    context: Context,
    *,
    extra: Collection[str] = (),
    readers: Readers = MappingProxyType({}),
) -> Call | None:
    """The op's options from a mapping, from its first option alone, or all by default."""
    problems = context.problems
    by_key = node is not None
    written: dict[str, Node] = {}
    misspelled: set[str | None] = set()
    if node is not None and node.is_mapping:
        for key, child in node.value.items():
            if op.param(key) is None and key not in extra:
                names = [*(param.name for param in op.params), *extra]
                misspelled.add(nearest(key[:100], names))
                problems.add(
                    "SP006",
                    f"{op.name} has no option {key!r}",
                    child,
                    hint=did_you_mean(key, names),
                    at_key=True,
                )
            else:
                written[key] = child
    elif node is not None and node.value is not None:
        first = op.params[0].name if op.params else next(iter(extra), None)
        if first is None or first == "name":
            problems.add("SP006", f"{op.name} has no options", node, hint=f"write {op.name} alone")
            return None
        written[first] = node
    options: dict[str, Any] = {}
    for param in op.params:
        child = written.get(param.name)
        if child is not None:
            options[param.name] = _read_option(op, param, child, context, readers)
        elif param.default is REQUIRED:
            if param.name not in misspelled:
                hint = f"expected {param.expected()}"
                problems.add("SP008", f"{op.name} needs {param.name}", at, hint=hint, at_key=by_key)
            options[param.name] = INVALID
        elif param.kind == "initializer":
            options[param.name] = default_initializer(param.default, context.catalogue)
        else:
            options[param.name] = param.default
    if any(value is INVALID for value in options.values()):
        return None
    if op.validate is not None:
        try:
            op.validate(**options)
        except ValueError as error:
            problems.add("SP009", f"{op.name}: {error}", at, at_key=by_key)
            return None
    others = {key: child for key, child in written.items() if op.param(key) is None}
    place = at.place if node is None else at.key_place
    return Call(op, options, frozenset(written), others, at, place)


def _read_option(op: Op, param: Param, node: Node, context: Context, readers: Readers) -> Any:
    if param.kind == "initializer":
        return _read_initializer(node, context)
    if param.kind in readers:
        return readers[param.kind](node)
    if param.kind in ("layers", "losses"):
        context.problems.add("SP020", f"{op.name} cannot be used here", node)
        return INVALID
    return read_value(node, param, context.problems)


def _read_initializer(node: Node, context: Context) -> Any:
    if node.says(AUTO):
        return AUTO
    call = read_call(node, "an initializer", context, (Initializer,), names=(AUTO,))
    if call is None or not isinstance(call.op, Initializer):
        return INVALID
    return InitializerChoice(call.op, call.options)


def default_initializer(name: str, catalogue: Catalogue) -> Any:
    """The initializer an op names as its default, with its own defaults."""
    return AUTO if name == AUTO else choose_initializer(name, catalogue)


def choose_initializer(name: str, catalogue: Catalogue, **options: Any) -> InitializerChoice:
    """An initializer of the catalogue by name."""
    op = catalogue.find(name, Initializer)
    if op is None:
        raise InternalError(f"an op relies on the initializer {name}, which does not exist")
    return InitializerChoice(op, {**op.defaults(), **options})
