"""`gradcli.train`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from gradcli.analysis.gradcheck.collect import Progress
from gradcli.errors import SpecError, UsageError, UserCodeError
from gradcli.sources import Source, name_of, plan_of, stated
from gradcli.spec import DEFAULT_MEMORY

if TYPE_CHECKING:
    from gradcli.analysis.training import Step, TrainReport

__all__ = ["train"]


def train(
    source: Source | None = None,
    *,
    text: tuple[str, str] | None = None,
    seed: int | None = None,
    dtype: str | None = None,
    steps: int | None = None,
    batch: int | Literal["all"] | None = None,
    optimizer: Any = None,
    lr: float | None = None,
    schedule: Any = None,
    anneal: Mapping[str, Any] | None = None,
    clip: Mapping[str, float] | None = None,
    accumulate: int | None = None,
    precision: Literal["float64", "float32", "mixed"] | None = None,
    loss_scale: float | Literal["dynamic"] | None = None,
    curriculum: Any = None,
    check_every: int | None = None,
    fail_on: Sequence[str] = (),
    approximations: bool = False,
    save_weights: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    on_step: Callable[[Step], None] | None = None,
    progress: Progress | None = None,
    partial: bool = False,
) -> TrainReport:
    """Train the network of a spec for some steps, and report what its gradients did meanwhile.

    All rows of the data are used, in batches of as many as the spec's data or its `train:` section
    say (default 32). `optimizer`, `schedule`, `curriculum` and each of `anneal` are a name, or one
    name with its options: `{"adam": {"beta1": 0.8}}`. What is left None is taken from the spec's
    `train:` section, then from the defaults. `save_weights` is an .npz file for the weights at the
    end, with which `resume` goes on. `on_step` is given each step as it is done. An invalid spec
    gives a report with the verdict `invalid`; UsageError is raised for options that make no sense
    and a file that cannot be used. With `partial`, Ctrl-C ends the run with what is known by then.
    """
    from gradcli.analysis.training import (
        check_place,
        invalid_run,
        load_run,
        save_run,
        train_options,
        train_plan,
    )

    weights = "float32" if precision == "mixed" else precision
    if None not in (dtype, weights) and dtype != weights:
        raise UsageError(f"dtype {dtype}: not with precision {precision}")
    written = stated(
        steps=steps,
        batch=batch,
        optimizer=optimizer,
        lr=lr,
        schedule=schedule,
        anneal=anneal,
        clip=clip,
        accumulate=accumulate,
        precision=precision or dtype,  # which wins over a precision of the spec as well
        loss_scale=loss_scale,
        curriculum=curriculum,
        check_every=check_every,
        fail_on=tuple(fail_on) or None,
    )
    meant = text or source
    if meant is None:
        raise UsageError("there is no spec to train")
    overrides = stated(seed=seed, dtype=dtype, train=written)
    try:
        plan = plan_of(meant, overrides, allow_python, max_memory, whole_data=True)
    except SpecError as error:
        return invalid_run(name_of(meant), error.errors, seed)
    if save_weights is not None:
        check_place(save_weights)
    options = train_options(
        plan.sections.get("train", {}),
        plan.batch,
        None if plan.inputs is None else plan.inputs.shape[0],
        approximations=approximations,
        partial=partial,
    )
    if check_every is not None and check_every > options.steps:
        raise UsageError(f"check_every: {check_every} is beyond the last of {options.steps} steps")

    def watch(step: Step) -> None:
        if progress is not None:
            said = f"loss {step.loss:.4g}, gradient {step.gradient_norm:.3g}"
            progress(said, step.number, options.steps)
        if on_step is not None:
            on_step(step)

    try:
        return train_plan(
            plan,
            options,
            on_step=watch,
            resume=None if resume is None else load_run(resume, plan, max_memory),
            keep=None
            if save_weights is None
            else (lambda w, kept: save_run(save_weights, w, kept)),
        )
    except UserCodeError as error:
        return invalid_run(name_of(meant), (plan.python_problem(error),), seed)
