"""The tensors of a network as subjects: parameters, inputs, learned loss parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, partial

import numpy as np

from gradcli.analysis.gradcheck.budget import sample_size, within_budget
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.projections import DIRECTIONS
from gradcli.analysis.gradcheck.report import Kind, TensorResult
from gradcli.analysis.gradcheck.subject import Large, Subject
from gradcli.analysis.gradcheck.truth import ALONG, OP_ULPS, Truth, nudged, widened
from gradcli.core.arrays import Array
from gradcli.engine.cost import Part
from gradcli.engine.model import INPUTS, Model, generator
from gradcli.engine.watch import Watch
from gradcli.errors import SpecError, SpecProblem, UserCodeError
from gradcli.spec.plan import LossPlan, NodePlan, TermPlan

__all__ = ["NetworkTensors", "tensors_of"]

_EPS = float(np.finfo(np.float64).eps)
_JITTER_TRIES = 4
_JITTER_SAFETY = 4  # a few tries tell the size of rounding noise, and not its limit
_JITTER_MOST = 16  # tries, of which some may take another branch
_JITTER_ULPS = 2
_SHOWN = 4096 * _EPS  # of the loss: a slope that differences can see
_PASSES = {"ladder": 8, "central": 1, "forward": 1}
"""Forward passes that differences of one entry take the time of: copies share most of their own."""


def tensors_of(parameters: Iterable[str], options: CheckOptions) -> list[tuple[str, Kind]]:
    """The tensors of a network with these parameters that are to be checked, inputs last."""
    kinds: list[tuple[str, Kind]] = [
        (name, "loss-parameter" if name.startswith("loss.") else "parameter") for name in parameters
    ]
    kinds.append((INPUTS, "input"))
    return [(name, kind) for name, kind in kinds if options.selects(name, kind)]


class NetworkTensors:
    """What a model claims of its tensors' gradients, beside the truth of them.

    The oracle runs in float64 on the model's own values; the analytic gradient in the model's
    dtype. A `truth` that is known already is used as it is. `work` is what the numeric gradients
    are planned to take, in multiply-adds.
    """

    def __init__(self, model: Model, options: CheckOptions, truth: Truth | None = None) -> None:
        self.model = model
        self.options = options
        self.loss, self.gradients = model.value_and_grad()
        if not np.isfinite(self.loss):
            raise SpecError([_no_gradient_here(model, self.loss)])
        self.truth = truth or Truth(model, options.seed, [name for name, _ in self.names()])
        self._whole, self.work = self._plan_work()
        self._jitters: dict[str, Array] | None = None

    def names(self) -> list[tuple[str, Kind]]:
        """Tensors to check, inputs last."""
        return tensors_of(self.model.parameters, self.options)

    def is_whole(self, name: str) -> bool:
        """Whether every entry of a tensor can be checked, not a sample of it only."""
        return name in self._whole

    def is_drowned(self, result: TensorResult) -> bool:
        """Whether a claim passed by its own noise alone though it is off by what the loss shows.

        In lower precision it may be right on another side of a kink.
        """
        exact = self.model.dtype == np.float64
        off = result.below_resolution_error > _SHOWN * abs(self.loss)
        return exact and off and result.verdict == "pass"

    def subject(self, name: str, kind: Kind) -> Subject:
        truth = self.truth
        tensor = truth.point.tensor(name)
        wants_complex = self.options.oracle in (None, "complex")
        large = None if self.is_whole(name) else self._large(name, wants_complex)
        plan = self.model.plan.parameters.get(name)
        return Subject(
            name=name,
            kind=kind,
            shape=tensor.shape,
            x=tensor.ravel(),
            analytic=np.asarray(self.gradients[name], float).ravel(),
            value=np.asarray(truth.point.value),
            eps=float(np.finfo(self.model.dtype).eps),
            eps_f=_EPS,
            probe=partial(truth.point.probe, name),
            noise=truth.noise(name),
            jitter=lambda: self.jitter(name),
            numeric=truth.gradient(name) if wants_complex and large is None else None,
            large=large,
            line=0 if plan is None else plan.line,
            factors=self._factors(name, tensor),
            oracle=truth.oracle(name),
            ladders=truth.ladders.get(name),
        )

    @cached_property
    def largest(self) -> float:
        """The largest numeric entry of those tensors that are checked whole; infinite for none."""
        if self.options.oracle not in (None, "complex"):
            return float("inf")
        found = [self.truth.gradient(name).value for name in self._whole]
        return max((float(np.abs(value).max(initial=0.0)) for value in found), default=float("inf"))

    def _plan_work(self) -> tuple[frozenset[str], float]:
        """Tensors of which every entry is checked, and the multiply-adds that all take together."""
        names = [name for name, _ in self.names()]
        needed = {name: self._needed(name) for name in names}
        whole, paid = within_budget(needed, self.options.budget)
        passes = DIRECTIONS * ALONG * self.truth.point.costs.forward + self._sample * self._entry
        return whole, paid + passes * (len(names) - len(whole))

    def _needed(self, name: str) -> Mapping[Part, float]:
        """The pieces of work that every entry of a tensor takes: with differences, each alone."""
        if self.options.oracle in _PASSES:
            return {("entries", 0, name): self.truth.point.tensor(name).size * self._entry}
        return self.truth.point.costs.needed(name)

    @property
    def _entry(self) -> float:
        """What one entry takes that is looked at alone, in multiply-adds."""
        return _PASSES.get(self.options.oracle or "", 1) * self.truth.point.costs.forward

    @property
    def _sample(self) -> int:
        return sample_size(self.options.budget, self._entry)

    def _large(self, name: str, wants_complex: bool) -> Large:
        by_complex_step = wants_complex and self.truth.oracle(name) == "complex"
        return Large(
            along=partial(self.truth.slope_along, name),
            sample=self._sample,
            numeric=partial(self.truth.gradient_at, name) if by_complex_step else None,
        )

    def _factors(self, name: str, tensor: Array) -> tuple[tuple[str, float], ...]:
        """Quantities that a wrong factor may be: options and weights of what reads the tensor."""
        plan = self.model.plan
        readers: list[NodePlan | LossPlan | TermPlan] = []
        readers += [node for node in plan.nodes if _reads(name, node, node.inputs)]
        readers += [loss for loss in plan.losses if _reads(name, loss, (loss.slot,))]
        readers += [term for term in plan.terms if name in term.parameters]
        options = [
            (f"{option} of {part.op.name}", value)
            for part in readers
            for option, value in part.options.items()
            if isinstance(value, float)
        ]
        weights = [
            (f"the weight of {part.name}", part.weight)
            for part in readers
            if not isinstance(part, NodePlan)
        ]
        batch = float(self.truth.point.inputs.shape[0])
        widths = [(f"the width {size}", float(size)) for size in tensor.shape[-2:]]
        counts = [("the number of elements", float(tensor.size)), ("2", 2.0)]
        return (*options, *weights, ("the batch size", batch), *widths, *counts)

    def jitter(self, name: str) -> Array:
        """How far each gradient moves when everything moves by its last digits: most of 4 tries.

        Everything: the parameters and the inputs by up to 2 ulp, and every value and cotangent on
        the way by 8, since a gradient that is a sum of large terms is no surer than these. In
        float32 also how far each is from the same in float64, which is all of its rounding. The
        slopes chosen at kinks stay as they are.
        """
        if self._jitters is None:
            with self.truth.settled.within(self.model.network):
                self._jitters = self._moves()
        return self._jitters[name].ravel()

    def _moves(self) -> dict[str, Array]:
        """The largest move of each gradient; one that takes another branch is another function's.

        Such tries count only where there is no other.
        """
        model, network = self.model, self.model.network
        rng = generator(self.options.seed, "jitter")
        eps = np.finfo(model.dtype).eps
        with network.watch() as here:
            model.value_and_grad_at(model.parameters, model.inputs[INPUTS])
        same: list[dict[str, Array]] = []
        others: list[dict[str, Array]] = []
        for _ in range(_JITTER_MOST):
            moved = {
                key: nudged(value, eps, rng, _JITTER_ULPS)
                for key, value in {**model.parameters, **model.inputs}.items()
            }
            inputs = moved.pop(INPUTS)
            rounding = network.rounded(lambda value: nudged(value, eps, rng, OP_ULPS))
            try:
                with rounding, network.holding(here), network.watch() as there:
                    _, gradients = model.value_and_grad_at(moved, inputs)
            except UserCodeError:  # as for probes: this try says nothing
                continue
            (others if there.differs(here) else same).append(gradients)
            if len(same) == _JITTER_TRIES:
                break
        tries = same or others
        exact = self._in_float64(here) or self.gradients
        return {
            key: np.max(
                [
                    _change(exact[key], value),
                    *(_JITTER_SAFETY * _change(each[key], value) for each in tries),
                ],
                axis=0,
            )
            for key, value in self.gradients.items()
        }

    def _in_float64(self, here: Watch) -> Mapping[str, Array] | None:
        """The gradients of a model in float32 as they are in float64, if all branches are `here`'s.

        Digits that cancel inside an op show in no nudge of its inputs and outputs.
        """
        if self.model.dtype == np.float64:
            return None
        wide = widened(self.model)
        try:
            with (
                self.truth.settled.within(wide.network),
                wide.network.holding(here),
                wide.network.watch() as there,
            ):
                _, gradients = wide.value_and_grad_at(wide.parameters, wide.inputs[INPUTS])
        except UserCodeError:
            return None
        return None if there.differs(here) else gradients


def _change(gradient: Array, base: Array) -> Array:
    with np.errstate(invalid="ignore"):
        change = np.abs(gradient.astype(float) - base)
    return np.asarray(np.nan_to_num(change, nan=0.0))


def _reads(name: str, part: NodePlan | LossPlan, slots: tuple[int, ...]) -> bool:
    return name in part.parameters.values() or (name == INPUTS and 0 in slots)


def _no_gradient_here(model: Model, loss: float) -> SpecProblem:
    plan = model.plan
    slots = model.forward().slots
    at = next((i for i, value in enumerate(slots) if not np.isfinite(value).all()), None)
    node = None if at is None else plan.nodes[at - 1]
    where = "although every output is finite" if node is None else f"first at {node.name}"
    line = next((loss.line for loss in plan.losses), 0) if node is None else node.line
    return plan.problem(
        "SP021",
        f"the loss is {loss:g}, {where}: there is no gradient to check at this point",
        line,
        "smaller weights or inputs; `gradcli flow` shows where it grows" if node else "",
    )
