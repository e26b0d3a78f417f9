"""What a training run did, in words and numbers: shared by every rendering of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from gradcli.analysis.training.report import LayerStep, Step, TrainReport, TrainResult
from gradcli.errors import ExitCode
from gradcli.report.bars import decades
from gradcli.report.characters import NOTHING
from gradcli.report.words import Status, plural

__all__ = [
    "APPROXIMATION_HEADINGS",
    "HARDEST_HEADINGS",
    "LAYER_HEADINGS",
    "approximation_rows",
    "exit_line",
    "hardest_rows",
    "layer_rows",
    "makeup",
    "step_columns",
    "step_rows",
    "summary",
    "train_status",
]

_BARS: Final = 16
_ROWS: Final = 12
"""Steps that a table shows."""


def figure(value: float | None, digits: int = 3) -> str:
    """A number to a few digits; a dash for what was not measured."""
    return NOTHING if value is None or math.isnan(value) else f"{value:.{digits}g}"


def share(value: float | None) -> str:
    """A part of a whole in percent."""
    return NOTHING if value is None or math.isnan(value) else f"{value:.0%}" if value else "0"


def train_status(result: TrainResult) -> Status:
    """The verdict with its symbol."""
    if result.verdict == "invalid":
        return Status("✗", "INVALID", "bad")
    if result.verdict == "learning":
        if result.exit_code != ExitCode.OK:
            return Status("✗", "learning", "bad")
        return Status("✓", "learning", "good")
    if result.verdict in ("plateau", "rising"):
        return Status("!", result.verdict, "doubt" if result.passed else "bad")
    return Status("✗", result.verdict.upper(), "bad")


def makeup(result: TrainResult) -> str:
    """What was trained, on what and how, in a line."""
    parts = [
        f"{plural(result.parameters, 'parameter')}",
        f"{plural(result.examples, 'example')} in batches of {result.batch:,}",
    ]
    if result.accumulate > 1:
        parts.append(f"{result.accumulate} of them a step")
    rate = result.steps[0].learning_rate if result.steps else math.nan
    parts.append(f"{result.optimizer}, learning rate {figure(rate)}")
    if result.schedule != "constant":
        parts.append(result.schedule)
    if result.clipping:
        parts.append(f"clipped by {result.clipping}")
    if result.curriculum:
        parts.append(result.curriculum)
    return "; ".join([*parts, result.precision])


def summary(result: TrainResult) -> list[tuple[str, str]]:
    """The figures of the whole run, by heading."""
    steps = result.steps
    done = plural(len(steps), "step")
    if result.started:
        done += f" after the {result.started:,} before"
    lines = [
        ("loss", f"{figure(result.first_loss, 4)} to {figure(result.last_loss, 4)} on all data, "
                 f"in {done}"),
    ]  # fmt: skip
    if result.accuracy is not None:
        lines.append(("accuracy", f"{result.accuracy[0]:.1%} to {result.accuracy[1]:.1%}"))
    if steps:
        norms = [step.gradient_norm for step in steps]
        lines.append(("gradient", f"norm {figure(norms[0])} to {figure(norms[-1])}, at most "
                                  f"{figure(max(norms))}"))  # fmt: skip
    lines += _clipping(result)
    scales = [step.loss_scale for step in steps if step.loss_scale is not None]
    if scales:
        skipped = sum(step.skipped for step in steps)
        lines.append(("loss scale", f"2^{math.log2(scales[0]):g} to 2^{math.log2(scales[-1]):g}, "
                                    f"{plural(skipped, 'step')} skipped"))  # fmt: skip
    if steps and steps[-1].tasks:
        tasks = ", ".join(
            f"{task.name} {figure(task.weight)} (gradient {figure(task.gradient_norm)})"
            for task in steps[-1].tasks
        )
        lines.append(("weights", tasks))
    if steps and steps[-1].embeddings is not None:
        first, last = steps[0].embeddings, steps[-1].embeddings
        assert first is not None
        said = f"active {share(first.active)} to {share(last.active)}, spread "
        said += f"{figure(first.spread)} to {figure(last.spread)}"
        if first.hardness is not None and last.hardness is not None:
            said += f", hardness {figure(first.hardness)} to {figure(last.hardness)} margins"
        lines.append(("embeddings", said))
    if steps and steps[-1].annealed:
        said = ", ".join(
            f"{name} {figure(first)} to {figure(steps[-1].annealed[name])}"
            for name, first in steps[0].annealed.items()
        )
        lines.append(("annealed", said))
    if result.checks:
        verdicts = ", ".join(
            f"step {check.number} {check.verdict} ({check.max_rel_error:.1e})"
            for check in result.checks
        )
        lines.append(("checked", verdicts))
    return lines


def _clipping(result: TrainResult) -> list[tuple[str, str]]:
    clips = [step.clip for step in result.steps if step.clip is not None]
    if not clips:
        return []
    kind = result.clipping.split()[0]
    other = "value" if kind == "norm" else "norm"
    own = _cut([(clip.factor, clip.cosine) for clip in clips])
    tried = _cut([(clip.other_factor, clip.other_cosine) for clip in clips])
    return [("clipped", f"by {kind}: {own}; at the same limit by {other} it would be {tried}")]


def _cut(clips: Sequence[tuple[float, float]]) -> str:
    """How many of the steps are cut, to how much of the norm, and by which angle turned."""
    cut = [(factor, cosine) for factor, cosine in clips if factor < 1]
    said = f"{len(cut)} of {plural(len(clips), 'step')}"
    if not cut:
        return said
    factor, cosine = (sum(each) / len(cut) for each in zip(*cut, strict=True))
    angle = math.degrees(math.acos(min(1.0, cosine)))
    return f"{said}, to {share(factor)} of the norm, turned by {angle:.0f}°"


class Column(NamedTuple):
    """A column of the table of steps: its heading, and how a step's cell is written."""

    heading: str
    text: Callable[[Step], str]


