"""What the engine relies on in every node: layers and activations with their parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gradcli.core.arrays import Array, Cotangents, Pullback, rows
from gradcli.core.op import NodeOp, Shape
from gradcli.core.traits import LayerTraits
from gradcli.testing.case import Case
from gradcli.testing.law import LawBroken, law, require
from gradcli.testing.numeric import EPS

__all__: list[str] = []

SHAPES: tuple[Shape, ...] = ((5, 4), (3, 2, 4))  # (rows, features) and (rows, time, features)
ROUNDING = 512 * EPS  # sums of a few products
REPLICAS = 3


@dataclass(frozen=True)
class Point:
    """Arguments of a node. Axes before the last `rank` of the inputs are replicas."""

    op: NodeOp
    case: Case
    rank: int
    inputs: tuple[Array, ...]
    parameters: Cotangents

    def run(self) -> tuple[Array, Pullback]:
        return self.op.evaluate(self.inputs, self.parameters, self.rank, self.case.options)

    def value(self) -> Array:
        return self.run()[0]

    def moved(self, inputs: tuple[Array, ...], parameters: Cotangents) -> Point:
        return replace(self, inputs=inputs, parameters=parameters)

    def along(self, other: Point, step: complex) -> Point:
        """The point plus a step times another."""
        return self.moved(
            tuple(x + step * v for x, v in zip(self.inputs, other.inputs, strict=True)),
            {name: w + step * other.parameters[name] for name, w in self.parameters.items()},
        )

    def replica(self, index: int) -> Point:
        return self.moved(
            tuple(x[index] for x in self.inputs),
            {name: w[index] for name, w in self.parameters.items()},
        )


def _point(case: Case, shape: Shape, rng: np.random.Generator, replicas: Shape = ()) -> Point:
    op = case.op
    assert isinstance(op, NodeOp)
    branches = sum(param.kind == "layers" for param in op.params)
    learned = op.learned(shape, case.options)
    return Point(
        op,
        case,
        len(shape),
        tuple(rng.standard_normal((*replicas, *shape)) for _ in range(1 + branches)),
        {name: rng.standard_normal((*replicas, *own.shape)) for name, own in learned.items()},
    )


def _points(case: Case) -> Iterator[tuple[Point, np.random.Generator]]:
    rng = case.rng()
    for shape in SHAPES:
        yield _point(case, shape, rng), rng


@law("shapes", NodeOp)
def shapes(case: Case) -> None:
    """Outputs have the shape worked out beforehand, cotangents those of their arguments."""
    for point, _ in _points(case):
        y, pull = point.run()
        own = tuple(x.shape for x in point.inputs)
        expected = point.op.output_shape(own, case.options)
        if y.shape != expected:
            raise LawBroken(f"output has shape {y.shape}, {expected} was worked out for {own}")
        dx, dparameters = pull(np.ones_like(y))
        if tuple(d.shape for d in dx) != own:
            raise LawBroken(f"input cotangents have shapes {[d.shape for d in dx]} for {own}")
        found = {name: d.shape for name, d in dparameters.items()}
        wanted = {name: w.shape for name, w in point.parameters.items()}
        if found != wanted:
            raise LawBroken(f"parameter cotangents have shapes {found} for {wanted}")


@law("adjoint", NodeOp)
def adjoint(case: Case) -> None:
    """⟨Jv, u⟩ = ⟨v, Jᵀu⟩ for inputs and parameters together, Jv by the complex step."""
    for point, rng in _points(case):
        v = _point(case, point.inputs[0].shape, rng)
        y, pull = point.run()
        u = rng.standard_normal(y.shape)
        forward = point.along(v, 1e-200j).value().imag / 1e-200
        dx, dparameters = pull(u)
        terms = [(x * d) for x, d in zip(v.inputs, dx, strict=True)]
        terms += [v.parameters[name] * d for name, d in dparameters.items()]
        backward = sum(float(term.sum()) for term in terms)
        size = np.abs(forward * u).sum() + sum(float(np.abs(term).sum()) for term in terms)
        total = np.asarray(float((forward * u).sum()))
        require(total, backward, ROUNDING * size, "⟨Jv, u⟩ against ⟨v, Jᵀu⟩")


@law("adjoint by argument", NodeOp)
def adjoint_by_argument(case: Case) -> None:
    """The same for each input and parameter alone, with a cotangent of one entry."""
    for point, rng in _points(case):
        y, pull = point.run()
        index = tuple(int(rng.integers(n)) for n in y.shape)
        u = np.zeros_like(y)
        u[index] = 1.0
        dx, dparameters = pull(u)
        still = point.moved(
            tuple(np.zeros_like(x) for x in point.inputs),
            {name: np.zeros_like(w) for name, w in point.parameters.items()},
        )
        for k, cotangent in enumerate(dx):
            v = list(still.inputs)
            v[k] = rng.standard_normal(v[k].shape)
            moved = point.along(still.moved(tuple(v), still.parameters), 1e-200j)
            slope = moved.value().imag[index] / 1e-200
            allowed = ROUNDING * (1 + np.abs(v[k] * cotangent).sum())
            require(slope, (v[k] * cotangent).sum(), allowed, f"cotangent of input {k}")
        for name, cotangent in dparameters.items():
            w = rng.standard_normal(cotangent.shape)
            moved = point.along(still.moved(still.inputs, {**still.parameters, name: w}), 1e-200j)
            slope = moved.value().imag[index] / 1e-200
            allowed = ROUNDING * (1 + np.abs(w * cotangent).sum())
            require(slope, (w * cotangent).sum(), allowed, f"cotangent of {name}")


@law("replicas", NodeOp)
def replicas(case: Case) -> None:
    """Stacked inputs and parameters give what each replica gives alone; so do shared ones."""
    rng = case.rng()
    for shape in SHAPES:
        stacked = _point(case, shape, rng, (REPLICAS,))
        first = stacked.replica(0)
        for point in (
            stacked,
            stacked.moved(stacked.inputs, first.parameters),
            stacked.moved(first.inputs, stacked.parameters) if stacked.parameters else stacked,
        ):
            y, pull = point.run()
            g = rng.standard_normal(y.shape)
            dx, dparameters = pull(g)
            for r in range(REPLICAS):
                alone = point.moved(
                    tuple(_own(x, len(shape), r) for x in point.inputs),
                    {
                        name: w if w.shape == first.parameters[name].shape else w[r]
                        for name, w in point.parameters.items()
                    },
                )
                y_alone, pull_alone = alone.run()
                size = 1 + np.abs(y_alone).max()
                require(y[r], y_alone, ROUNDING * size, "value of a replica")
                dx_alone, dparameters_alone = pull_alone(g[r])
                for one, all_of_them in zip(dx_alone, dx, strict=True):
                    size = 1 + np.abs(one).max()
                    require(all_of_them[r], one, ROUNDING * size, "input cotangent of a replica")
                for name, one in dparameters_alone.items():
                    size = 1 + np.abs(one).max()
                    require(dparameters[name][r], one, ROUNDING * size, f"{name} of a replica")


def _own(x: Array, rank: int, index: int) -> Array:
    return x[index] if x.ndim > rank else x


@law("node precision", NodeOp)
def node_precision(case: Case) -> None:
    """float32 in, float32 out, for parameters and cotangents too."""
    for point, _ in _points(case):
        narrow = point.moved(
            tuple(x.astype(np.float32) for x in point.inputs),
            {name: w.astype(np.float32) for name, w in point.parameters.items()},
        )
        y, pull = narrow.run()
        dx, dparameters = pull(np.ones_like(y))
        for found in (y, *dx, *dparameters.values()):
            if found.dtype != np.float32:
                raise LawBroken(f"{found.dtype} for float32 arguments")


@law("node arguments unchanged", NodeOp)
def node_arguments_unchanged(case: Case) -> None:
    """Neither evaluation nor pullback writes into inputs, parameters, output or cotangent."""
    for point, rng in _points(case):
        y, pull = point.run()
        g = rng.standard_normal(y.shape)
        arrays = [*point.inputs, *point.parameters.values(), y, g]
        before = [array.copy() for array in arrays]
        point.run()
        pull(g)
        if not all(map(np.array_equal, arrays, before)):
            raise LawBroken("an argument or the output is changed")


@law("coupling", NodeOp)
def coupling(case: Case) -> None:
    """A row depends on other rows exactly where `couples_rows` says so."""
    claimed = _traits_of(case).couples_rows
    coupled = False
    for point, rng in _points(case):
        inputs = tuple(x.copy() for x in point.inputs)
        for x in inputs:
            x[0] += rng.standard_normal(x[0].shape)
        here, there = point.value(), point.moved(inputs, point.parameters).value()
        coupled |= not np.array_equal(here[1:], there[1:])
    if coupled != claimed:
        raise LawBroken(f"claimed couples_rows={claimed}, found {coupled}")


def _traits_of(case: Case) -> LayerTraits:
    assert isinstance(case.op, NodeOp)
    return case.op.layer_traits(case.options)


@law("affine", NodeOp)
def affine(case: Case) -> None:
    """Where affine is claimed, it is so, and the stated contraction is the cotangent."""
    for operand, (contraction, *names) in _traits_of(case).affine.items():
        for point, rng in _points(case):
            y, pull = point.run()
            g = rng.standard_normal(y.shape)
            dx, dparameters = pull(g)
            others = [
                rows(point.inputs[0], point.rank) if name == "x" else point.parameters[name]
                for name in names
            ]
            found = np.einsum(contraction, rows(g, point.rank), *others)
            expected = rows(dx[0], point.rank) if operand == "x" else dparameters[operand]
            size = 1 + np.abs(expected).max()
            require(found, expected, ROUNDING * size, f"contraction for {operand}")
            other = _point(case, point.inputs[0].shape, rng)
            ends = [point, _with(point, operand, other, 1.0), _with(point, operand, other, 0.5)]
            first, last, middle = (end.value() for end in ends)
            size = 1 + np.abs(first).max() + np.abs(last).max()
            require(middle, (first + last) / 2, ROUNDING * size, f"affine in {operand}")


def _with(point: Point, operand: str, other: Point, share: float) -> Point:
    """The point with one operand moved a share of the way to another's."""
    if operand == "x":
        x = (1 - share) * point.inputs[0] + share * other.inputs[0]
        return point.moved((x, *point.inputs[1:]), point.parameters)
    w = (1 - share) * point.parameters[operand] + share * other.parameters[operand]
    return point.moved(point.inputs, {**point.parameters, operand: w})


