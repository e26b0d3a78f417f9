"""What a loss claims of itself, tried against the laws at the options that it is shown at."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from gradcli.analysis.losses.report import Claim
from gradcli.core.op import Loss, Options, at_options
from gradcli.core.param import Param
from gradcli.core.traits import LossTraits, stated
from gradcli.testing import LAWS, Case, Law, LawBroken, LawUndecided

__all__ = ["gradients_of", "tried_claims"]

_ARITHMETIC: Final = {
    "formula": ("formula",),
    "gradient": ("derivative formula", "complex step"),
}
"""Laws that say that value and pullback are what is written."""

_TOGETHER: Final = {"measure": "kinks"}
"""A claim that means nothing without another one, and is tried with it."""

_REACH: Final = 30.0
"""By how much an option may exceed those that the laws are tried at: beyond it, they cannot always
tell a constant from what is not reached within the range of floating point."""


_CLOSE: Final = 1e-4
"""Of 1, or of the option where that is larger: how near a value at which the laws are tried another
may be for them. A loss can change its kind at such a value, and nearer by does so only beyond the
range in which they look."""


def tried_claims(op: Loss, options: Options, traits: LossTraits | None) -> dict[str, Claim]:
    """Formula, gradient and stated traits by field, each tried against the laws about it."""
    case = Case(op, options)
    beyond = next((text for param in op.params if (text := _beyond(param, options))), "")
    laws = {name: tuple(LAWS[law] for law in those) for name, those in _ARITHMETIC.items()}
    values: dict[str, Any] = {
        "formula": at_options(op.formula, options),
        "gradient": gradients_of(op, options),
    }
    for name, value in ({} if traits is None else stated(traits)).items():
        if name not in _TOGETHER or value:
            values[name] = value
            about = _TOGETHER.get(name, name)
            laws[name] = tuple(law for law in LAWS.values() if law.about == about)
    tried = {name: _tried(case, value, laws[name], beyond) for name, value in values.items()}
    near = next((text for param in op.params if (text := _near(param, options))), "")
    if near:
        for name in tried.keys() - _ARITHMETIC.keys():
            if tried[name].verdict == "broken":
                tried[name] = Claim(values[name], "unchecked", tried[name].laws, near)
    return tried


def gradients_of(op: Loss, options: Options) -> dict[str, str]:
    """The gradient as written, by the rows that it is with respect to; {} for none."""
    written = op.gradient(**options) if callable(op.gradient) else op.gradient
    if isinstance(written, str):
        return {"p": written} if written else {}
    return dict(written)


def _tried(case: Case, value: object, laws: tuple[Law, ...], beyond: str) -> Claim:
    those = [law for law in laws if law.applies(case)]
    if beyond or not those:
        return Claim(value, "unchecked", message=beyond or "no law is about it here")
    names = tuple(law.name for law in those)
    for law in those:
        try:
            with np.errstate(over="raise", divide="raise", invalid="raise"):
                law.check(case)
        except (LawUndecided, FloatingPointError) as error:
            return Claim(value, "unchecked", names, str(error))
        except LawBroken as error:
            return Claim(value, "broken", names, str(error))
    return Claim(value, "holds", names)


def _beyond(param: Param, options: Options) -> str:
    """Why the laws cannot answer for this option's value; nothing where they can."""
    value = options[param.name]
    if param.kind != "number" or not param.sweep or value is None or value in param.sweep:
        return ""
    tried = [each for each in param.sweep if each is not None]
    low, high = max(param.above, param.at_least), min(param.below, param.at_most)
    room = min([abs(each - end) for each in tried for end in (low, high) if each != end])
    near = any(abs(value - end) < room / _REACH for end in (low, high) if math.isfinite(end))
    far = abs(value) > _REACH * max(map(abs, tried))
    if not (near or far):
        return ""
    ends = " and ".join(f"{each:g}" for each in (min(tried), max(tried)))
    return f"{param.name} = {value:g} is far from {ends}, between which the laws are tried"


def _near(param: Param, options: Options) -> str:
    """Why a law that looks at the whole loss may take this option's value for another one."""
    value = options[param.name]
    if param.kind != "number" or value is None:
        return ""
    for each in param.sweep:
        if each is not None and 0 < abs(value - each) < _CLOSE * max(1.0, abs(each)):
            return f"{param.name} = {value!r} is too near {each:g}, where the laws are tried too"
    return ""
