"""Each loss with its curves, where its gradient vanishes, and its claims tried."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from gradcli.analysis.losses.axes import EVERYWHERE, Axis, axis_of, axis_of_groups, slopes
from gradcli.analysis.losses.choose import Chosen, named_losses, on_one_group, spec_losses
from gradcli.analysis.losses.claims import gradients_of, tried_claims
from gradcli.analysis.losses.curves import curves, pulls, zeros
from gradcli.analysis.losses.distributions import Chances, compare
from gradcli.analysis.losses.measured import differs, is_of_residual, measured
from gradcli.analysis.losses.report import Claim, LossReport, LossResult, invalid_losses
from gradcli.core.op import at_options
from gradcli.core.record import Record
from gradcli.core.references import REFERENCES
from gradcli.core.traits import LossTraits
from gradcli.errors import SpecError, UsageError
from gradcli.spec.plan import Plan
from gradcli.testing import Case
from gradcli.testing.loss_laws import bends

__all__ = ["show_losses"]

Window = tuple[float, float]
Progress = Callable[[int, int], None]

_OURS: Final = "gradcli."
_WIDEST: Final = 1e6
"""Beyond it a bend is not drawn unless it is asked for."""
_FARTHEST: Final = 1e300
"""Beyond it nothing is drawn: distances between points would overflow."""
_CLOSEST: Final = 1e-300
"""Nor over less: they would not be normal numbers."""


class _Drawn(Record):
    """A loss with the axis over which it is drawn, and where it bends."""

    chosen: Chosen
    traits: LossTraits | None
    axis: Axis
    bends: tuple[float, ...]

    @property
    def window(self) -> Window:
        """What shows every bend, and as much again."""
        low, high = self.axis.window
        reach = 2 * max((abs(bend) for bend in self.bends if abs(bend) < _WIDEST), default=0.0)
        start, end = self.axis.domain
        return (max(min(low, -reach), start), min(max(high, reach), end)) if reach else (low, high)


def show_losses(
    items: Sequence[str | Plan | LossResult],
    params: Mapping[str, Any],
    window: Window | None = None,
    chances: Chances | None = None,
    progress: Progress | None = None,
) -> LossReport:
    """A result for each loss: one by name, those of a spec, or what is known to be invalid.

    `params` go to the losses by name. Curves over one and the same variable share their window.
    With `chances`, the losses are compared at two distributions instead.

    Raises UsageError for a window in which a loss is not defined, and where names, parameters or
    chances do not fit.
    """
    if not items:
        raise UsageError("there is no loss to show")
    if window is not None and chances is not None:
        raise UsageError("window: only for curves, not for two distributions")
    named = named_losses([item for item in items if isinstance(item, str)], params)
    found: list[Chosen | LossResult] = []
    for item in items:
        if isinstance(item, Plan):
            try:
                found += spec_losses(item)
            except SpecError as error:
                found.append(invalid_losses(item.file or item.name, error))
        else:
            found.append(named[item] if isinstance(item, str) else item)
    chosen = list({id(each): each for each in found if isinstance(each, Chosen)}.values())
    invalid = [each for each in found if isinstance(each, LossResult)]
    with np.errstate(all="ignore"):  # what overflows is not drawn, and decides no claim
        if chances is None:
            results = _analysed(chosen, window, progress)
        else:
            results = [_compared(each, chances) for each in chosen]
    return LossReport((*results, *invalid))


def _analysed(
    chosen: Sequence[Chosen], window: Window | None, progress: Progress | None
) -> list[LossResult]:
    drawn = [_prepared(on_one_group(each)) for each in chosen]
    windows: dict[str, list[Window]] = {}
    for each in drawn:
        windows.setdefault(each.axis.name, []).append(window or each.window)
    results = []
    for count, each in enumerate(drawn):
        if progress is not None:
            progress(count, len(drawn))
        lows, highs = zip(*windows[each.axis.name], strict=True)
        start, end = each.axis.domain if window is None else EVERYWHERE
        shown = _result(each, (max(min(lows), start), min(max(highs), end)))
        results.append(replace(shown, options=dict(chosen[count].options)))
    return results


def _prepared(chosen: Chosen) -> _Drawn:
    op, definition = chosen.op, chosen.definition
    traits, reads = op.traits_at(chosen.options), op.reads_at(chosen.options)
    if definition is not None:
        argument = "residual" if is_of_residual(definition) else "prediction"
        domains = (definition.domain.get(name, EVERYWHERE) for name in ("p", "y"))
        axis = axis_of(argument, reads, *domains)
        return _Drawn(chosen, traits, axis, ())
    if traits is None:
        return _Drawn(chosen, None, axis_of("logits", reads, EVERYWHERE), ())
    if op.couples_rows:
        axis = axis_of_groups(op.rows_at(chosen.options))
        ends = {end for zero in zeros(op, chosen.options, axis) for end in (zero.low, zero.high)}
        return _Drawn(chosen, traits, axis, tuple(sorted(filter(math.isfinite, ends))))
    axis = axis_of(traits.argument, reads, traits.domain)
    places = bends(Case(op, chosen.options)) if traits.argument == "residual" else []
    return _Drawn(chosen, traits, axis, tuple(places))


def _result(drawn: _Drawn, window: Window) -> LossResult:
    chosen, axis = drawn.chosen, drawn.axis
    op, options, definition = chosen.op, chosen.options, chosen.definition
    low, high = max(axis.domain[0], -_FARTHEST), min(axis.domain[1], _FARTHEST)
    if not (low <= window[0] < window[1] <= high and window[1] - window[0] >= _CLOSEST):
        hint = f"; it needs two numbers from {low:g} to {high:g}, the lower one first"
        raise UsageError(f"{op.name} cannot be drawn from {window[0]:g} to {window[1]:g}{hint}")
    claims = {} if definition is not None else tried_claims(op, options, drawn.traits)
    found: dict[str, Any] = {}
    gap = None
    if definition is not None:
        found = measured(definition, axis)
        if definition.claim is not None:
            gap = differs(definition, lambda side, x: slopes(op, options, side, x)[1], axis)
    return replace(
        _described(chosen, claims),
        measured=found,
        differs=gap,
        bends=drawn.bends,
        curves=tuple(curves(op, options, axis, window)),
        zeros=tuple(zeros(op, options, axis, window)),
        pulls=tuple(pulls(op, options, axis)),
    )


def _compared(chosen: Chosen, chances: Chances) -> LossResult:
    found = compare(chosen.op, chosen.options, chances)
    return replace(_described(chosen, {}), comparison=found)


def _described(chosen: Chosen, claims: Mapping[str, Claim]) -> LossResult:
    """What its definition says of a loss."""
    op, options = chosen.op, chosen.options
    broken = any(claim.verdict == "broken" for claim in claims.values())
    return LossResult(
        name=chosen.name,
        verdict="fail" if broken else "pass",
        spec=chosen.spec,
        op=op.name,
        builtin=chosen.definition is None and op.function.__module__.startswith(_OURS),
        options=dict(options),
        weight=chosen.weight,
        summary=op.summary if chosen.definition is None else "",
        formula=at_options(op.formula, options),
        gradients=gradients_of(op, options),
        reads=op.reads_at(options),
        mean_over="elements" if op.elementwise else "groups" if op.couples_rows else "rows",
        claims=dict(claims),
        references={key: REFERENCES[key] for key in _cited(op.references, claims)},
    )


def _cited(keys: Sequence[str], claims: Mapping[str, Claim]) -> list[str]:
    """The op's own sources, and that of its breakdown point."""
    breakdown = claims.get("breakdown")
    more = [] if breakdown is None or breakdown.value is None else [breakdown.value["reference"]]
    return list(dict.fromkeys([*keys, *more]))
