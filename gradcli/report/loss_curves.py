"""The curves of losses, over what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from gradcli.analysis.losses.report import Curve, LossResult
from gradcli.report.layout import Piece, paragraph, unbroken
from gradcli.report.loss_words import short_names
from gradcli.report.plot import Line, beside, mark, plot
from gradcli.report.surface import Surface

__all__ = ["draw_curves"]

_SIDE_BY_SIDE: Final = 100
"""Columns from which value and gradient stand next to each other."""

_WIDEST: Final = 140
_INDENT: Final = 2
_JOINED: Final = "\N{NO-BREAK SPACE}"
_VALUE: Final = 12
_GRADIENT: Final = 9
"""Rows of the plots where they stand below each other."""


def draw_curves(results: Sequence[LossResult], surface: Surface) -> list[Text]:
    """A plot of the values and one of the gradients for each axis.

    One loss is drawn for all of its targets; of several losses, each for its first.
    """
    alone = len(results) == 1
    named: dict[str, list[tuple[str, Curve]]] = {}
    for result, short in zip(results, short_names(results), strict=True):
        for curve in result.curves if alone else result.curves[:1]:
            name = curve.target if alone else short
            named.setdefault(curve.axis, []).append((name, curve))
    drawn: list[Text] = []
    for curves in named.values():
        legend = [] if alone and len(curves) == 1 else _legend(curves, surface)
        drawn += [*([Text()] if drawn else []), *legend, *_axis(curves, surface)]
    return drawn


def _axis(curves: Sequence[tuple[str, Curve]], surface: Surface) -> list[Text]:
    across = "; ".join(dict.fromkeys(_across(curve) for _, curve in curves))
    if all(curve.over == curves[0][1].over for _, curve in curves):
        across = curves[0][1].over
    values = [Line(name, curve.x, curve.value) for name, curve in curves]
    gradients = [Line(name, curve.x, curve.gradient) for name, curve in curves]
    room = min(surface.width, _WIDEST) - _INDENT
    wide = surface.width >= _SIDE_BY_SIDE
    width = (room - _INDENT) // 2 if wide else room
    value = plot(values, surface, title="value", across=across, width=width, height=_VALUE)
    gradient = plot(
        gradients,
        surface,
        title="gradient",
        across=across,
        width=width,
        height=_VALUE if wide else _GRADIENT,
    )
    below = beside(value, gradient, surface, _INDENT) if wide else [*value, *gradient]
    return [unbroken(surface, " " * _INDENT).append_text(line) for line in below]


def _across(curve: Curve) -> str:
    return f"{curve.over} for {curve.target}" if curve.target else curve.over


def _legend(curves: Sequence[tuple[str, Curve]], surface: Surface) -> list[Text]:
    """The name of each curve, with its mark where there are several."""
    if len(curves) == 1:
        return paragraph(surface, (curves[0][0], "first"), indent=_INDENT)
    pieces: list[Piece] = []
    for index, (name, _) in enumerate(curves):
        pieces += [mark(index, surface), f" {name.replace(' ', _JOINED)}   "]
    return paragraph(surface, *pieces, indent=_INDENT)
