"""What nodes claim of themselves, which the engine and the flow analysis rely on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gradcli.core.arrays import Array, Cotangents, rows
from gradcli.core.op import Layer, NodeOp
from gradcli.core.steps import record_steps
from gradcli.core.traits import LayerTraits
from gradcli.testing.case import Case
from gradcli.testing.law import LawBroken, law, require
from gradcli.testing.node_points import ROUNDING, Point, node_point, node_points

__all__: list[str] = []

_DRAWS = 4000
_SIGMAS = 6.0  # a right claim fails once in a billion entries, and seeds are fixed


@law("coupling", NodeOp)
def coupling(case: Case) -> None:
    """A row depends on other rows exactly where `couples_rows` says so."""
    claimed = _traits_of(case).couples_rows
    coupled = False
    for point, rng in node_points(case):
        inputs = tuple(x.copy() for x in point.inputs)
        for x in inputs:
            x[0] += rng.standard_normal(x[0].shape)
        here, there = point.value(), point.moved(inputs, point.parameters).value()
        coupled |= not np.array_equal(here[1:], there[1:])
    if coupled != claimed:
        raise LawBroken(f"claimed couples_rows={claimed}, found {coupled}")


@law("features", Layer)
def features(case: Case) -> None:
    """Features stay apart, in inputs and parameters, exactly where `keeps_features` says so."""
    claimed = _traits_of(case).keeps_features
    mixed, told = False, False
    for point, rng in node_points(case):
        here = point.value()
        told |= point.inputs[0].shape[-1] > 1
        for moved in _moved_in_one_feature(point, rng):
            there = moved.value()
            mixed |= here.shape[-1] != point.inputs[0].shape[-1]
            mixed |= not np.array_equal(here[..., 1:], there[..., 1:])
    if told and mixed == claimed:
        raise LawBroken(f"claimed keeps_features={claimed}, found {not mixed}")


def _moved_in_one_feature(point: Point, rng: np.random.Generator) -> Iterator[Point]:
    """The point with the first feature moved, of all inputs and of each parameter in turn."""
    inputs = tuple(x.copy() for x in point.inputs)
    for x in inputs:
        x[..., 0] += rng.standard_normal(x[..., 0].shape)
    yield point.moved(inputs, point.parameters)
    for name, value in point.parameters.items():
        other = value.copy()
        other[..., 0] += rng.standard_normal(other[..., 0].shape)
        yield point.moved(point.inputs, {**point.parameters, name: other})


def _traits_of(case: Case) -> LayerTraits:
    assert isinstance(case.op, NodeOp)
    return case.op.layer_traits(case.options)


@law("affine", NodeOp)
def affine(case: Case) -> None:
    """Where affine is claimed, it is so, and the stated contraction is the cotangent."""
    for operand, (contraction, *names) in _traits_of(case).affine.items():
        for point, rng in node_points(case):
            y, pull = point.run()
            g = rng.standard_normal(y.shape)
            dx, dparameters = pull(g)
            others = [
                rows(point.inputs[0], point.rank) if name == "x" else point.parameters[name]
                for name in names
            ]
            found = np.einsum(contraction, rows(g, g.ndim), *others)
            expected = rows(dx[0], point.rank) if operand == "x" else dparameters[operand]
            size = 1 + np.abs(expected).max()
            require(found, expected, ROUNDING * size, f"contraction for {operand}")
            other = node_point(case, point.inputs[0].shape, rng)
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
    def along(arrays: Cotangents) -> Cotangents:
        return {name: s * w if name in names else w for name, w in arrays.items()}

    scaled = replace(
        point,
        inputs=tuple(s * x for x in point.inputs),
        parameters=along(point.parameters),
        buffers=along(point.buffers),
    )
    here, there = s * point.value(), scaled.value()
    return bool((np.abs(there - here) <= ROUNDING * (1 + np.abs(here).max())).all())


@law("homogeneous with", NodeOp)
def homogeneous_with(case: Case) -> None:
    """The claimed arguments scale along with the input; where denied, no choice of them does."""
    claimed = _traits_of(case).homogeneous_with
    points = [point for point, _ in node_points(case)]
    names = [*points[0].parameters, *points[0].buffers]
    choices = [c for n in range(len(names) + 1) for c in itertools.combinations(names, n)]
    for choice in choices if claimed is None else [claimed]:
        holds = all(_scales(point, choice, s) for point in points for s in (0.5, 3.0))
        if holds != (claimed is not None):
            raise LawBroken(f"f(s·x, s·{choice}) = s·f {'holds' if holds else 'does not hold'}")


@law("steps", NodeOp)
def steps(case: Case) -> None:
    """Steps are noted exactly where `recurs` names what joins them; without it each stands alone.

    The state noted last is the output's last, and its cotangent the output's; with the parameter at
    zero nothing of an earlier input is left in the last state of a layer that has no gates, though
    of its own.
    """
    name = _traits_of(case).recurs
    for point, rng in node_points(case):
        with record_steps() as noted:
            y, pull = point.run()
            pull(rng.standard_normal(y.shape))
        if (name is None) == bool(noted):
            raise LawBroken(f"claimed recurs={name}, noted {len(noted)} steps")
        if name is None:
            continue
        last = y[..., -1, :] if y.ndim == point.inputs[0].ndim else y
        require(noted[-1].state, last, 0.0, "the last state")
        if any(step.cotangent.shape[:-1] != step.state.shape[:-1] for step in noted):
            raise LawBroken("a step has no cotangent")
        if any(step.gates for step in noted):
            continue
        parameters = {**point.parameters, name: np.zeros_like(point.parameters[name])}
        inputs = tuple(x.copy() for x in point.inputs)
        inputs[0][..., :-1, :] += 1.0
        with record_steps() as apart:
            point.moved(point.inputs, parameters).run()
        with record_steps() as moved:
            point.moved(inputs, parameters).run()
        require(moved[-1].state, apart[-1].state, 0.0, "the last state, the steps cut apart")
        inputs[0][..., -1, :] += rng.standard_normal(inputs[0][..., -1, :].shape)
        with record_steps() as moved:
            point.moved(inputs, parameters).run()
        if np.array_equal(moved[-1].state, apart[-1].state) and apart[-1].state.any():
            raise LawBroken(f"without {name} a step does not read its own input either")


@law("mixing", NodeOp)
def mixing(case: Case) -> None:
    """The parameter through which units mix is a learned matrix."""
    claimed = _traits_of(case).mixing
    for point, _ in node_points(case):
        matrices = [name for name, w in point.parameters.items() if w.ndim == 2]
        if claimed is not None and claimed not in matrices:
            raise LawBroken(f"{claimed} is not one of the learned matrices {matrices}")


@law("node lipschitz", NodeOp)
def node_lipschitz(case: Case) -> None:
    """For each input, no cotangent becomes longer than the bound stated at the point."""
    bound_of = _traits_of(case).lipschitz
    if bound_of is None:
        return
    for point, _ in node_points(case):
        stated = bound_of(point.inputs, {**point.parameters, **point.buffers})
        if len(stated) != len(point.inputs):
            raise LawBroken(f"{len(stated)} bounds for {len(point.inputs)} inputs")
        for k, (bound, jacobian) in enumerate(zip(stated, _jacobians(point), strict=True)):
            found = float(np.linalg.norm(jacobian, 2))
            if not found <= bound * (1 + ROUNDING):
                raise LawBroken(f"input {k}: a cotangent grows by {found!r}, beyond {bound!r}")


def _jacobians(point: Point) -> list[Array]:
    """For each input the derivatives (outputs, entries of the input), by the pullback."""
    y, pull = point.run()
    pulled = [pull(unit.reshape(y.shape))[0] for unit in np.eye(y.size)]
    return [np.stack([dx[k].ravel() for dx in pulled]) for k in range(len(point.inputs))]


@law("expectation", NodeOp)
def expectation(case: Case) -> None:
    """Over the draws of what it draws, an entry is its input on average, with `noise` in it."""
    op = case.op
    assert isinstance(op, NodeOp)
    noise = _traits_of(case).noise
    for point, rng in node_points(case):
        held = op.buffered(point.inputs[0].shape, case.options).items()
        drawn = {name: (own.fill, own.shape) for name, own in held if callable(own.fill)}
        if not drawn:
            if noise:
                raise LawBroken(f"claimed noise={noise}, but nothing is drawn")
            continue
        powers = np.arange(1, 5)[:, *(None,) * point.rank]
        total: Array = np.zeros((4, *point.inputs[0].shape))
        for _ in range(_DRAWS):
            buffers = {name: fill(rng, shape) for name, (fill, shape) in drawn.items()}
            total += replace(point, buffers={**point.buffers, **buffers}).value() ** powers
        first, second, _, fourth = total / _DRAWS
        x = point.inputs[0]
        for found, of_squares, expected, what in (
            (first, second, x, "mean"),
            (second, fourth, (1 + noise) * x * x, "mean square"),
        ):
            spread = np.sqrt(np.maximum(of_squares - found * found, 0.0) / _DRAWS)
            allowed = _SIGMAS * spread + ROUNDING * np.abs(found)
            require(found, expected, allowed, f"{what} over draws")


@law("sums", NodeOp)
def sums(case: Case) -> None:
    """Where `sums` is claimed, the output is that sum of the inputs, entry by entry."""
    claimed = _traits_of(case).sums
    if claimed is None:
        return
    for point, _ in node_points(case):
        terms = [c * x.ravel() for c, x in zip(claimed, point.inputs, strict=True)]
        size = 1 + np.abs(terms).max()
        require(point.value().ravel(), sum(terms), ROUNDING * size, f"sum with {claimed}")


@law("normalizes", NodeOp)
def normalizes(case: Case) -> None:
    """Where `normalizes` is claimed, the output is what it says of the statistics it names."""
    claimed = _traits_of(case).normalizes
    if claimed is None:
        return
    for point, _ in node_points(case):
        (x,) = point.inputs
        plain = {"weight": 1.0, "bias": 0.0}
        own = {name: np.full_like(w, plain[name]) for name, w in point.parameters.items()}
        if claimed.over == "stored":
            mean, variance = (point.buffers[f"running_{name}"] for name in ("mean", "var"))
        else:
            axes = (-1,) if claimed.over == "features" else tuple(range(x.ndim - 1))
            mean = x.mean(axis=axes, keepdims=True) if claimed.centred else np.zeros(1)
            variance = ((x - mean) ** 2).mean(axis=axes, keepdims=True)
        expected = (x - mean) / np.sqrt(variance + claimed.eps)
        size = 1 + np.abs(expected).max()
        found = point.moved(point.inputs, own).value()
        require(found, expected, ROUNDING * size, f"normalized over {claimed.over}")
