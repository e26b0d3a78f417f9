"""What a step finds of each layer: norms, and units that let nothing through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from gradcli.analysis.flow.units import Normal, Shares, normal_shares, unit_shares
from gradcli.analysis.training.passes import Pass
from gradcli.analysis.training.report import LayerStep
from gradcli.core.arrays import Array, norm
from gradcli.core.op import Activation
from gradcli.engine.network import Trace
from gradcli.spec.plan import Plan

__all__ = ["LOSS", "Layers"]

LOSS = "loss"
"""What the loss's own parameters go by among the layers."""


class Layers:
    """The nodes of a plan that learn, each with the elementwise activation behind it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.parameters = {
            node.name: tuple(node.parameters.values()) for node in plan.nodes if node.parameters
        }
        own = {full for names in self.parameters.values() for full in names}
        rest = tuple(name for name in plan.parameters if name not in own)
        if rest:
            self.parameters[LOSS] = rest
        self.activations = dict(self._activations())
        self._normal: dict[int, Normal] = {}

    def _activations(self) -> Iterator[tuple[str, int]]:
        """The first elementwise activation that reads what a layer writes, seen through others."""
        owner: dict[int, str] = {}
        for index, node in enumerate(self.plan.nodes):
            above = owner.get(node.inputs[0])
            if isinstance(node.op, Activation) and node.op.elementwise:
                if above is not None:
                    yield above, index
                continue
            if node.parameters:
                owner[index + 1] = node.name
            elif above is not None:
                owner[index + 1] = above

    def measured(
        self,
        before: Mapping[str, Array],
        after: Mapping[str, Array],
        gradients: Mapping[str, Array],
        done: Pass,
    ) -> tuple[LayerStep, ...]:
        """Every layer at a step from `before` to `after` along these gradients."""
        found = []
        for name, own in self.parameters.items():
            weights = norm(_joined(before, own))
            change = norm(_joined(after, own) - _joined(before, own))
            shares = self.shares(name, done.trace)
            found.append(
                LayerStep(
                    name,
                    norm(_joined(gradients, own)),
                    weights,
                    change / weights if weights else float(change > 0),
                    None if shares is None else shares.dead,
                    None if shares is None else shares.saturated,
                )
            )
        return tuple(found)

    def shares(self, name: str, trace: Trace) -> Shares | None:
        """Dead and saturated units of the activation behind a layer, over the rows of a pass.

        None where there is no activation, or its slopes are not finite.
        """
        index = self.activations.get(name)
        if index is None:
            return None
        node = self.plan.nodes[index]
        if index not in self._normal:
            own = {
                local: np.full(self.plan.parameters[full].shape, 0.25)
                for local, full in node.parameters.items()
            }
            self._normal[index] = normal_shares(node, own)
        value = trace.slots[index + 1]
        with np.errstate(all="ignore"):
            (slopes,), _ = trace.pullbacks[index](np.ones_like(value))
        if not np.isfinite(slopes).all():
            return None
        return unit_shares(slopes.reshape(-1, slopes.shape[-1]), self._normal[index])


def _joined(arrays: Mapping[str, Array], names: tuple[str, ...]) -> Array:
    return np.concatenate([arrays[name].ravel() for name in names])
