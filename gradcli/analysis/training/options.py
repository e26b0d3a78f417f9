"""How a training run is done."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from gradcli.core.registry import CATALOGUE
from gradcli.core.training_op import Choice, Optimizer, Schedule
from gradcli.errors import UsageError
from gradcli.spec.options import SECTIONS, OpOption, check_required
from gradcli.spec.read_choice import choice_of

__all__ = ["TrainOptions", "train_options"]

_BATCH: Final = 32
_STEPS: Final = 100


def _choice(op_class: type[Optimizer] | type[Schedule], name: str) -> Choice:
    op = CATALOGUE.find(name, op_class)
    assert op is not None
    return Choice(op, op.defaults())


@dataclass(frozen=True)
class TrainOptions:
    """A run of `steps` steps, each on `accumulate` batches of `batch` examples.

    `batch` None means all data, in their order; otherwise each pass over the data is shuffled, and
    examples that do not fill a batch are left out of it. `lr` None is the optimizer's own. `anneal`
    holds schedules of further numbers, by loss option or by summand. `clip` is a kind, norm or
    value, and its limit. `precision` None is the spec's dtype; `loss_scale` (mixed precision only)
    a number, or None where it follows the gradients. `check_every` None is never. `fail_on` names
    findings that make the exit code 1. With `partial`, Ctrl-C ends the run with what is known by
    then.
    """

    steps: int = _STEPS
    batch: int | None = _BATCH
    optimizer: Choice = field(default_factory=lambda: _choice(Optimizer, "sgd"))
    lr: float | None = None
    schedule: Choice = field(default_factory=lambda: _choice(Schedule, "constant"))
    anneal: Mapping[str, Choice] = field(default_factory=dict)
    clip: tuple[Literal["norm", "value"], float] | None = None
    accumulate: int = 1
    precision: Literal["float64", "float32", "mixed"] | None = None
    loss_scale: float | None = None
    curriculum: Choice | None = None
    check_every: int | None = None
    fail_on: tuple[str, ...] = ()
    approximations: bool = False
    partial: bool = False

    @property
    def rate(self) -> float:
        """The learning rate with which the run begins."""
        assert isinstance(self.optimizer.op, Optimizer)
        return self.optimizer.op.rate if self.lr is None else self.lr


def train_options(
    given: Mapping[str, Any], batch: int | None = None, rows: int | None = None, **more: Any
) -> TrainOptions:
    """Options from a spec's section or a call, what is None left at its default.

    `batch` is what the spec says of its data, where the section says nothing, and `rows` how many
    examples there are.

    Raises UsageError, with the nearest name, for what is wrong or would have no effect.
    """
    known = SECTIONS["train"]
    read: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        option = known[name]
        if isinstance(option, OpOption):
            read[name] = choice_of(value, option)
            continue
        try:
            read[name] = option.convert(value)
        except ValueError as error:
            raise UsageError(f"{name} cannot be {value!r}: {error}") from None
    asked = read.get("batch", "all")
    if rows is not None and asked != "all" and asked > rows:
        raise UsageError(f"batch: {asked} is more than the {rows} examples there are; write all")
    if "batch" not in read and batch is not None:
        read["batch"] = batch
    check_required("train", read)
    named = {"batch": "all", "loss_scale": "dynamic"}
    options: dict[str, Any] = {
        name: None if value == named.get(name) else value for name, value in read.items()
    }
    return _checked(replace(TrainOptions(), **{**options, **more}))


def _checked(options: TrainOptions) -> TrainOptions:
    """The options, unless one would have no effect, or a number reach zero that must not."""
    if "check-failed" in options.fail_on and options.check_every is None:
        raise UsageError("fail_on check-failed: only with check_every; nothing is checked without")
    for name, schedule in options.anneal.items():
        if name == "temperature" and not schedule(options.steps, options.steps) > 0:
            raise UsageError(
                f"anneal: a temperature has to stay above 0, and {schedule} ends there; write "
                f"{schedule.op.name}: {{end: 0.1}}"
            )
    if not math.isfinite(options.rate):
        raise UsageError("lr: expected a finite number")
    return options