_COLUMNS: Final = (
    Column("step", lambda step: f"{step.number:,}"),
    Column("loss", lambda step: figure(step.loss, 4)),
    Column("gradient", lambda step: figure(step.gradient_norm)),
    Column("lr", lambda step: figure(step.learning_rate)),
    Column("clipped to", lambda step: NOTHING if step.clip is None else share(step.clip.factor)),
    Column("loss scale", lambda step: NOTHING if step.loss_scale is None
           else f"2^{math.log2(step.loss_scale):g}" + (" skipped" if step.skipped else "")),
    Column("active", lambda step: NOTHING if step.embeddings is None
           else share(step.embeddings.active)),
    Column("trained on", lambda step: share(step.trained_on)),
    Column("zeros", lambda step: share(step.zeros)),
)  # fmt: skip


def step_columns(result: TrainResult) -> list[Column]:
    """The columns in which anything stands, and one for each task's weight."""
    shown = [
        column for column in _COLUMNS if any(column.text(step) != NOTHING for step in result.steps)
    ]
    for index, task in enumerate(result.steps[0].tasks if result.steps else ()):
        shown += [
            Column(f"w {task.name}", partial(_task_figure, index, "weight")),
            Column(f"‖g‖ {task.name}", partial(_task_figure, index, "gradient_norm")),
        ]
    return shown


def _task_figure(index: int, what: str, step: Step) -> str:
    return figure(getattr(step.tasks[index], what))


def step_rows(result: TrainResult) -> list[Step]:
    """The steps to show: the first, the last, those that findings date, and evenly between."""
    steps = result.steps
    if len(steps) <= _ROWS:
        return list(steps)
    dated = {
        number
        for found in result.findings
        for number in [found.data.get("step"), *found.data.get("steps", ())[:3]]
        if isinstance(number, int)
    }
    even = {round(i * (len(steps) - 1) / (_ROWS - 1)) for i in range(_ROWS)}
    return [step for index, step in enumerate(steps) if index in even or step.number in dated]


LAYER_HEADINGS: Final = (
    "layer", "gradient over the steps", "first", "last", "update/weight", "dead", "saturated",
)  # fmt: skip


def layer_rows(result: TrainResult) -> list[tuple[str, ...]]:
    """A row a layer under `LAYER_HEADINGS`: its gradient over the steps, updates, lost units."""
    rows: list[tuple[str, ...]] = []
    for index, first in enumerate(result.steps[0].layers if result.steps else ()):
        over = [step.layers[index] for step in result.steps]
        ratios = sorted(layer.update_ratio for layer in over if math.isfinite(layer.update_ratio))
        last = over[-1]
        rows.append(
            (
                first.name,
                decades([layer.gradient_norm for layer in over], _BARS) or NOTHING,
                figure(first.gradient_norm),
                figure(last.gradient_norm),
                figure(ratios[len(ratios) // 2] if ratios else None, 2),
                _change(over, "dead"),
                _change(over, "saturated"),
            )
        )
    return rows


def _change(over: Sequence[LayerStep], kind: str) -> str:
    first, last = getattr(over[0], kind), getattr(over[-1], kind)
    if first is None or last is None:
        return NOTHING
    return share(last) if first == last else f"{share(first)} to {share(last)}"


APPROXIMATION_HEADINGS: Final = ("instead of the gradient", "bias", "variance", "cosine", "bytes")


def approximation_rows(result: TrainResult) -> list[tuple[str, ...]]:
    """A row for each stand-in for the exact gradient."""
    return [
        (
            each.name,
            figure(each.bias, 2) if each.bias > 1e-12 else "0",
            figure(each.variance, 2) if each.draws > 1 else NOTHING,
            f"{each.cosine:.4f}",
            f"{each.bytes:,}",
        )
        for each in result.approximations
    ]


HARDEST_HEADINGS: Final = ("row", "loss at the start", "at the end", "used", "first at step")


def hardest_rows(result: TrainResult) -> list[tuple[str, ...]]:
    """A row for each of the hardest examples."""
    return [
        (
            str(each.row),
            figure(each.first_loss),
            figure(each.last_loss),
            f"{each.used} times" if each.used != 1 else "once",
            NOTHING if each.first_used is None else f"{each.first_used:,}",
        )
        for each in result.hardest
    ]


def exit_line(report: TrainReport) -> str:
    """The outcome with its exit code."""
    code = report.exit_code
    if report.interrupted:
        return f"exit {code.value}: interrupted; what is known by then is above"
    (result,) = report.results
    if code == ExitCode.INVALID:
        return f"exit {code.value}: the spec is invalid"
    if code == ExitCode.WRONG:
        hit = result.gates_hit
        why = f"--fail-on {', '.join(hit)}" if hit else "a gradient is wrong at the trained point"
        return f"exit {code.value}: {why}"
    if code == ExitCode.UNDECIDED:
        return f"exit {code.value}: a gradient could not be decided at the trained point"
    return f"exit {code.value}: {result.verdict}"
