"""What the engine relies on in every node: values and cotangents of layers and activations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import NodeOp
from gradcli.testing.case import Case
from gradcli.testing.law import LawBroken, law, require
from gradcli.testing.node_points import ROUNDING, node_point, node_points, node_shapes

__all__: list[str] = []

REPLICAS = 3


@law("shapes", NodeOp)
def shapes(case: Case) -> None:
    """Outputs have the shape worked out beforehand, cotangents those of their arguments."""
    for point, _ in node_points(case):
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
    for point, rng in node_points(case):
        v = node_point(case, point.inputs[0].shape, rng)
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
    for point, rng in node_points(case):
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
    for shape in node_shapes(case):
        stacked = node_point(case, shape, rng, (REPLICAS,))
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
    for point, _ in node_points(case):
        narrow = replace(
            point,
            inputs=tuple(x.astype(np.float32) for x in point.inputs),
            parameters={name: w.astype(np.float32) for name, w in point.parameters.items()},
            buffers={name: w.astype(np.float32) for name, w in point.buffers.items()},
        )
        y, pull = narrow.run()
        dx, dparameters = pull(np.ones_like(y))
        for found in (y, *dx, *dparameters.values()):
            if found.dtype != np.float32:
                raise LawBroken(f"{found.dtype} for float32 arguments")


@law("node arguments unchanged", NodeOp)
def node_arguments_unchanged(case: Case) -> None:
    """Neither evaluation nor pullback writes into its arguments, output or cotangent."""
    for point, rng in node_points(case):
        y, pull = point.run()
        g = rng.standard_normal(y.shape)
        arrays = [*point.inputs, *point.parameters.values(), *point.buffers.values(), y, g]
        before = [array.copy() for array in arrays]
        point.run()
        pull(g)
        if not all(map(np.array_equal, arrays, before)):
            raise LawBroken("an argument or the output is changed")
