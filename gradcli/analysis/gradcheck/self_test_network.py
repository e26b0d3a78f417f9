"""Mistakes planted into each pullback of a network, to see that the check would catch them.

The forward of a mutant is that of the network, so the truth is worked out once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

import numpy as np

from gradcli.analysis.gradcheck.culprits import Judge
from gradcli.analysis.gradcheck.examine import examine
from gradcli.analysis.gradcheck.mutants import Mistake, Site, mistakes
from gradcli.analysis.gradcheck.parts import Part, parts_of
from gradcli.analysis.gradcheck.planting import Operand, planted
from gradcli.analysis.gradcheck.report import TensorResult
from gradcli.analysis.gradcheck.rule import detectable
from gradcli.analysis.gradcheck.self_test_report import Fate, Mutant, is_named
from gradcli.analysis.gradcheck.tensors import NetworkTensors
from gradcli.core.arrays import Array, Mask
from gradcli.core.op import NodeOp, Op
from gradcli.core.record import Record
from gradcli.engine.model import INPUTS

__all__ = ["NetworkSelfTest", "Planting"]


class Planting(Record):
    """A mistake in one operand of a part, which is called `tensor` where the part is alone."""

    judge: Judge
    operand: Operand
    tensor: str
    mistake: Mistake

    @property
    def part(self) -> Part:
        return self.judge.part

    @property
    def op(self) -> Op:
        return planted(self.part.op, self.operand, self.mistake.change)

    def reaches(self, tensor: str) -> bool:
        """Whether the mistake is in the gradient of this tensor; a penalty's is in all of them."""
        return self.part.kind == "term" or tensor == self.tensor


class NetworkSelfTest:
    """The mutants of one network, which passes itself with these `results`."""

    def __init__(
        self, network: NetworkTensors, results: Mapping[str, TensorResult], required: float
    ) -> None:
        options = network.options
        self._base = network
        self._results = results
        self._limits: dict[str, Array] = {}
        network.truth.remember_ladders()
        self._options = options
        self._required = required
        self._kinds = dict(network.names())
        seed = options.seed
        self._judges = [
            Judge(part, options, required, often=True) for part in parts_of(network.model, seed)
        ]

    def places(self) -> Iterator[tuple[str, Iterator[Mutant]]]:
        """Every part by name, with every mistake at every operand of it."""
        for name, plantings in groupby(self.plantings(), lambda each: each.part.name):
            yield name, map(self.tried, list(plantings))

    def plantings(self) -> Iterator[Planting]:
        """Every mistake that can be made anywhere."""
        for judge in self._judges:
            for operand, tensor in _operands(judge.part):
                for mistake in mistakes(_site(judge.part, operand, tensor)):
                    yield Planting(judge, operand, tensor, mistake)

    def tried(self, planting: Planting) -> Mutant:
        """What the check makes of one mistake."""
        part, mistake = planting.part, planting.mistake
        network = self._network_with(part, planting.op)
        effects = self._effects(network)
        told = self._told(network, effects)
        fate, codes = told.fate, told.codes
        if told.wants_culprit:
            judged = planting.judge.judged(planting.op)
            culprit = judged.proven
            if culprit is not None and any(
                culprit.accounts_for(name, network.model.network) for name in told.doubtful
            ):
                fate = "caught"
            culprit = culprit or judged.small
            own = () if culprit is None or fate != "caught" else culprit.findings
            codes = [each.code for each in own if planting.reaches(each.data["operand"])]
        found = tuple(dict.fromkeys(codes))
        return Mutant(
            part.name,
            part.operands[planting.tensor],
            mistake.kind,
            mistake.code,
            fate,
            fate == "caught" and is_named(mistake.code, found),
            max(effects.values(), default=0.0),
            found,
        )

    def _network_with(self, part: Part, op: Op) -> NetworkTensors:
        base = self._base
        model = base.model.with_plan(part.network_with(base.model.plan, op))
        truth = base.truth if base.truth.serves(model) else None
        return NetworkTensors(model, self._options, truth)

    def _effects(self, network: NetworkTensors) -> dict[str, float]:
        """By how much of what is detectable the checked tensors differ from what they should be."""
        right = self._base.gradients
        if network.truth is not self._base.truth:
            right = self._with_slopes_chosen(network)
        effects = {}
        for name in self._kinds:
            with np.errstate(invalid="ignore"):
                change = np.abs(network.gradients[name].astype(float) - right[name]).ravel()
            if change.any():  # NaN too
                limit = self._limit(name)
                effects[name] = float(np.where(np.isnan(change), np.inf, change / limit).max())
        return effects

    def _limit(self, name: str) -> Array:
        """The largest change of each entry of a tensor that would go unnoticed."""
        if name not in self._limits:
            base = self._base
            if base.is_whole(name):
                numeric = base.truth.gradient(name)
                eps = float(np.finfo(base.model.dtype).eps)
                u_a = base.jitter(name)
                self._limits[name] = detectable(numeric.value, numeric.uncertainty, u_a, eps)
            else:
                self._limits[name] = np.asarray(self._results[name].detectable_error)
        return self._limits[name]

    def _with_slopes_chosen(self, network: NetworkTensors) -> dict[str, Array]:
        """The right gradients where a mutant chose another of the right slopes at a kink."""
        model = self._base.model
        with network.truth.settled.within(model.network):
            return model.value_and_grad()[1]

    def _told(self, network: NetworkTensors, effects: dict[str, float]) -> _Told:
        """What the tensors tell; they are examined until one fails, small ones first."""

        def order(name: str) -> tuple[bool, int]:
            return effects[name] <= 1, network.gradients[name].size

        doubtful: list[str] = []
        undecided = False
        warnings: list[str] = []
        for name in sorted(effects, key=order):
            subject = network.subject(name, self._kinds[name])
            result, findings, _ = examine(subject, self._options, self._required)
            if result.verdict == "fail":
                return _Told("caught", [], [], wants_culprit=True)
            undecided |= result.verdict == "inconclusive"
            if result.is_doubtful(self._base.largest, self._required):
                doubtful.append(name)
                undecided |= network.is_drowned(result)
            warnings += [found.code for found in findings if found.code.startswith("GC1")]
        if warnings:
            return _Told("caught", warnings, [], wants_culprit=False)
        if all(effect <= 1 for effect in effects.values()):
            return _Told("without effect", [], [], wants_culprit=False)
        fate: Fate = "undecided" if undecided else "survived"
        return _Told(fate, [], doubtful, wants_culprit=bool(doubtful))


