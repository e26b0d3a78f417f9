"""How much memory a schedule takes, worked out from shapes."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Final

from gradcli.analysis.graph.nodes import Skeleton
from gradcli.analysis.graph.schedule import Step

__all__ = ["peak_of"]

_OBJECTS: Final = 1_100
"""Bytes of Python's own for a pullback that is kept: functions, tuples, and heads of arrays."""


def peak_of(skeleton: Skeleton, steps: Iterable[Step]) -> int:
    """The most bytes that a schedule holds at a time, beside parameters, buffers and data.

    Values, what pullbacks keep, cotangents, the gradients of all parameters as they come, what ops
    hold while they are run, and about a kibibyte of Python's own for each pullback.
    """
    return _Memory(skeleton).run(steps)


class _Memory:
    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self.held = self.peak = 0
        self.views = [0] * len(skeleton.shapes)  # slots that share the memory of each
        self.has_value = [False] * len(skeleton.shapes)
        self.has_cotangent = [False] * len(skeleton.shapes)
        self.with_gradient: set[str] = set()
        self.gradients = {
            name: prod(plan.shape) * skeleton.itemsize
            for name, plan in skeleton.plan.parameters.items()
        }

    def run(self, steps: Iterable[Step]) -> int:
        for step in steps:
            if step.does in ("run", "keep"):
                self._evaluate(step.at, keeps=step.does == "keep")
            elif step.does == "forget":
                self._forget(step.at)
            elif step.does == "pull":
                self._pull(step.at)
            else:
                self._lose()
        return self.peak

    def _reach(self, more: int) -> None:
        """For a moment so much more is held."""
        self.peak = max(self.peak, self.held + more)

    def _hold(self, slot: int) -> int:
        """The bytes that a slot's value adds: none where it is a view of another one."""
        owner = self.skeleton.owner[slot]
        self.views[owner] += 1
        self.has_value[slot] = True
        return self.skeleton.bytes[slot] if owner == slot else 0

    def _forget(self, slot: int) -> None:
        owner = self.skeleton.owner[slot]
        if not self.has_value[slot]:
            return
        self.has_value[slot] = False
        self.views[owner] -= 1
        if owner and not self.views[owner]:
            self.held -= self.skeleton.bytes[owner]

    def _evaluate(self, index: int, *, keeps: bool) -> None:
        skeleton, slot = self.skeleton, index + 1
        cost = skeleton.plan.nodes[index].cost
        scratch = 0 if cost is None else cost.scratch[0] * skeleton.itemsize
        kept = skeleton.kept(cost) + self._objects(index)
        again = self.has_value[slot]
        new = skeleton.bytes[slot] if again and skeleton.owner[slot] == slot else 0
        if not again:
            new = self._hold(slot)
        self._reach(new + kept + scratch)
        self.held += (0 if again else new) + (kept if keeps else 0)

    def _pull(self, index: int) -> None:
        skeleton = self.skeleton
        node = skeleton.plan.nodes[index]
        cost = node.cost
        scratch = 0 if cost is None else cost.scratch[1] * skeleton.itemsize
        cotangents = sum(skeleton.bytes[slot] for slot in node.inputs)
        gradients = sum(self.gradients[name] for name in node.parameters.values())
        self._reach(cotangents + gradients + scratch)
        for slot in node.inputs:
            if self.has_cotangent[slot]:
                self._reach(cotangents + gradients + skeleton.bytes[slot])  # the sum of two
            else:
                self.held += skeleton.bytes[slot]
                self.has_cotangent[slot] = True
        for name in node.parameters.values():
            if name not in self.with_gradient:
                self.held += self.gradients[name]
                self.with_gradient.add(name)
        self.has_cotangent[index + 1] = False
        self.held -= skeleton.bytes[index + 1] + skeleton.kept(cost) + self._objects(index)

    def _objects(self, index: int) -> int:
        """One for the node, and of a recurrent one for each gate of each step."""
        node = self.skeleton.plan.nodes[index]
        recurs = self.skeleton.traits[index].recurs
        if recurs is None:
            return _OBJECTS
        outputs, units = self.skeleton.plan.parameters[node.parameters[recurs]].shape
        steps = self.skeleton.shapes[node.inputs[0]][1]
        return _OBJECTS * (1 + steps * outputs // units)

    def _lose(self) -> None:
        """All losses and penalties are worked out, and then pulled back one after the other."""
        skeleton, item = self.skeleton, self.skeleton.itemsize
        own, before = _OBJECTS * (len(skeleton.plan.losses) + len(skeleton.plan.terms)), self.held
        seeds: list[tuple[int, int, int, int]] = []  # slot, its bytes, the values' and the scratch
        for plan, loss in zip(skeleton.plan.losses, skeleton.losses, strict=True):
            values, cost = loss.values * item, loss.cost
            forward, backward = (0, 0) if cost is None else cost.scratch
            self._reach(values + skeleton.kept(cost) + forward * item)
            own += values + skeleton.kept(cost)
            self.held = before + own
            seeds.append((plan.slot, skeleton.bytes[plan.slot], values, backward * item))
        penalties = []
        for term in skeleton.plan.terms:
            for name in term.parameters:
                size = self.gradients[name]
                cost = term.op.cost_at(skeleton.plan.parameters[name].shape, term.options)
                forward, backward = (0, 0) if cost is None else cost.scratch
                self._reach(size + skeleton.kept(cost) + max(forward * item, size))
                own += size + skeleton.kept(cost)
                self.held = before + own
                penalties.append((name, size, backward * item))
        for slot, size, values, scratch in seeds:
            self._reach(values + size + scratch)
            if not self.has_cotangent[slot]:
                self.held += size
                self.has_cotangent[slot] = True
        for name, size, scratch in penalties:
            self._reach(2 * size + scratch)
            if name not in self.with_gradient:
                self.held += size
                self.with_gradient.add(name)
        self.held -= own
