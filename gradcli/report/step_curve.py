"""The error of differences over their step, drawn on its side: a row a decade, a V of bars."""

from __future__ import annotations

import math
from typing import Final

from gradcli.analysis.gradcheck.step_size import StepCurve

__all__ = ["curve_lines", "curve_words"]

_BAR: Final = 12
_LEAST: Final = -16
"""The decade of an error that has no bar: rounding."""

_METHODS: Final = {"forward": "√ε", "central": "ε^(1/3)"}


def curve_words(curve: StepCurve) -> str:
    """Where the errors are least, and where the rules of thumb would have them."""
    said = [f"Median relative errors over {curve.entries} entries whose derivative is known."]
    for method, rule in _METHODS.items():
        step, error = curve.best(method)
        said.append(
            f"{method.capitalize()} differences are best with a step of {step:.1e}, with an error "
            f"of {error:.1e}; by rule of thumb it is {rule} = {curve.rules_of_thumb[method]:.1e}."
        )
    return " ".join([*said, "Steps are relative to the size of the entry that they move."])


def curve_lines(curve: StepCurve) -> str:
    """A row a decade of the step, with a bar from 1e-16 up to the error of each method."""
    lines = [f"{'step':<8}{'forward':<{_BAR + 10}}{'central':<{_BAR + 10}}".rstrip()]
    decades = range(round(math.log10(curve.steps[0])), round(math.log10(curve.steps[-1])) - 1, -1)
    for decade in decades:
        at = min(range(len(curve.steps)), key=lambda i: abs(math.log10(curve.steps[i]) - decade))
        cells = [_cell(getattr(curve, method)[at]) for method in _METHODS]
        lines.append(f"{f'1e{decade}':<8}{''.join(cells)}{_marks(curve, decade)}".rstrip())
    return "\n".join(lines)


def _cell(error: float) -> str:
    number = f"{error:.0e}" if math.isfinite(error) else "-"
    return f"{_bar(error):<{_BAR + 1}}{number:<9}"


def _bar(error: float) -> str:
    if not math.isfinite(error) or error <= 0:
        return ""
    share = min(max((math.log10(error) - _LEAST) / -_LEAST, 0.0), 1.0)
    halves = max(1, round(2 * _BAR * share))
    return "█" * (halves // 2) + "▌" * (halves % 2)


def _marks(curve: StepCurve, decade: int) -> str:
    """The rules of thumb and the best steps that lie nearest to this decade."""
    said = []
    for method, rule in _METHODS.items():
        if round(math.log10(curve.best(method)[0])) == decade:
            said.append(f"best {method}")
        if round(math.log10(curve.rules_of_thumb[method])) == decade:
            said.append(rule)
    return f"← {', '.join(said)}" if said else ""
