"""The error of forward and central differences against their step, measured on a spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np

from gradcli.analysis.gradcheck.elementwise import elementwise_subject
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.analysis.gradcheck.tensors import NetworkTensors
from gradcli.analysis.in_json import Shape
from gradcli.core.arrays import Array
from gradcli.core.record import Record
from gradcli.engine.ladder import Probe
from gradcli.engine.model import Model, generator
from gradcli.errors import SpecError
from gradcli.spec.plan import ElementwiseDefinition, Plan

__all__ = ["StepCurve", "measure_step_sizes"]

_FINEST = 52  # as powers of two: a step of one ulp
_PER_TENSOR = 32
_SURE = 1e-9  # relative uncertainty of a numeric value that errors can be measured against


class StepCurve(Record):
    """Median relative errors of differences over some entries of a spec, by step.

    A step is relative to the size of the entry that it moves: the larger of |x| and the rms of its
    tensor. `eps` is the precision of the function's values. The errors are of entries at which the
    derivative is known and not zero; where the function has a kink within a step, that shows.
    """

    spec: str
    entries: int
    eps: float
    steps: tuple[float, ...]
    forward: tuple[float, ...]
    central: tuple[float, ...]

    in_json: ClassVar = Shape(
        added={
            "kind": Literal["measurement"],
            "name": str,
            "best": Mapping[str, Mapping[str, float]],
            "rules_of_thumb": None,
        }
    )

    name = "step-size"

    @property
    def summary(self) -> str:
        return f"errors of differences by step, measured on {self.spec}"

    @property
    def rules_of_thumb(self) -> Mapping[str, float]:
        """The best step where function and derivatives are all of size one (Press et al. 2007)."""
        return {"forward": self.eps ** (1 / 2), "central": self.eps ** (1 / 3)}

    def best(self, method: str) -> tuple[float, float]:
        """The step with the smallest error, and that error."""
        errors = getattr(self, method)
        at = int(np.argmin(errors))
        return self.steps[at], errors[at]

    def to_dict(self) -> dict[str, Any]:
        best = {
            method: dict(zip(("step", "error"), self.best(method), strict=True))
            for method in ("forward", "central")
        }
        return {
            "kind": "measurement",
            "name": self.name,
            **self.as_dict(),
            "best": best,
            "rules_of_thumb": self.rules_of_thumb,
        }


@np.errstate(all="ignore")  # what overflows shows in the values, which are judged
def measure_step_sizes(plan: Plan, seed: int) -> StepCurve:
    """Measure the errors on the tensors of a spec's network, or else on its formulas.

    Raises SpecError where a spec has neither, or no entry whose derivative is known.
    """
    forward, central = [], []
    steps = 2.0 ** -np.arange(1, _FINEST + 1)
    eps = 0.0
    for subject, function in _subjects(plan, CheckOptions(seed=seed)):
        entries = _entries(subject, seed)
        if not len(entries):
            continue
        assert subject.numeric is not None
        ahead, both = _differences(subject, function, entries, steps)
        n = subject.numeric.value[entries]
        eps = max(eps, subject.eps_f)
        forward.append(np.abs(ahead - n) / np.abs(n))
        central.append(np.abs(both - n) / np.abs(n))
    if not forward:
        message = "there is no network, loss or formula here whose derivative is known and not zero"
        hint = (
            "step sizes are measured on the specs that `gradcli check` checks by the complex step"
        )
        raise SpecError([plan.problem("SP008", message, 1, hint)])
    return StepCurve(
        spec=plan.file or plan.name,
        entries=sum(errors.shape[1] for errors in forward),
        eps=eps,
        steps=tuple(map(float, steps)),
        forward=_medians(forward),
        central=_medians(central),
    )


def _subjects(plan: Plan, options: CheckOptions) -> Iterator[tuple[Subject, Probe]]:
    """What has a complex-step derivative, with the function that differences are taken of."""
    if plan.losses or plan.terms:
        network = NetworkTensors(Model(plan), options)
        for name, kind in network.names():
            point = network.truth.point
            yield network.subject(name, kind), partial(point.values, name)
        return
    for definition in plan.definitions:
        if isinstance(definition, ElementwiseDefinition) and definition.claim is not None:
            subject, _ = elementwise_subject(definition, options)
            yield subject, subject.probe


def _entries(subject: Subject, seed: int) -> Array:
    """Some entries whose derivative is well known and not zero."""
    if subject.numeric is None or subject.oracle != "complex":
        return np.zeros(0, int)
    size = np.abs(subject.numeric.value)
    known = (size > 0) & (subject.numeric.uncertainty <= _SURE * size)
    if subject.kinks is not None:
        known &= ~subject.kinks
    pool = np.flatnonzero(known)
    if subject.pool is not None:
        pool = np.intersect1d(pool, subject.pool)
    rng = generator(seed, f"step sizes of {subject.name}")
    return np.sort(rng.choice(pool, min(_PER_TENSOR, len(pool)), replace=False))


def _differences(
    subject: Subject, function: Probe, entries: Array, steps: Array
) -> tuple[Array, Array]:
    """Forward and central differences (K, E)."""
    x = subject.x[entries]
    h = steps[:, None] * subject.rho[entries]
    above, below = x + h, x - h
    value = np.broadcast_to(subject.value, subject.x.shape)[entries]
    with np.errstate(all="ignore"):
        at_above, at_below = np.split(function(entries, np.concatenate([above, below])), 2)
        return (at_above - value) / (above - x), (at_above - at_below) / (above - below)


def _medians(errors: list[Array]) -> tuple[float, ...]:
    """The median by step over the entries at which the function is defined on both sides."""
    together = np.hstack(errors)
    known = np.isfinite(together)
    filled = np.where(known, together, np.nan)
    return tuple(
        float(np.median(row[np.isfinite(row)])) if found.any() else float("nan")
        for row, found in zip(filled, known, strict=True)
    )
