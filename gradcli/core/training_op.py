"""Ops of a training run: how it steps, what changes in its course, what it trains on when."""

from __future__ import annotations

from typing import Any, ClassVar

from gradcli.core.op import Op, Options
from gradcli.core.record import Record

__all__ = ["Choice", "Curriculum", "Optimizer", "Schedule"]


class Optimizer(Op, kw_only=True):
    """A rule by which parameters are changed, all of them as one vector w.

    `function(w, g, state, rate, step, **options) -> (w, state)` takes the gradient g at w, the
    learning rate and the number of the step, from 1 on; `state` are arrays by name that it keeps
    from step to step, none before the first. `rate` is the learning rate where none is written.
    `formula` is the next w in w, g, lr, the options and the names of the state; t is the step.
    """

    kind: ClassVar[str] = "optimizer"
    formula: str
    rate: float


class Schedule(Op, kw_only=True):
    """How a number changes over a run: `function(done, of, **options) -> factor` on where it began.

    `done` counts the steps taken before this one, from 0 to `of`, which stands for the end of the
    run. `formula` is the factor in done, of and the options.
    """

    kind: ClassVar[str] = "schedule"
    formula: str


class Curriculum(Op, kw_only=True):
    """Which examples are trained on: `function(difficulty, first, progress, **options) -> weights`.

    `difficulty` (rows,) is the current loss of each example and `first` that at the start of the
    run; `progress` runs from 0 to 1. Examples are drawn with chances in proportion to their weights
    (rows,), which are not negative; an example of weight 0 waits. `formula` is the weight of one
    example in its loss L.
    """

    kind: ClassVar[str] = "curriculum"
    formula: str


class Choice(Record):
    """An op with its options."""

    op: Op
    options: Options

    def __call__(self, *arguments: Any) -> Any:
        """What the op's function makes of these."""
        return self.op.function(*arguments, **self.options)

    def __str__(self) -> str:
        """As a command line has it: `adam`, or `adam:beta1=0.8` where that is not the default."""
        defaults = self.op.defaults()
        told = [f"{k}={v}" for k, v in self.options.items() if v != defaults[k]]
        return self.op.name + (":" + ",".join(told) if told else "")
