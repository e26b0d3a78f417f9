"""Reading the head of a spec, its option sections and what it expects, and what overrides them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gradcli.core.param import Param
from gradcli.errors import UsageError
from gradcli.spec.fields import INVALID, Context, fields, read_value
from gradcli.spec.nodes import Node
from gradcli.spec.options import (
    DTYPES,
    FLOW_VERDICTS,
    SECTIONS,
    Alternative,
    OpOption,
    Option,
    overridden,
    unmet,
)
from gradcli.spec.plan import Expectation
from gradcli.spec.read_choice import choice_of, read_choice

__all__ = [
    "DTYPE",
    "EXPECTED",
    "OUTCOME",
    "SEED",
    "checked_overrides",
    "read_expectation",
    "read_sections",
]

SEED: Final = Param("seed", 0, kind="integer", at_least=0)
DTYPE: Final = Param("dtype", "float64", kind="choice", choices=DTYPES)

_CODE: Final = re.compile(r"(?:G[A-Z]|SP)[0-9]{3}")
OUTCOME: Final = Param("expect", "pass", kind="choice", choices=("pass", "fail"))
_VERDICT: Final = Param("flow", kind="choice", choices=FLOW_VERDICTS)


def _code(value: Any) -> str:
    if isinstance(value, str) and _CODE.fullmatch(value):
        return value
    raise ValueError


_RULE: Final = Alternative(
    "the code of a rule such as GC102", _code, {"type": "string", "pattern": f"^{_CODE.pattern}$"}
)
_CHECK: Final = Option("check", (Alternative("pass or fail", OUTCOME.convert, OUTCOME), _RULE))
EXPECTED: Final[Mapping[str, Param | Option]] = MappingProxyType(
    {option.name: option for option in (_CHECK, _VERDICT)}
)
"""What can be expected, by command."""


def read_sections(
    known: Mapping[str, Node], context: Context, given: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The options of each section, by name with underscores; those given win over the spec's."""
    sections: dict[str, dict[str, Any]] = {}
    for section, options in SECTIONS.items():
        own = given.get(section, {})
        if section not in known or known[section].value is None:
            if own:
                sections[section] = dict(own)
            continue
        written = fields(known[section], tuple(options), context.problems, section) or {}
        read = {
            name: _read_option(child, options[name], context) for name, child in written.items()
        }
        sections[section] = overridden(section, read, own)
        if INVALID in read.values():
            continue
        for name, message in unmet(section, sections[section]).items():
            if name not in own:
                context.problems.add("SP009", message, written[name])
    return sections


def _read_option(node: Node, option: Option | OpOption, context: Context) -> Any:
    if isinstance(option, OpOption):
        return read_choice(node, option, context)
    return read_value(node, option, context.problems)


def read_expectation(node: Node | None, context: Context) -> Expectation:
    """`expect`: pass or fail of the check, or what is expected by command."""
    problems = context.problems
    if node is None:
        return Expectation()
    line = node.key_place.line
    if not node.is_mapping:
        value = read_value(node, OUTCOME, problems, fallback=None)
        return Expectation(check=value, line=line)
    known = fields(node, EXPECTED, problems, "expect") or {}
    check, flow = (
        read_value(known[name], option, problems, fallback=None) if name in known else None
        for name, option in EXPECTED.items()
    )
    if check is not None and check not in OUTCOME.choices and context.check_codes is not None:
        codes = sorted(context.check_codes())
        if check not in codes:
            near = _nearest_code(check, codes)
            hint = f"did you mean {near}?"
            problems.add("SP009", f"check never finds {check}", known["check"], hint=hint)
    return Expectation(check=check, flow=flow, line=line)


def _nearest_code(code: str, codes: list[str]) -> str:
    """The code of the nearest number, of the same family if there is one."""
    return min(
        codes, key=lambda known: (known[:2] != code[:2], abs(int(known[2:]) - int(code[2:])))
    )


def checked_overrides(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the command line, converted as the spec's are; UsageError where one is wrong.

    What is None was not given.
    """
    checked: dict[str, Any] = {}
    for name, value in overrides.items():
        if name in SECTIONS:
            given = {key: item for key, item in value.items() if item is not None}
            for key in given:
                if key not in SECTIONS[name]:
                    raise UsageError(f"{name} has no option {key}")
            checked[name] = {
                key: _converted(SECTIONS[name][key], item) for key, item in given.items()
            }
        elif value is not None:
            option = {"seed": SEED, "dtype": DTYPE}.get(name)
            if option is None:
                raise UsageError(f"a spec has no {name} to override")
            checked[name] = _converted(option, value)
    return checked


def _converted(option: Param | Option | OpOption, value: Any) -> Any:
    if isinstance(option, OpOption):
        return choice_of(value, option)
    try:
        converted = option.convert(value)
    except ValueError as error:
        raise UsageError(f"{option.name} cannot be {value!r}: {error}") from None
    assert converted is not INVALID
    return converted
