"""What a run gives reason to say, with its rules, each dated by its step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

import numpy as np

from gradcli.analysis.training.breakdown import Breakdown, Underflow
from gradcli.analysis.training.report import CheckedStep, Step, TrainVerdict
from gradcli.analysis.training.score import Score
from gradcli.core.record import Record
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding

__all__ = ["Told", "findings_of"]

_DIVERGED: Final = 10.0
"""Times the first loss, of the first batch or of all data, beyond which a run has gone off."""

_LASTING: Final = 3
"""Steps in a row, up to the last, that have to be off."""

_SPIKE: Final = 2.0
_DEVIATIONS: Final = 8.0
_WINDOW: Final = 20
_EARLIEST: Final = 10
"""A spike is this many times the median of the last 20 losses (at least 10 of them), and eight of
their median deviations above it."""

_FLAT: Final = 0.02
_LONG: Final = 40
"""A plateau: less than 2 % of the loss of all data gained, in at least 40 steps."""

_LARGE: Final = 0.1
_OFTEN: Final = 0.5
_LOST: Final = 0.2
_UNDERFLOW: Final = 0.05
_COLLAPSED: Final = 0.05
_IDLE: Final = 10


class Told(Record):
    """What a run knows of itself at its end; `first` and `last` are of all data."""

    file: str
    steps: Sequence[Step]
    checks: Sequence[CheckedStep]
    breakdown: Breakdown | None
    underflow: Underflow | None
    clips: str
    first: Score
    last: Score


def findings_of(told: Told) -> tuple[tuple[Finding, ...], TrainVerdict]:
    """Everything found, the gravest first, and what the run amounts to."""
    found: list[Finding] = []
    for rule in (_broken, _diverged, _failed_checks, _underflow, _plateau, _spikes, _updates,
                 _units, _collapse, _idle, _conflict, _clipping):  # fmt: skip
        found += [each.replace(file=told.file) for each in rule(told)]
    codes = {each.code for each in found if each.severity != "note"}
    verdict: TrainVerdict = "learning"
    if "GT102" in codes:
        verdict = "diverged"
    elif "GT101" in codes:
        verdict = "non-finite"
    elif "GT114" in codes:
        verdict = "rising"
    elif "GT104" in codes:
        verdict = "plateau"
    return tuple(found), verdict


def _broken(told: Told) -> Iterator[Finding]:
    broken = told.breakdown
    if broken is not None:
        what = {
            "forward": "its output",
            "loss": "the loss",
            "backward": "its gradient",
        }[broken.phase]
        yield finding(
            "GT101",
            broken.where,
            f"{what} is no longer finite at step {broken.number}; the run ends there",
            data={"step": broken.number, "phase": broken.phase},
        )


def _diverged(told: Told) -> Iterator[Finding]:
    """The loss has left its first size for good; dated by the last step at which it had not."""
    steps = told.steps
    if len(steps) < 2:
        return
    losses = [step.loss for step in steps]
    usual = [loss for loss in (losses[0], told.first.loss) if math.isfinite(loss)]
    limit = max(usual, default=0.0) + _DIVERGED * max(map(abs, usual), default=0.0)
    began = len(losses)
    while began > 1 and not losses[began - 1] <= limit:
        began -= 1
    start, off = steps[began - 1], losses[began:]
    if not off:
        return
    if told.breakdown is None:
        if len(off) < _LASTING or told.last.loss <= limit:
            return
    elif all(map(math.isnan, off)) and not _leaps(start):
        return
    layer = max(
        start.layers,
        key=lambda each: each.update_ratio if math.isfinite(each.update_ratio) else math.inf,
    )
    where = f"from {losses[0]:.3g} to {losses[-1]:.3g}"
    yield finding(
        "GT102",
        layer.name,
        f"the loss goes {where}, off since step {start.number}, where this layer changes the most: "
        f"by {layer.update_ratio:.2g} of its weights at a gradient of norm "
        f"{layer.gradient_norm:.3g}",
        data={"step": start.number, "layer": layer.name, "update_ratio": layer.update_ratio},
    )


def _leaps(step: Step) -> bool:
    """Whether a layer leaves its weights behind: what is no number after that has run off."""
    return any(not layer.update_ratio <= 1 for layer in step.layers)


def _failed_checks(told: Told) -> Iterator[Finding]:
    for check in told.checks:
        if check.verdict == "fail":
            yield finding(
                "GT112",
                ", ".join(check.failed) or "the network",
                f"the gradient check fails at the point reached after step {check.number}: "
                f"relative error {check.max_rel_error:.3g}",
                data={"step": check.number, "tensors": list(check.failed)},
            )


def _underflow(told: Told) -> Iterator[Finding]:
    found = told.underflow
    if found is not None and found.lost > _UNDERFLOW:
        yield finding(
            "GT108",
            found.worst,
            f"{found.lost:.0%} of the gradient's entries are zero in float16 and not in float32 at "
            f"step {found.number}; a loss scale of 2^{round(math.log2(found.needed))} would save "
            "nearly all of them",
            data={"step": found.number, "lost": found.lost, "loss_scale": found.needed},
        )


def _plateau(told: Told) -> Iterator[Finding]:
    losses = np.array([step.loss for step in told.steps])
    before, after = told.first.loss, told.last.loss
    if not np.isfinite([*losses, before, after]).all():
        return
    scale, gained = abs(before), before - after
    if gained < -_FLAT * scale and not told.steps[-1].annealed and not any(_diverged(told)):
        yield finding(
            "GT114",
            "loss",
            f"the loss of all data is {after:.4g} after the run, {before:.4g} before: it has risen",
            data={"before": before, "after": after},
        )
    if len(losses) < _LONG:
        return
    if abs(gained) < _FLAT * scale:
        ends = told.steps[0].number, told.steps[-1].number
        yield finding(
            "GT104",
            "loss",
            f"the loss of all data is {after:.4g} after the run, {before:.4g} before: nothing is "
            f"learned from step {ends[0]} to {ends[1]}",
            data={"from": ends[0], "to": ends[1], "loss": after},
        )
        return
    if gained < 0:
        return
    begin = _flat_since(losses, scale)
    if len(losses) - begin >= max(_LONG // 2, len(losses) // 4):
        yield finding(
            "GT113",
            "loss",
            f"the loss hardly falls any more from step {told.steps[begin].number} on, where it is "
            f"{float(np.median(losses[begin:])):.4g}",
            data={
                "from": told.steps[begin].number,
                "to": told.steps[-1].number,
                "loss": float(np.median(losses[begin:])),
            },
        )


def _flat_since(losses: np.ndarray, scale: float) -> int:
    """The first step from which on means over windows differ from the last by little."""
    window = max(len(losses) // 20, 1)
    count = len(losses) // window
    means = losses[len(losses) - count * window :].reshape(count, window).mean(axis=1)
    begin = count
    while begin > 0 and means[begin - 1] - means[-1] < _FLAT * scale / 2:
        begin -= 1
    return len(losses) - (count - begin) * window


def _spikes(told: Told) -> Iterator[Finding]:
    losses = [step.loss for step in told.steps]
    found: list[int] = []
    for index in range(_EARLIEST, len(losses)):
        before = np.array(losses[max(0, index - _WINDOW) : index])
        middle = float(np.median(before))
        deviation = float(np.median(np.abs(before - middle)))
        if (
            math.isfinite(losses[index])
            and losses[index] > _SPIKE * middle > 0
            and losses[index] > middle + _DEVIATIONS * deviation
            and (not found or index - found[-1] > 1)
        ):
            found.append(index)
    diverged = next(_diverged(told), None)
    if diverged is not None:
        found = [index for index in found if told.steps[index].number < diverged.data["step"]]
    if not found:
        return
    worst = max(found, key=lambda index: losses[index])
    step, usual = told.steps[worst], told.steps[max(0, worst - _WINDOW) : worst]
    medians = {
        layer.name: float(np.median([each.layers[i].gradient_norm for each in usual]))
        for i, layer in enumerate(step.layers)
    }
    layer = max(step.layers, key=lambda each: each.gradient_norm / (medians[each.name] or 1.0))
    others = f", and {len(found) - 1} more" if len(found) > 1 else ""
    yield finding(
        "GT103",
        layer.name,
        f"the loss jumps to {step.loss:.4g} at step {step.number}{others}; this layer's gradient "
        f"grows the most there, {layer.gradient_norm / (medians[layer.name] or 1.0):.2g} times",
        data={"steps": [told.steps[index].number for index in found], "loss": step.loss},
    )


def _updates(told: Told) -> Iterator[Finding]:
    """Layers whose typical step is a good part of their weights."""
    steps = [step for step in told.steps if not step.skipped]
    if len(steps) < _EARLIEST:
        return
    for index, layer in enumerate(steps[0].layers):
        ratios = [step.layers[index].update_ratio for step in steps[1:]]
        typical = float(np.median(ratios))
        if typical > _LARGE and steps[0].layers[index].weight_norm > 0:
            yield finding(
                "GT106",
                layer.name,
                f"half of its steps change its weights by more than {typical:.2g} of their norm",
                data={"update_ratio": typical},
            )


def _units(told: Told) -> Iterator[Finding]:
    """Layers that lose units on all data; a batch only dates it, since few rows reach few units."""
    for index, layer in enumerate(told.steps[0].layers if told.steps else ()):
        if layer.name not in told.first.units or layer.name not in told.last.units:
            continue
        for kind in ("dead", "saturated"):
            before = getattr(told.first.units[layer.name], kind)
            after = getattr(told.last.units[layer.name], kind)
            if after - before < _LOST:
                continue
            since = told.steps[-1].number
            for step in reversed(told.steps):
                if (getattr(step.layers[index], kind) or 0.0) - before < _LOST:
                    break
                since = step.number
            yield finding(
                "GT107",
                layer.name,
                f"{after:.0%} of its units are {kind} on all data at the end, {before:.0%} at the "
                f"start; a fifth more since step {since}",
                data={"kind": kind, "before": before, "after": after, "step": since},
            )


def _collapse(told: Told) -> Iterator[Finding]:
    steps = [step for step in told.steps if step.embeddings is not None]
    if len(steps) < 2:
        return
    first, last = steps[0].embeddings, steps[-1].embeddings
    assert first is not None
    assert last is not None
    if last.spread < _COLLAPSED * first.spread and last.active > _OFTEN:
        since = next(
            step.number
            for step in steps
            if step.embeddings is not None and step.embeddings.spread < _COLLAPSED * first.spread
        )
        yield finding(
            "GT111",
            "loss",
            f"the embeddings have shrunk to {last.spread / first.spread:.2g} of their spread since "
            f"step {since}, with {last.active:.0%} of the triplets still inside the margin: all "
            "rows become one point",
            data={"step": since, "spread": last.spread, "active": last.active},
        )


def _idle(told: Told) -> Iterator[Finding]:
    last = [step.embeddings for step in told.steps[-_IDLE:]]
    if len(last) == _IDLE and all(each is not None and each.active == 0 for each in last):
        number = told.steps[-1].number
        while number > told.steps[0].number:
            each = told.steps[number - told.steps[0].number - 1].embeddings
            if each is None or each.active:
                break
            number -= 1
        yield finding(
            "GT110",
            "loss",
            f"no pair or triplet is inside the margin from step {number} on: there is nothing to "
            "learn from these",
            data={"step": number},
        )


def _conflict(told: Told) -> Iterator[Finding]:
    """Tasks whose gradients point against each other in most steps."""
    steps = [step.tasks for step in told.steps if step.tasks]
    if not steps:
        return
    for first, second in combinations([task.name for task in steps[0]], 2):
        angles = [task.conflicts[second] for tasks in steps for task in tasks if task.name == first]
        known = [angle for angle in angles if math.isfinite(angle)]
        if known and np.mean([angle < 0 for angle in known]) > _OFTEN:
            yield finding(
                "GT109",
                f"{first} and {second}",
                f"their gradients point against each other in "
                f"{np.mean([angle < 0 for angle in known]):.0%} of the steps, with a mean cosine "
                f"of {np.mean(known):.2f}",
                data={"cosine": float(np.mean(known))},
            )


def _clipping(told: Told) -> Iterator[Finding]:
    clips = [step.clip for step in told.steps if step.clip is not None]
    cut = [clip for clip in clips if clip.factor < 1]
    if clips and len(cut) > _OFTEN * len(clips):
        factor = float(np.median([clip.factor for clip in cut]))
        yield finding(
            "GT105",
            "loss",
            f"clipping by {told.clips} cuts {len(cut)} of {len(clips)} steps, half of them to less "
            f"than {factor:.2g} of their norm: it acts as a smaller learning rate",
            data={"clipped": len(cut), "of": len(clips), "factor": factor},
        )
