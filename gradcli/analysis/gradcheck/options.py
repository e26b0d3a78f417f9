"""How a gradient check is run."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from gradcli.analysis.verdict import GRADES
from gradcli.core.record import Record
from gradcli.errors import UsageError
from gradcli.spec.options import check_required
from gradcli.spec.read_sections import checked_overrides

__all__ = [
    "DEFAULT_BUDGET",
    "CheckOptions",
    "Oracle",
    "check_options",
    "required_error",
    "stated_options",
]

DEFAULT_BUDGET = 1e10
"""Multiply-adds of a check: a few seconds' worth."""

Oracle = Literal["complex", "ladder", "central", "forward"]


class CheckOptions(Record):
    """Options of `check`, resolved.

    `required` is the worst relative error that passes, None for the default of the dtype;
    `entries` the number checked of each tensor, None for every one that the `budget` allows, which
    is in multiply-adds; `step` the fixed step of the `central` and `forward` oracles, None for the
    textbook's optimum. With `self_test` mistakes are planted, to see that they would be caught.
    An `order` of 2 checks products with the Hessian as well.
    """

    seed: int = 0
    required: float | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    wrt: Literal["all", "parameters", "inputs"] = "all"
    entries: int | None = None
    budget: float = DEFAULT_BUDGET
    oracle: Oracle | None = None
    step: float | None = None
    strict: bool = False
    allow_inconclusive: bool = False
    self_test: bool = False
    order: int = 1

    def threshold(self, dtype: str) -> float:
        """Worst relative error that passes, in this precision."""
        if self.required is not None:
            return self.required
        return GRADES["good" if dtype == "float64" else "acceptable"]

    def selects(self, name: str, kind: str) -> bool:
        """Whether a tensor or definition is to be checked."""
        if self.wrt == "parameters" and kind == "input":
            return False
        if self.wrt == "inputs" and kind not in ("input", "definition"):
            return False
        if self.only and not any(fnmatch.fnmatchcase(name, glob) for glob in self.only):
            return False
        return not any(fnmatch.fnmatchcase(name, glob) for glob in self.skip)

    def in_vain(self, names: Sequence[str]) -> list[str]:
        """What `only` asks for that is none of the names."""
        return [
            glob for glob in self.only if not any(fnmatch.fnmatchcase(name, glob) for name in names)
        ]


def stated_options(**written: Any) -> dict[str, Any]:
    """The options that are not None, converted as those of a spec; UsageError for a wrong value."""
    required_error(written.get("require"))
    stated: dict[str, Any] = checked_overrides({"check": written})["check"]
    return stated


def check_options(stated: Mapping[str, Any], seed: int) -> CheckOptions:
    """The options of a check from those stated, the defaults for the rest.

    Raises UsageError for a seed that is none, and for options that do not go together.
    """
    entries = stated.get("entries")
    oracle = stated.get("oracle", "auto")
    check_required("check", stated)
    return CheckOptions(
        seed=checked_overrides({"seed": seed})["seed"],
        required=required_error(stated.get("require")),
        only=_globs(stated.get("only", ())),
        skip=_globs(stated.get("skip", ())),
        wrt=stated.get("wrt", "all"),
        entries=None if entries in (None, "all") else int(entries),
        budget=math.inf if entries == "all" else stated.get("budget", DEFAULT_BUDGET),
        oracle=None if oracle == "auto" else oracle,
        step=stated.get("step"),
        strict=bool(stated.get("strict", False)),
        allow_inconclusive=bool(stated.get("allow_inconclusive", False)),
        self_test=bool(stated.get("self_test", False)),
        order=int(stated.get("order", 1)),
    )


def _globs(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def required_error(value: str | float | None) -> float | None:
    """The relative error that a grade or a number stands for; UsageError for anything else."""
    if value is None:
        return None
    if isinstance(value, str) and value in GRADES:
        return GRADES[value]
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not 0 < number < 1:
        names = ", ".join(GRADES)
        raise UsageError(f"require: expected {names}, or a number between 0 and 1, got {value!r}")
    return number
