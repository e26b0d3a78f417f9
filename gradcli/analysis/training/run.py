"""The run itself: step after step, with what each finds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from gradcli.analysis.training.approximations import Approximation, tabulated
from gradcli.analysis.training.batches import Batches
from gradcli.analysis.training.breakdown import Breakdown, Underflow, breakdown_of
from gradcli.analysis.training.checks import checked_at, point_of
from gradcli.analysis.training.clip import clipped
from gradcli.analysis.training.embeddings import embeddings_at
from gradcli.analysis.training.examples import Examples
from gradcli.analysis.training.findings import Told, findings_of
from gradcli.analysis.training.layers import Layers
from gradcli.analysis.training.options import TrainOptions
from gradcli.analysis.training.passes import Pass, Passes, anneal_targets
from gradcli.analysis.training.precision import LossScale
from gradcli.analysis.training.report import (
    CheckedStep,
    ClipStep,
    Step,
    TrainReport,
    TrainResult,
)
from gradcli.analysis.training.saved import SETTING, as_array, as_text
from gradcli.analysis.training.score import score_of
from gradcli.analysis.training.tasks import task_steps, weighting_of, weights_of
from gradcli.analysis.training.vector import Packing
from gradcli.core.arrays import Array, norm
from gradcli.engine.model import Model, generator
from gradcli.errors import SpecProblem, UsageError
from gradcli.spec.plan import Plan

__all__ = ["invalid_run", "train_plan"]

OnStep = Callable[[Step], None]

_MORE_ZEROS: Final = 0.5
"""In mixed precision: so many more entries of zero than before, and float32 is asked again; the few
that come with a loss that falls are no loss."""


def train_plan(
    plan: Plan,
    options: TrainOptions,
    *,
    on_step: OnStep | None = None,
    resume: tuple[Mapping[str, Array], Mapping[str, Array]] | None = None,
    keep: Callable[[Mapping[str, Array], Mapping[str, Array]], None] | None = None,
) -> TrainReport:
    """Train the network of a plan and report what its gradients did meanwhile.

    `on_step` is given each step as it is done. `resume` holds the weights and the state of a run
    to go on with, `keep` is given both at the end. Raises UsageError for a plan without a loss or
    parameters, and for options that do not suit it.
    """
    if plan.inputs is None or not (plan.losses or plan.terms) or not plan.parameters:
        raise UsageError(f"{plan.name} has nothing to train: it needs parameters and a loss")
    run = _Run(plan, options)
    if resume is not None:
        run.resume(*resume)
    interrupted = False
    try:
        run.steps(on_step)
    except KeyboardInterrupt:
        if not options.partial:
            raise
        interrupted = True
    if keep is not None:
        keep(run.parameters, run.state)
    return TrainReport((run.result(interrupted),), plan.seed, interrupted)


def invalid_run(spec: str, errors: tuple[SpecProblem, ...], seed: int | None) -> TrainReport:
    """The report of a spec that cannot be used, with its problems."""
    return TrainReport((TrainResult(spec, "invalid", spec, errors=errors),), seed)


class _Run:
    """Where a run stands: the parameters, what the optimizer keeps, the steps so far."""

    def __init__(self, plan: Plan, options: TrainOptions) -> None:
        precision = options.precision or plan.dtype
        self.mixed = precision == "mixed"
        self.precision = precision
        self.plan = plan.replace(dtype="float32" if self.mixed else precision)
        self.options = options
        anneal_targets(plan, options.anneal, options.steps)
        self.model = Model(self.plan)
        self.passes = Passes(self.model, mixed=self.mixed)
        self.batches = Batches(self.model, options.batch, plan.seed)
        self.packing = Packing({name: w.shape for name, w in self.model.parameters.items()})
        self.vector = self.packing.packed(self.model.parameters)
        self.layers = Layers(self.plan)
        self.tasks = weights_of(self.plan)
        self.scale = LossScale(options.loss_scale) if self.mixed else None
        self.examples = (
            None if options.curriculum is None else Examples(options.curriculum, self.passes)
        )
        self.kept: dict[str, Array] = {}
        self.applied = 0
        self.started = 0
        self.found: list[Step] = []
        self.checks: list[CheckedStep] = []
        self.breakdown: Breakdown | None = None
        self.underflow: Underflow | None = None
        self.most_zeros = -math.inf
        self.last: Pass | None = None
        self.first = score_of(self.passes, self.parameters, self.layers)
        if self.examples is not None and self.batches.group > 1:
            raise UsageError("curriculum: only for losses that take rows one by one")

    @property
    def parameters(self) -> dict[str, Array]:
        return self.packing.unpacked(self.vector)

    @property
    def state(self) -> dict[str, Array]:
        """What it takes, beside the parameters, to go on."""
        done = self.started + len(self.found)
        state = {"steps": np.array([done, self.applied])}
        state |= {SETTING + name: as_array(value) for name, value in self.settings.items()}
        state |= {f"optimizer/{name}": value for name, value in self.kept.items()}
        if self.scale is not None:
            state["loss_scale"] = self.scale.state
        if self.tasks.values:
            state["tasks"] = self.tasks.state
        if self.examples is not None:
            state |= {f"examples/{name}": each for name, each in self.examples.state.items()}
        return state

    @property
    def settings(self) -> dict[str, str]:
        """What a run that goes on has to share, for what is kept and the next rows rest on it."""
        curriculum = self.options.curriculum
        return {
            "optimizer": self.options.optimizer.op.name,
            "precision": self.precision,
            "seed": str(self.plan.seed),
            "batch": str(self.batches.size),
            "accumulate": str(self.options.accumulate),
            "curriculum": "none" if curriculum is None else curriculum.op.name,
            "examples": "any" if curriculum is None else str(self.passes.rows),
            "weighting": weighting_of(self.plan),
        }

    def resume(self, weights: Mapping[str, Array], state: Mapping[str, Array]) -> None:
        """Stand where another run ended; UsageError where this one is of another kind."""
        for name, own in self.settings.items():
            theirs = as_text(state.get(SETTING + name))
            if theirs != own:
                raise UsageError(
                    f"the run that is resumed has {name} {theirs}, and this one {own}; to start "
                    "anew from its weights, name the file in the spec's `weights:`"
                )
        arrays = {name: np.asarray(weights[name], self.model.dtype) for name in weights}
        self.vector = self.packing.packed(arrays)
        self.stand_at(state)
        self.started = int(state["steps"][0])
        if self.started >= self.options.steps:
            raise UsageError(
                f"the run that is resumed has done {self.started} steps; --steps counts all of "
                f"them, and has to be more than that"
            )
        self.first = score_of(self.passes, self.parameters, self.layers)

    def stand_at(self, state: Mapping[str, Array]) -> None:
        """Take back a `state`."""

        def part(prefix: str) -> dict[str, Array]:
            own = (name for name in state if name.startswith(prefix))
            return {name.removeprefix(prefix): state[name] for name in own}

        self.applied = int(state["steps"][1])
        self.kept = part("optimizer/")
        if self.scale is not None and "loss_scale" in state:
            self.scale.resume(state["loss_scale"])
        if self.tasks.values and "tasks" in state:
            self.tasks.resume(state["tasks"])
        if self.examples is not None and "examples/used" in state:
            self.examples.resume(part("examples/"))

    def steps(self, on_step: OnStep | None) -> None:
        """Do all steps, or as many as there are before something is no longer finite."""
        for number in range(self.started + 1, self.options.steps + 1):
            before, parameters = self.state, self.vector
            try:
                step = self.step(number)
            except KeyboardInterrupt:  # half a step is none: what is kept stays whole
                self.vector = parameters
                self.stand_at(before)
                raise
            self.found.append(step)
            if on_step is not None:
                on_step(step)
            if self.breakdown is not None:
                return
            every = self.options.check_every
            if every is not None and number % every == 0:
                assert self.last is not None
                model = point_of(self.last, self.model, self.parameters)
                self.checks.append(checked_at(model, self.plan.seed, number))

    def step(self, number: int) -> Step:
        options, done = self.options, number - 1
        rate = options.rate * options.schedule(done, options.steps)
        factors = {name: float(each(done, options.steps)) for name, each in options.anneal.items()}
        passes = [
            self.batch(done * options.accumulate + part, number, factors)
            for part in range(options.accumulate)
        ]
        loss = sum(each.loss for each in passes) / len(passes)
        raw = self.mean_gradient(passes)
        finite = bool(np.isfinite(raw).all())
        skipped = self.scale is not None and self.scale.is_dynamic and not finite
        before, gradients = self.parameters, self.packing.unpacked(raw)
        zeros = float(np.mean(raw == 0))
        if self.mixed and finite and zeros > self.most_zeros + _MORE_ZEROS:
            self.most_zeros = zeros
            lost = self.lost(passes[-1], factors, number)
            if self.underflow is None or lost.lost > self.underflow.lost:
                self.underflow = lost
        if not math.isfinite(loss) or not (finite or skipped):
            self.breakdown = breakdown_of(number, passes, gradients, self.layers)
        self.last = passes[-1]
        clip = None if options.clip is None else self.clip(raw)
        tasks = task_steps(passes[-1], before)
        if self.breakdown is None and not skipped:
            self.applied += 1
            g = raw if options.clip is None else clipped(raw, *options.clip).vector
            with np.errstate(all="ignore"):
                self.vector, self.kept = options.optimizer(
                    self.vector, g, self.kept, rate, self.applied
                )
            self.tasks.after(tasks)
        if self.scale is not None:
            self.scale.after(finite=finite)
        return Step(
            number=number,
            loss=loss,
            learning_rate=rate,
            gradient_norm=norm(raw),
            layers=self.layers.measured(before, self.parameters, gradients, passes[-1]),
            clip=clip,
            loss_scale=None if self.scale is None else passes[-1].scale,
            skipped=skipped,
            zeros=zeros,
            tasks=tasks,
            annealed=self.annealed(factors),
            embeddings=embeddings_at(passes[-1], before),
            trained_on=self.share_let_in,
        )

    def batch(self, position: int, number: int, factors: Mapping[str, float]) -> Pass:
        """The pass on the batch of this position in the run."""
        parameters = self.parameters
        rows = self.batches.at(position)
        if self.examples is not None:
            if position % self.batches.a_pass == 0 or not len(self.examples.now):
                self.examples.look(parameters)
            progress = (number - 1) / self.options.steps
            rows = self.batches.drawn(position, self.examples.weights(progress))
            self.examples.use(rows, number)
        return self.passes.run(
            parameters,
            rows,
            position,
            weights={**self.tasks.by_loss, **self.summands(factors)},
            options=self.numbers(factors),
            scale=1.0 if self.scale is None else self.scale.value,
        )

    @property
    def share_let_in(self) -> float | None:
        """Of the examples, by the curriculum at the last look."""
        if self.examples is None:
            return None
        progress = (self.started + len(self.found)) / self.options.steps
        return float(np.mean(self.examples.weights(progress) > 0))

    def summands(self, factors: Mapping[str, float]) -> dict[str, float]:
        """Factors of the losses and terms that anneal."""
        names = {each.name for each in self.plan.losses} | {each.name for each in self.plan.terms}
        return {name: factor for name, factor in factors.items() if name in names}

    def numbers(self, factors: Mapping[str, float]) -> dict[str, float]:
        """Options of the losses that anneal, as they now are."""
        written = {name: value for loss in self.plan.losses for name, value in loss.options.items()}
        return {name: written[name] * factor for name, factor in factors.items() if name in written}

    def annealed(self, factors: Mapping[str, float]) -> dict[str, float]:
        """Each number on a schedule of its own as it is at this step: weights as factors."""
        return {**self.summands(factors), **self.numbers(factors)}

    def mean_gradient(self, passes: list[Pass]) -> Array:
        """Over the batches of a step, free of the loss scale."""
        total = np.zeros(len(self.vector), self.model.dtype)
        with np.errstate(all="ignore"):
            for each in passes:
                total += self.packing.packed(each.gradients) / each.scale
            return total / len(passes)

    def clip(self, raw: Array) -> ClipStep:
        assert self.options.clip is not None
        kind, limit = self.options.clip
        own = clipped(raw, kind, limit)
        other = clipped(raw, "value" if kind == "norm" else "norm", limit)
        return ClipStep(own.factor, own.cosine, other.factor, other.cosine)

    def lost(self, done: Pass, factors: Mapping[str, float], number: int) -> Underflow:
        """What of the gradient float16 has lost that float32 has, on the same batch."""
        whole = Passes(self.model, mixed=False).run(
            self.parameters,
            done.rows,
            done.number,
            weights={**self.tasks.by_loss, **self.summands(factors)},
            options=self.numbers(factors),
        )
        return Underflow.between(self.layers, done, whole.gradients, number)

    def approximations(self) -> tuple[Approximation, ...]:
        """The gradient of all data at the end, beside what could stand in for it."""
        plan = self.plan.replace(dtype="float64")
        model = Model(plan)
        exact = Passes(model, mixed=False)
        parameters = {name: w.astype(np.float64) for name, w in self.parameters.items()}
        rows = np.arange(self.batches.rows)
        run = partial(exact.run, parameters, number=0, weights={}, options={})
        g = self.packing.packed(run(rows=rows).gradients)
        single = Model(plan.replace(dtype="float32"))
        halves = Passes(single, mixed=True).run(
            {name: w.astype(np.float32) for name, w in self.parameters.items()},
            rows, 0, weights={}, options={}, scale=LossScale(self.options.loss_scale).value,
        )  # fmt: skip
        half = self.packing.packed(halves.gradients).astype(np.float64) / halves.scale
        rng = generator(self.plan.seed, "approximations")
        size, group = self.batches.size, self.batches.group

        def minibatch(_: int) -> Array:
            groups = rng.choice(self.batches.rows // group, size // group, replace=False)
            drawn = (groups[:, None] * group + np.arange(group)).ravel()
            return self.packing.packed(run(rows=drawn).gradients)

        sampled = not self.batches.whole and self.batches.classes is None
        return tabulated(g, rng, minibatch if sampled else None, half, size)

    def result(self, interrupted: bool) -> TrainResult:
        options = self.options
        clipping = "" if options.clip is None else "{} {:g}".format(*options.clip)
        last = score_of(self.passes, self.parameters, self.layers)
        told = Told(
            self.plan.file,
            self.found,
            self.checks,
            self.breakdown,
            self.underflow,
            clipping,
            self.first,
            last,
        )
        findings, verdict = findings_of(told)
        result = TrainResult(
            name=self.plan.name,
            verdict=verdict,
            spec=self.plan.file,
            optimizer=str(options.optimizer),
            schedule=str(options.schedule),
            precision=self.precision,
            clipping=clipping,
            curriculum="" if options.curriculum is None else str(options.curriculum),
            examples=self.batches.rows,
            batch=self.batches.size,
            accumulate=options.accumulate,
            parameters=len(self.vector),
            started=self.started,
            first_loss=self.first.loss,
            last_loss=last.loss,
            accuracy=(
                None
                if last.accuracy is None or self.first.accuracy is None
                else (self.first.accuracy, last.accuracy)
            ),
            steps=tuple(self.found),
            checks=tuple(self.checks),
            hardest=() if self.examples is None else self.examples.hardest(self.parameters),
            findings=findings,
            fail_on=options.fail_on,
            interrupted=interrupted,
        )
        wanted = options.approximations and not interrupted and self.breakdown is None
        return replace(result, approximations=self.approximations()) if wanted else result
