"""From the nodes of a spec to its plan: every section read, every problem collected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gradcli.spec.fields import Context, fields, read_text, read_value
from gradcli.spec.memory import estimate
from gradcli.spec.nodes import Node, Place
from gradcli.spec.options import SECTIONS
from gradcli.spec.parts import Parts, Values
from gradcli.spec.plan import Plan
from gradcli.spec.problems import Problems
from gradcli.spec.read_sections import (
    DTYPE,
    SEED,
    checked_overrides,
    read_expectation,
    read_sections,
)

__all__ = ["KEYS", "VERSION", "assemble"]

VERSION: Final = 1
"""Version of the spec format."""

KEYS: Final = (
    "gradcli", "name", "seed", "dtype", "data", "network", "weights", "loss", "define", "expect",
    *SECTIONS,
)  # fmt: skip


def assemble(
    root: Node | None, context: Context, overrides: Mapping[str, Any], default_name: str
) -> Plan:
    """The plan of a spec; SpecError with all that is wrong with it.

    Shapes come first, then the memory they need; only when that is allowed are values loaded.
    """
    given = checked_overrides(overrides)
    problems = context.problems
    known = _top(root, problems)
    name = None if "name" not in known else read_text(known["name"], "name", problems)
    head = {
        option.name: read_value(known[option.name], option, problems, option.default)
        if option.name in known
        else option.default
        for option in (SEED, DTYPE)
    }
    head.update({key: given[key] for key in head if key in given})
    sections = read_sections(known, context, given)
    expect = read_expectation(known.get("expect"), context)
    dtypes = {head["dtype"]}
    if "dtype" not in given:
        dtypes.add(sections.get("check", {}).get("dtype"))
    parts = Parts(known, context.replace(single="float32" in dtypes))
    parts.check_complete()
    memory, fits = estimate(
        parts.layout, parts.arrays(), 4 if head["dtype"] == "float32" else 8, context
    )
    values = parts.load(head["seed"]) if fits else Values()
    problems.raise_any()
    layout = parts.layout
    assert layout is not None
    return Plan(
        file=problems.file,
        name=name or default_name,
        seed=head["seed"],
        dtype=head["dtype"],
        inputs=values.inputs,
        targets=values.targets,
        nodes=layout.nodes,
        outputs=layout.outputs if parts.has_network else {},
        losses=parts.losses.plans,
        terms=parts.terms,
        parameters={**layout.parameters, **parts.losses.parameters},
        weights=values.weights,
        definitions=values.definitions,
        expect=expect,
        sections=sections,
        memory=memory,
        lines=problems.lines,
        buffers={**layout.buffers, **parts.losses.buffers},
        batch=None if parts.data is None else parts.data.batch,
    )


def _top(root: Node | None, problems: Problems) -> dict[str, Node]:
    """The sections by name; without any of them there is nothing to go on with."""
    hint = f"write `gradcli: {VERSION}` at the top"
    if root is None or root.value is None or (root.is_mapping and not root.value):
        problems.add("SP008", "the spec is empty", root, hint=hint)
        raise problems.error()
    known = fields(root, KEYS, problems, "a spec")
    if known is None:
        raise problems.error()
    version = known.get("gradcli")
    if version is None:
        place = Place(root.place.line, root.place.column, 1)
        problems.add("SP010", "the spec does not say its version", root, hint=hint, place=place)
    elif type(version.value) not in (int, float) or version.value != VERSION:
        message = f"spec version {version} is not known"
        problems.add("SP010", message, version, hint=f"expected {VERSION}")
    return known
