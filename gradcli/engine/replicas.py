"""Many slightly different copies of a network evaluated in one call, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from math import prod

import numpy as np

from gradcli.core.arrays import Array, Parameters
from gradcli.engine.cost import Costs
from gradcli.engine.model import COMPLEX_STEP, INPUTS
from gradcli.engine.network import Network
from gradcli.engine.summands import LossValue
from gradcli.engine.watch import Watch

__all__ = ["CHUNK_BYTES", "Point", "chunks"]

CHUNK_BYTES = 12 << 20
"""Memory for one chunk of copies: near the caches, and far below the 256 MiB promised."""


def chunks(count: int, copy_bytes: int) -> Iterator[slice]:
    """Slices of `count` copies, each within the memory for one chunk."""
    size = max(1, CHUNK_BYTES // max(1, copy_bytes))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


class Point:
    """A network where it is differentiated: its float64 parameters, inputs, and every slot's value.

    `evaluations` counts the copies of the network (or of the part after a change) that were run.
    `on_work` is told of multiply-adds as they are done, as `costs` counts them.
    """

    on_work: Callable[[float], None] | None = None

    def __init__(self, network: Network, parameters: Parameters, inputs: Array) -> None:
        self.network = network
        self.parameters = parameters
        self.inputs = inputs
        self.evaluations = 0
        self._after: dict[tuple[str, ...], list[int]] = {}

    @cached_property
    def slots(self) -> list[Array]:
        self.evaluations += 1
        return self.network.forward(self.parameters, self.inputs).slots

    @cached_property
    def value(self) -> float:
        return float(self.network.loss(self.slots, self.parameters).total)

    @cached_property
    def branches(self) -> Watch:
        """The branches taken at the point itself."""
        with self.network.watch() as taken:
            self.network.loss(
                self.network.forward(self.parameters, self.inputs).slots, self.parameters
            )
        return taken

    @cached_property
    def costs(self) -> Costs:
        return Costs(self.network)

    def worked(self, multiply_adds: float) -> None:
        """A piece of planned work is done."""
        if self.on_work is not None:
            self.on_work(multiply_adds)

    def tensor(self, name: str) -> Array:
        return self.inputs if name == INPUTS else self.parameters[name]

    def nodes_after(self, *names: str) -> list[int]:
        """Nodes to run again when these tensors change."""
        if names not in self._after:
            self._after[names] = self.network.downstream([0] if INPUTS in names else [], names)
        return self._after[names]

    def loss_with(self, changed: Mapping[str, Array], nodes: Sequence[int]) -> LossValue:
        """The loss with some tensors replaced by copies of them, replica axes in front."""
        self.evaluations += max(
            prod(value.shape[: value.ndim - self.tensor(name).ndim])
            for name, value in changed.items()
        )
        parameters = {**self.parameters, **changed}
        inputs = parameters.pop(INPUTS, None)
        slots = self.network.resume(
            self.slots, parameters, nodes, {} if inputs is None else {0: inputs}
        )
        return self.network.loss(slots, parameters)

    def copy_bytes(self, nodes: Sequence[int], changed: int, itemsize: int) -> int:
        """Memory of one copy: what is changed and every slot computed from it, with temporaries."""
        run = [self.network.nodes[index] for index in nodes]
        cells = sum(prod(node.shape) + node.kept for node in run)
        return (2 * changed + 2 * (cells + self.pairs)) * itemsize

    def pass_bytes(self, names: Sequence[str], itemsize: int) -> int:
        """Memory of one copy in `loss_with` of these tensors, with temporaries and branches."""
        nodes = self.nodes_after(*names)
        computed = {index + 1 for index in nodes}
        live = most = 0
        for index, finished in zip(nodes, self.network.finished(nodes), strict=True):
            node = self.network.nodes[index]
            live += prod(node.shape)
            most = max(most, live + node.kept)
            live -= sum(
                prod(self.network.slot_shape(slot)) for slot in finished if slot in computed
            )
        branches = sum(prod(self.network.nodes[index].shape) for index in nodes)
        changed = sum(self.tensor(name).size for name in names)
        return (2 * changed + 2 * (most + self.pairs)) * itemsize + branches

    @cached_property
    def pairs(self) -> int:
        """Numbers that losses hold which may pair every row with every other (mined triples)."""
        shapes = [(loss, self.network.slot_shape(loss.slot)) for loss in self.network.plan.losses]
        return sum(
            prod(shape[:-1]) ** 2 * shape[-1]
            for loss, shape in shapes
            if loss.op.couples_rows and loss.op.cost_at(shape, loss.options) is None
        )

    def probe(self, name: str, entries: Array, points: Array) -> Array:
        """Loss (K, E) with single entries (E,) of a tensor replaced by points (K, E).

        NaN where the point is NaN, and where a branch flips: beyond a kink the function is
        another one. A `Probe` for the ladder once `name` is given.
        """
        return self._values(name, entries, points, within_branches=True)

    def values(self, name: str, entries: Array, points: Array) -> Array:
        """The same, beyond kinks too."""
        return self._values(name, entries, points, within_branches=False)

    def _values(self, name: str, entries: Array, points: Array, *, within_branches: bool) -> Array:
        tensor = self.tensor(name)
        nodes = self.nodes_after(name)
        flat = points.ravel()
        owner = np.broadcast_to(entries, points.shape).ravel()
        values = np.full(flat.shape, np.nan)
        wanted = np.flatnonzero(np.isfinite(flat))
        for part in chunks(len(wanted), self.pass_bytes([name], 8)):
            picked = wanted[part]
            copies = np.repeat(tensor.reshape(1, -1), len(picked), axis=0)
            copies[np.arange(len(picked)), owner[picked]] = flat[picked]
            with self.network.watch() as taken, np.errstate(all="ignore"):
                moved = {name: copies.reshape(-1, *tensor.shape)}
                found = self.loss_with(moved, nodes).total
            if within_branches:
                found = np.where(taken.flipped(self.branches, len(picked)), np.nan, found)
            values[picked] = found
        return values.reshape(points.shape)

    def along(self, name: str, direction: Array, offsets: Array) -> Array:
        """Loss (n,) with a tensor moved along a direction by offsets (n,)."""
        tensor = self.tensor(name)
        steps = offsets.reshape(-1, *(1,) * tensor.ndim)
        with np.errstate(all="ignore"):
            moved = {name: tensor + steps * direction}
            loss = self.loss_with(moved, self.nodes_after(name))
        return np.broadcast_to(loss.total, offsets.shape)

    def probe_along(self, directions: Mapping[str, Array], offsets: Array) -> Array:
        """Loss (n,) with tensors moved along a direction by offsets (n,); NaN as in `probe`."""
        values = np.full(offsets.shape, np.nan)
        nodes = self.nodes_after(*directions)
        for part in chunks(len(offsets), self.pass_bytes([*directions], 8)):
            moved = {
                name: self.tensor(name) + np.multiply.outer(offsets[part], direction)
                for name, direction in directions.items()
            }
            with self.network.watch() as taken, np.errstate(all="ignore"):
                found = self.loss_with(moved, nodes).total
            flipped = taken.flipped(self.branches, len(offsets[part]))
            values[part] = np.where(flipped, np.nan, found)
        return values

    def slope_along(self, directions: Mapping[str, Array]) -> float:
        """Derivative of the loss along a direction in several tensors, by the complex step."""
        moved = {
            name: self.tensor(name) + 1j * COMPLEX_STEP * direction
            for name, direction in directions.items()
        }
        total = self.loss_with(moved, self.nodes_after(*directions)).total
        return float(total.imag) / COMPLEX_STEP