def _scales(point: Point, names: tuple[str, ...], s: float) -> bool:
    scaled = point.moved(
        tuple(s * x for x in point.inputs),
        {name: s * w if name in names else w for name, w in point.parameters.items()},
    )
    here, there = s * point.value(), scaled.value()
    return bool((np.abs(there - here) <= ROUNDING * (1 + np.abs(here).max())).all())


@law("homogeneous with", NodeOp)
def homogeneous_with(case: Case) -> None:
    """The claimed parameters scale along with the input; where denied, no choice of them does."""
    claimed = _traits_of(case).homogeneous_with
    points = [point for point, _ in _points(case)]
    names = list(points[0].parameters)
    choices = [c for n in range(len(names) + 1) for c in itertools.combinations(names, n)]
    for choice in choices if claimed is None else [claimed]:
        holds = all(_scales(point, choice, s) for point in points for s in (0.5, 3.0))
        if holds != (claimed is not None):
            raise LawBroken(f"f(s·x, s·{choice}) = s·f {'holds' if holds else 'does not hold'}")


@law("mixing", NodeOp)
def mixing(case: Case) -> None:
    """The parameter through which units mix is a learned matrix."""
    claimed = _traits_of(case).mixing
    for point, _ in _points(case):
        matrices = [name for name, w in point.parameters.items() if w.ndim == 2]
        if claimed is not None and claimed not in matrices:
            raise LawBroken(f"{claimed} is not one of the learned matrices {matrices}")
