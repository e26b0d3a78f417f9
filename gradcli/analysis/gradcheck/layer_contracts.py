"""Users' layers of a network, each held to the contracts of a backward at its operating point."""

from __future__ import annotations

import numpy as np

from gradcli.analysis.gradcheck.callables import differs
from gradcli.analysis.gradcheck.contracts import broken_contracts, nonlinear, wrong_dtype
from gradcli.analysis.gradcheck.culprits import Culprit
from gradcli.analysis.gradcheck.definitions import examine_callables
from gradcli.analysis.gradcheck.layers import layer_callables
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.parts import Part, parts_of
from gradcli.core.op import X
from gradcli.core.python_layer import PlacedLayer
from gradcli.core.record import Record
from gradcli.diagnostics.finding import Finding
from gradcli.engine.model import INPUTS, Model

__all__ = ["HeldLayers", "hold_layers"]

_UNUSABLE = ("GC002", "GC003", "GC007")
_RANDOM = "GC005"
_NOISY = 1e-4  # relative difference of two evaluations beyond which a layer is random


class HeldLayers(Record):
    """What was found of a network's layers, and the model that can be checked in spite of it.

    In the model a cotangent that a backward does not give is NaN. `culprits` are the layers whose
    own backward is known to be wrong. Where a forward `is_random` nothing else can be checked.
    """

    model: Model
    findings: tuple[Finding, ...]
    culprits: tuple[Culprit, ...]
    is_random: bool


def hold_layers(model: Model, options: CheckOptions, required: float) -> HeldLayers:
    """Hold every layer in Python to its contracts; UserCodeError where one cannot be evaluated."""
    held = [
        _Held(part, part.op, options, required)
        for part in parts_of(model, options.seed)
        if isinstance(part.op, PlacedLayer)
    ]
    nodes = list(model.plan.nodes)
    for each in held:
        each.hold()
        nodes[each.part.index] = nodes[each.part.index].replace(op=each.layer)
    return HeldLayers(
        model.with_plan(model.plan.replace(nodes=tuple(nodes))),
        tuple(found for each in held for found in each.findings if each.is_asked_for),
        tuple(each.culprit for each in held if each.culprit is not None),
        any(each.is_random for each in held),
    )


class _Held:
    """One layer; `layer` is what can be used of it once it has been held to its contracts."""

    def __init__(
        self, part: Part, layer: PlacedLayer, options: CheckOptions, required: float
    ) -> None:
        self.part = part
        self.layer = layer
        self.findings: list[Finding] = []
        self.culprit: Culprit | None = None
        self.is_random = False
        self._options = options
        self._required = required
        self._x = part.alone.inputs[INPUTS]
        self._own = part.alone.parameters
        self._callables = layer_callables(layer, self._x, self._own, part.name, options)

    @property
    def is_asked_for(self) -> bool:
        own = [self.part.operands[name] for name in self._own]
        return any(self._options.selects(name, "definition") for name in (self.part.name, *own))

    def hold(self) -> None:
        """Contracts alone, and the values only where these do not hold by their looks."""
        callables = self._callables
        self.is_random = self._gives_other_values()
        found = broken_contracts(callables)
        codes = {each.code for each in found if each.severity == "error"}
        if codes:
            if codes.intersection(_UNUSABLE):
                self.culprit = self._culprit(self._made_usable())
            elif _RANDOM in codes:
                self.culprit = self._culprit({each.where for each in found})
        elif nonlinear(callables, self._required) or any(
            t.kind != "f" for t in callables.claimed_dtypes.values()
        ):
            results, found = examine_callables(callables, self._options, self._required)
            self.culprit = self._culprit({each.name for each in results if each.verdict == "fail"})
        else:
            found += [warned for name in callables.wrt for warned in wrong_dtype(callables, name)]
        self.findings = [self._own_finding(each) for each in found]

    def _gives_other_values(self) -> bool:
        first, second = (
            self.layer.run(self._x.copy(), {k: v.copy() for k, v in self._own.items()}).output
            for _ in range(2)
        )
        return differs(first, second, _NOISY * float(np.abs(first).max(initial=0.0)))

    def _made_usable(self) -> set[str]:
        """Let what the backward does not give be NaN; the operands whose cotangents these are."""
        self.layer = self.layer.replace(is_lenient=True)
        y, pull = self.layer.evaluate((self._x,), self._own, self._x.ndim, {})
        (dx,), cotangents = pull(np.ones_like(y))
        return {name for name, value in {X: dx, **cotangents}.items() if np.isnan(value).all()}

    def _culprit(self, wrong: set[str]) -> Culprit | None:
        """The layer as what makes the gradients of these operands wrong; None for none."""
        full = self.part.operands
        operands = {full[INPUTS if name == X else name] for name in wrong & {X, *self._own}}
        if not operands:
            return None
        return Culprit(self.part.name, self.layer, frozenset(operands), X in wrong, ())

    def _own_finding(self, found: Finding) -> Finding:
        """A finding on the layer alone, or on one of its operands, as one on its node."""
        part, message = self.part, found.message
        data = {**found.data, "op": self.layer.name}
        if found.where in self._callables.point:
            data["operand"] = found.where
            if not found.code.startswith("GC0"):
                message = f"its own backward, with respect to {found.where}: {message}"
        return found.replace(where=part.name, line=part.plan.line, message=message, data=data)
