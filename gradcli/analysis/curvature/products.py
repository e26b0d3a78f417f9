"""Products of matrices of second order with vectors, none of which is ever formed.

With one forward and one backward pass at θ + ihv, h so small that h² vanishes beside 1, the
imaginary part of the gradient is h times the Hessian's product with v (Pearlmutter, "Fast exact
multiplication by the Hessian", 1994, by the complex step). The same passes, with the cotangent at
the outputs replaced, give the products of Jᵀ M J for any M between tangents and cotangents of the
outputs (Schraudolph, "Fast curvature matrix-vector products", 2002).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from math import prod
from typing import Any

import numpy as np

from gradcli.analysis.curvature.coordinates import Coordinates
from gradcli.analysis.curvature.likelihood import Moments, no_empirical_fisher, no_fisher
from gradcli.analysis.curvature.report import MATRICES, Matrix
from gradcli.core.arrays import Array
from gradcli.engine.model import COMPLEX_STEP, INPUTS, Model
from gradcli.engine.network import Trace
from gradcli.engine.replicas import chunks
from gradcli.errors import UsageError

__all__ = ["Products"]

Tangents = Mapping[int, Array]
Seeds = tuple[dict[int, Array], dict[str, Array]]
"""Cotangents by slot, and by parameter where they do not come through a slot."""
Metric = Callable[[Tangents, Array], Seeds]
"""From tangents of slots, and the vectors that they are along, to cotangents."""

_JACOBIAN = 128 << 20  # bytes up to which the outputs' derivatives are kept
_STEP = 2.0**-10  # of real differences, relative to the parameters: the fourth power is below ε


class Products:
    """The loss's matrices of second order by all parameters, at the model's point, times vectors.

    Vectors (k, p) are handled k at a time, as replicas. `passes` counts the gradients and the
    products taken, which cost as much as a few gradients each. Where the network has an op that
    takes real numbers only, derivatives along a vector are real differences, extrapolated.
    """

    def __init__(self, model: Model) -> None:
        self.model = model.in_float64()
        self.network = self.model.network
        self.plan = self.model.plan
        shapes = {name: value.shape for name, value in self.model.parameters.items()}
        self.where = Coordinates(shapes)
        self.point = self.where.join(self.model.parameters)
        self.by_differences = any(node.op.opaque for node in self.plan.nodes)
        self.passes: dict[str, int] = dict.fromkeys(("gradient", *MATRICES), 0)
        self.value, self.gradient = self.value_and_gradient(self.point)

    @property
    def size(self) -> int:
        """The number p of parameters."""
        return self.where.size

    @cached_property
    def scale(self) -> float:
        """The size of a parameter: root mean square, 1 where all are zero."""
        return float(np.sqrt(np.mean(np.square(self.point)))) if self.point.any() else 1.0

    def undefined(self, matrix: Matrix) -> str:
        """Why there is no such matrix of this loss; empty where there is one."""
        if matrix == "fisher":
            return no_fisher(self.plan)
        return no_empirical_fisher(self.plan) if matrix == "empirical_fisher" else ""

    def loss(self, point: Array) -> float:
        """The loss elsewhere."""
        return self.model.loss(self.where.split(point))

    def value_and_gradient(self, point: Array) -> tuple[float, Array]:
        """The loss and its gradient elsewhere."""
        self.passes["gradient"] += 1
        value, gradients = self.model.value_and_grad_at(
            self.where.split(point), self.model.inputs[INPUTS]
        )
        return float(value), self.where.join(gradients)

    def times(self, matrix: Matrix, vectors: Array) -> Array:
        """The matrix times each of the vectors (k, p); UsageError where that is not finite."""
        self.passes[matrix] += len(vectors)
        found = np.empty(vectors.shape)
        for part in chunks(len(vectors), self.copy_bytes):
            if matrix == "hessian":
                found[part] = self._turn(vectors[part])
            else:
                found[part] = self._through(vectors[part], self._metrics[matrix])
        self._require_finite(found)
        return found

    def assembled(self, matrix: Matrix) -> Array:
        """The whole matrix (p, p), a row from each product with a unit vector; raises as `times`.

        Where the outputs' derivatives by all parameters fit in memory they serve all matrices of
        the form JᵀMJ, which then take no pass of their own.
        """
        found = np.empty((self.size, self.size))
        shared = matrix != "hessian" and self._jacobian_bytes <= _JACOBIAN
        for part in chunks(self.size, 8 * self.size):
            rows = np.arange(self.size)[part]
            units = np.zeros((len(rows), self.size))
            units[np.arange(len(rows)), rows] = 1.0
            found[part] = self._along(matrix, units, part) if shared else self.times(matrix, units)
        if shared:
            self.passes[matrix] += self.size
            self._require_finite(found)
        return found

    def _along(self, matrix: Matrix, units: Array, part: slice) -> Array:
        """JᵀMJ times unit vectors, from the derivatives at hand."""
        tangents = {slot: own[part] for slot, own in self._jacobian.items()}
        seeds, direct = self._metrics[matrix](tangents, units)
        whole = {name: direct.get(name, np.zeros(1)) for name in self.where.shapes}
        found = self.where.join(whole, (len(units),))
        for slot, own in self._jacobian.items():
            if slot in seeds:
                g = np.broadcast_to(seeds[slot], (len(units), *own.shape[1:]))
                found += np.real(g).reshape(len(units), -1) @ own.reshape(self.size, -1).T
        return found

    @property
    def _read(self) -> set[int]:
        """The slots that the losses read."""
        return {loss.slot for loss in self.plan.losses}

    @property
    def _jacobian_bytes(self) -> int:
        return 8 * self.size * sum(prod(self.network.slot_shape(slot)) for slot in self._read)

    @cached_property
    def _jacobian(self) -> dict[int, Array]:
        """The derivatives (p, ...) of what the losses read, by all parameters."""
        found = {slot: np.empty((self.size, *self.network.slot_shape(slot))) for slot in self._read}
        units = np.eye(self.size)
        for part in chunks(self.size, self.copy_bytes):
            with np.errstate(all="ignore"):
                if self.by_differences:
                    for slot, own in found.items():
                        own[part] = self._tangents(slot, units[part])
                    continue
                slots = self.model.forward(self._moved(units[part])).slots
                for slot, own in found.items():
                    own[part] = self._rate(slots[slot], slot, len(own[part]))
        return found

    def _moved(self, vectors: Array) -> dict[str, Array]:
        return self.where.split(self.point + 1j * COMPLEX_STEP * vectors)

    def _require_finite(self, found: Array) -> None:
        if not np.isfinite(found).all():
            raise UsageError(f"{self.plan.name}: the curvature of the loss is not finite here")

    @cached_property
    def copy_bytes(self) -> int:
        """Memory of the values and parameters for one vector; a pass takes some times as much."""
        cells = sum(prod(node.shape) + node.kept for node in self.plan.nodes)
        itemsize = 8 if self.by_differences else 16
        return itemsize * (self.size + cells)

    def _turn(self, vectors: Array) -> Array:
        """How the gradient changes along each vector."""
        if self.by_differences:
            return np.stack([self._slope(self.gradients, vector) for vector in vectors])
        moved = self._moved(vectors)
        _, found = self.model.value_and_grad_at(moved, self.model.inputs[INPUTS])
        return self.where.join(_rates(found), (len(vectors),))

    def gradients(self, points: Array) -> Array:
        """Gradients at points (..., p)."""
        parameters = self.where.split(points)
        _, found = self.model.value_and_grad_at(parameters, self.model.inputs[INPUTS])
        return self.where.join(found, points.shape[:-1])

    def _slope(self, function: Callable[[Array], Array], vector: Array) -> Array:
        """The derivative of a function of the point along a vector, of an error in step⁴."""
        size = float(np.abs(vector).max(initial=0.0))
        if not size:
            return np.zeros_like(function(self.point))
        step = _STEP * self.scale / size
        offsets = step * np.array([1.0, -1.0, 2.0, -2.0])
        near, less, far, lesser = (function(self.point + t * vector) for t in offsets)
        return np.asarray((8 * (near - less) - (far - lesser)) / (12 * step))

    def _through(self, vectors: Array, metric: Metric) -> Array:
        """JᵀMJ times each vector, for the M that the metric applies to tangents of the outputs."""
        copies = len(vectors)
        with np.errstate(all="ignore"):
            if self.by_differences:
                tangents = {slot: self._tangents(slot, vectors) for slot in self._read}
                seeds, direct = metric(tangents, vectors)
                pulled = [
                    self.network.backward(self.base, {slot: g[i] for slot, g in seeds.items()})[1]
                    for i in range(copies)
                ]
                through = {
                    name: np.stack([own[name] for own in pulled]) for name in next(iter(pulled), {})
                }
            else:
                trace = self.model.forward(self._moved(vectors))
                tangents = {
                    slot: self._rate(trace.slots[slot], slot, copies) for slot in self._read
                }
                seeds, direct = metric(tangents, vectors)
                through = self.network.backward(trace, seeds)[1]
        return self.where.join(
            {
                name: np.asarray(np.real(through.get(name, 0.0)) + direct.get(name, 0.0))
                for name in self.where.shapes
            },
            (copies,),
        )

    def _rate(self, moved: Array, slot: int, copies: int) -> Array:
        shape = self.network.slot_shape(slot)
        return np.broadcast_to(np.imag(moved) / COMPLEX_STEP, (copies, *shape))

    def _tangents(self, slot: int, vectors: Array) -> Array:
        """How a slot changes along each vector, by real differences."""

        def value(point: Array) -> Array:
            return self.model.forward(self.where.split(point)).slots[slot]

        return np.stack([self._slope(value, vector) for vector in vectors])

    @cached_property
    def base(self) -> Trace:
        """The forward pass at the point."""
        return self.model.forward()

    @cached_property
    def _metrics(self) -> dict[Matrix, Metric]:
        return {
            "gauss_newton": self._loss_curvature,
            "fisher": partial(self._moments, self._scores(expected=True)),
            "empirical_fisher": partial(self._moments, self._scores(expected=False)),
        }

    def _loss_curvature(self, tangents: Tangents, vectors: Array) -> Seeds:
        """The Hessian of the loss by all that it reads, times tangents of that."""
        slots = list(self.base.slots)
        for slot, tangent in tangents.items():
            slots[slot] = slots[slot] + 1j * COMPLEX_STEP * tangent
        parameters = self.where.split(self.point + 1j * COMPLEX_STEP * vectors)
        seeds, direct = self.network.loss(slots, parameters).pullback()
        return _rates(seeds), _rates(direct)

    def _scores(self, *, expected: bool) -> list[Moments]:
        parameters = self.model.parameters
        return [
            Moments(self.network, loss, self.base.slots, parameters, expected=expected)
            for loss in self.plan.losses
        ]

    def _moments(self, moments: list[Moments], tangents: Tangents, vectors: Array) -> Seeds:
        """Second moments of the scores, times tangents; the curvature of penalties is added."""
        moved = self.where.split(vectors)
        seeds: dict[int, Array] = {}
        direct = self._penalty_curvature(vectors)
        for loss, moment in zip(self.plan.losses, moments, strict=True):
            learned = [moved[full][:, 0] for full in loss.parameters.values()]
            found, others = moment.times(tangents[loss.slot], learned)
            seeds[loss.slot] = seeds.get(loss.slot, 0.0) + found
            for full, other in zip(loss.parameters.values(), others, strict=True):
                direct[full] = direct.get(full, 0.0) + other[:, None]
        return seeds, direct

    def _penalty_curvature(self, vectors: Array) -> dict[str, Array]:
        parameters = self.where.split(self.point + 1j * COMPLEX_STEP * vectors)
        found: dict[str, Array] = {}
        for position, term in enumerate(self.plan.terms):
            for name in term.parameters:
                values, pull = self.network.run_term(position, name, parameters[name])
                turned = np.imag(pull(np.full(values.shape, term.weight))) / COMPLEX_STEP
                found[name] = found.get(name, 0.0) + turned
        return found


def _rates(moved: Mapping[Any, Array]) -> dict[Any, Array]:
    return {key: np.imag(value) / COMPLEX_STEP for key, value in moved.items()}
