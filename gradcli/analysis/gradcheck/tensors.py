"""The tensors of a network as subjects: parameters, inputs, learned loss parameters."""

from __future__ import annotations

from functools import partial

import numpy as np

from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import Kind
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.analysis.gradcheck.truth import Truth
from gradcli.core.arrays import Array
from gradcli.engine.model import INPUTS, Model, generator
from gradcli.errors import SpecError, SpecProblem
from gradcli.spec.plan import LossPlan, NodePlan, TermPlan

__all__ = ["NetworkTensors"]

_EPS = float(np.finfo(np.float64).eps)
_JITTER_TRIES = 4
_JITTER_ULPS = 2
_OP_ULPS = 8  # by which the result of an op may be off, that of several operations


class NetworkTensors:
    """What a model claims of its tensors' gradients, beside the truth of them.

    The oracle runs in float64 on the model's own values; the analytic gradient in the model's
    dtype. A `truth` that is known already is used as it is.
    """

    def __init__(self, model: Model, options: CheckOptions, truth: Truth | None = None) -> None:
        self.model = model
        self.options = options
        self.loss, self.gradients = model.value_and_grad()
        if not np.isfinite(self.loss):
            raise SpecError([_no_gradient_here(model, self.loss)])
        self.truth = truth or Truth(model, options.seed, [name for name, _ in self.names()])
        self._jitters: dict[str, Array] | None = None

    def names(self) -> list[tuple[str, Kind]]:
        """Tensors to check, inputs last."""
        kinds: list[tuple[str, Kind]] = [
            (name, "loss-parameter" if name.startswith("loss.") else "parameter")
            for name in self.model.parameters
        ]
        kinds.append((INPUTS, "input"))
        return [(name, kind) for name, kind in kinds if self.options.selects(name, kind)]

    def subject(self, name: str, kind: Kind) -> Subject:
        truth = self.truth
        tensor = truth.point.tensor(name)
        wants_complex = self.options.oracle in (None, "complex")
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
            jitter=lambda: self._jitter(name),
            numeric=truth.gradient(name) if wants_complex else None,
            line=0 if plan is None else plan.line,
            factors=self._factors(name, tensor),
            oracle=truth.oracle(name),
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

    def _jitter(self, name: str) -> Array:
        """How far each gradient moves when everything moves by its last digits: most of 4 tries.

        Everything: the parameters and the inputs by up to 2 ulp, and every value and cotangent on
        the way by 8, since a gradient that is a sum of large terms is no surer than these.
        """
        if self._jitters is None:
            moves = {key: np.zeros_like(value, float) for key, value in self.gradients.items()}
            rng = generator(self.options.seed, "jitter")
            eps = np.finfo(self.model.dtype).eps
            for _ in range(_JITTER_TRIES):
                moved = {
                    key: _nudged(value, eps, rng)
                    for key, value in {**self.model.parameters, **self.model.inputs}.items()
                }
                inputs = moved.pop(INPUTS)
                with self.model.network.rounded(lambda value: _nudged(value, eps, rng, _OP_ULPS)):
                    _, gradients = self.model.value_and_grad_at(moved, inputs)
                for key, gradient in gradients.items():
                    with np.errstate(invalid="ignore"):
                        change = np.abs(gradient.astype(float) - self.gradients[key])
                    moves[key] = np.maximum(moves[key], np.nan_to_num(change, nan=0.0))
            self._jitters = moves
        return self._jitters[name].ravel()


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


def _nudged(
    value: Array, eps: float, rng: np.random.Generator, most: float = _JITTER_ULPS
) -> Array:
    ulps = rng.uniform(-most, most, value.shape)
    return (value * (1 + eps * ulps)).astype(value.dtype)
