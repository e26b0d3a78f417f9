"""The rules: one class each, whose docstring is what `gradcli explain CODE` shows.

A rule's name is what it found, in the words of its code table; its docstring has the headings
*Meaning*, *Likely cause*, *What to look at*, *Example*. Rules live in the modules of this package
whose names end in `_rules`, and are loaded when one of them is first needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

from gradcli import diagnostics
from gradcli.diagnostics.finding import Finding, Severity

__all__ = ["RULES", "Rule", "all_rules", "finding", "rule"]


class Rule:
    """A code, the name that goes with it, and how severe it is unless said otherwise."""

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity] = "error"


RULES: dict[str, type[Rule]] = {}


def rule(cls: type[Rule]) -> type[Rule]:
    """Enter a rule in the table by its code."""
    if cls.code in RULES:
        raise ValueError(f"{cls.code} is defined twice")
    RULES[cls.code] = cls
    return cls


def all_rules() -> dict[str, type[Rule]]:
    """Every rule by code, in the order of the codes, whichever module it is in."""
    import pkgutil  # a report without findings does without

    for module in pkgutil.iter_modules(diagnostics.__path__):
        if module.name.endswith("_rules"):
            importlib.import_module(f"{diagnostics.__name__}.{module.name}")
    return dict(sorted(RULES.items()))


def finding(
    code: str,
    where: str,
    message: str,
    *,
    severity: Severity | None = None,
    file: str = "",
    line: int = 0,
    data: Mapping[str, Any] | None = None,
) -> Finding:
    """A finding of the rule with this code."""
    known = RULES[code] if code in RULES else all_rules()[code]
    return Finding(
        code, known.name, severity or known.severity, where, message, file, line, data or {}
    )