class _Told(Record):
    """The fate of a mutant by the network's tensors, and the codes of what was only warned of.

    A culprit is to be found where a tensor fails, or where only the parts can decide.
    """

    fate: Fate
    codes: list[str]
    doubtful: list[str]
    wants_culprit: bool


def _operands(part: Part) -> list[tuple[Operand, str]]:
    """The operands that have a cotangent, and what they are called when the part is alone."""
    if part.kind == "term":
        return [(0, next(iter(part.operands)))]
    if part.kind != "node":
        return [(position, tensor) for position, tensor in enumerate(part.operands)]
    return [
        (position if tensor in part.inputs else tensor, tensor)
        for position, tensor in enumerate(part.operands)
    ]


def _site(part: Part, operand: Operand, tensor: str) -> Site:
    alone = part.alone
    x = alone.inputs[INPUTS] if tensor == INPUTS else alone.parameters[tensor]
    options = [value for value in part.plan.options.values() if isinstance(value, float) and value]
    is_node = isinstance(part.op, NodeOp)
    elementwise = part.kind == "term" or getattr(part.op, "elementwise", False)
    is_parameter = is_node and not isinstance(operand, int)
    return Site(
        # a penalty is of parameters of several shapes, and learned numbers are summed elsewhere
        shape=x.shape if is_node or tensor == INPUTS else (),
        rows=len(alone.inputs[INPUTS]) if is_parameter else 0,
        shared=tensor in part.shared,
        branch=_above_zero if elementwise else None,
        takes_cotangent=is_node,
        factor=next(iter(options), None),
        single=alone.dtype == np.float32,
    )


def _above_zero(x: Array) -> Mask:
    return np.asarray(x > 0)
