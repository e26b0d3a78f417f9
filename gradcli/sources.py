"""From what is given to a command or a call to the plan of a spec."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from gradcli.engine.model import Model
from gradcli.errors import SpecError, SpecProblem, UsageError
from gradcli.spec import find_specs, load_plan, load_text
from gradcli.spec.plan import Plan

__all__ = [
    "Source",
    "check_codes",
    "every_spec",
    "keep_as_loaded",
    "model_of",
    "name_of",
    "plan_of",
    "stated",
]

Source = str | os.PathLike[str] | Mapping[str, Any]
"""A file, or a spec as a mapping."""


def plan_of(
    source: Source | tuple[str, str],
    overrides: Mapping[str, Any],
    allow_python: bool,
    max_memory: int,
    *,
    keeps_network: bool = True,
    whole_data: bool = False,
) -> Plan:
    """The plan of a spec: a file, a mapping, or a text with the name to show for it.

    Raises SpecError, with every problem found, for a spec that cannot be used.
    """
    load = partial(load_text, *source) if isinstance(source, tuple) else partial(load_plan, source)
    return load(
        allow_python=allow_python,
        max_memory=max_memory,
        keeps_network=keeps_network,
        whole_data=whole_data,
        check_codes=check_codes,
        overrides=overrides,
    )


def check_codes() -> list[str]:
    """The codes of findings that a spec can expect of a check."""
    from gradcli.diagnostics.rules import all_rules

    return [code for code in all_rules() if code.startswith(("GC", "SP"))]


def every_spec(
    sources: Sequence[Source | Model], text: tuple[str, str] | None
) -> list[Source | Model | tuple[str, str] | SpecError]:
    """Every single spec meant: folders opened, text last; a folder without specs is an error.

    A file that is reached twice counts once.

    Raises UsageError where there is none at all.
    """
    found: list[Source | Model | tuple[str, str] | SpecError] = []
    files: set[str] = set()
    for source in sources:
        if not isinstance(source, (str, os.PathLike)):
            found.append(source)
            continue
        try:
            new = [file for file in find_specs([source]) if file not in files]
        except UsageError as error:
            found.append(SpecError([SpecProblem("SP001", str(error), str(source))]))
            continue
        found += new
        files.update(new)
    if text is not None:
        found.append(text)
    if not found:
        raise UsageError("there is no spec to check")
    return found


def name_of(source: Source | Model | tuple[str, str] | SpecError) -> str:
    """What a source is called where there is no plan of it."""
    if isinstance(source, SpecError):
        return source.errors[0].file
    if isinstance(source, Model):
        return source.plan.name
    if isinstance(source, tuple):
        return source[1]
    return str(source.get("name", "spec")) if isinstance(source, Mapping) else str(source)


def model_of(plan: Plan) -> Model:
    """The model of a plan; SpecError where that has definitions only."""
    if plan.inputs is None:
        hint = "`gradcli check` checks definitions; a model needs data with a network or a loss"
        message = f"{plan.name} has definitions only: there is no model to load"
        raise SpecError([SpecProblem("SP008", message, plan.file, hint=hint)])
    return Model(plan)


def keep_as_loaded(seed: int | None, dtype: str | None) -> None:
    """Raise UsageError for a seed or a precision given beside a model, which is drawn already."""
    if (seed, dtype) != (None, None):
        raise UsageError("seed, dtype: a loaded model has its own; give them to load")


def stated(**values: Any) -> dict[str, Any]:
    """Those of the values that were given."""
    return {name: value for name, value in values.items() if value is not None}
