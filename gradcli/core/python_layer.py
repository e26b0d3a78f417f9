"""Layers that are classes of the user's own: called one example at a time, on copies.

A class has `parameters(in_shape, rng) -> {name: array}` (left out where there are none),
`forward(x, parameters) -> y` or `(y, saved)`, and
`backward(x, parameters, output, cotangent[, saved]) -> (dx, {name: cotangent})`, where `saved` is
passed if `forward` returned it; without parameters, `dx` alone will do. It is given real arrays in
the precision of the network, never replica axes or complex numbers. Every evaluation is on a copy
of the instance, and its pullback on the same copy: what `forward` keeps in `self` is there in
`backward`, and nothing that either does is left behind. A `forward` that draws from a global random
generator finds it in the same state each time, so that a mask drawn by hand is frozen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from typing import Any, ClassVar

import numpy as np

from gradcli.core.arrays import Array, Cotangents, Parameters, Pullback
from gradcli.core.generators import Generators, left_as_found
from gradcli.core.op import (
    Initializer,
    InitializerChoice,
    Layer,
    Learned,
    NodeOp,
    Options,
    Shape,
    X,
)
from gradcli.core.record import Record
from gradcli.core.traits import LayerTraits
from gradcli.core.user_code import UserCode, copied
from gradcli.errors import UsageError, UserCodeError

__all__ = ["LayerRun", "PlacedLayer", "PythonLayer"]

_TRIAL = (0.25, 0.75)  # inside the domain of logarithms, roots, reciprocals and probabilities


class PythonLayer(Layer, kw_only=True):
    """A layer as a spec defines it: `function` is the class, the options its keyword arguments."""

    opaque: ClassVar[bool] = True

    def placed(
        self, name: str, shape: Shape, options: Options, *, whole: bool = False
    ) -> PlacedLayer:
        """The layer as a node of this name, for an x of this shape (of `whole` numbers).

        Its parameters are drawn and `forward` is called once, to learn their shapes. Raises
        UserCodeError where any of it raises or returns nonsense.
        """
        with left_as_found():
            with UserCode(name, f"the constructor of {self.function.__name__}"):
                instance = self.function(**options)
            layer = PlacedLayer(
                name=self.name, function=self.function, node=name, instance=instance, shape=shape
            )
            parameters = layer.drawn_repeatably()
            layer = layer.replace(own={key: value.shape for key, value in parameters.items()})
            x = np.zeros(shape, int) if whole else np.random.default_rng(0).uniform(*_TRIAL, shape)
            before = Generators.now()
            out = layer.tried(x, parameters).shape
            draws = before.moved()
            return layer.replace(out=out, draws=draws, found=before if draws else None)


class LayerRun(Record):
    """One evaluation: the output as it was returned, and the backward that belongs to it.

    `backward(x, parameters, output, cotangent)` returns whatever the user's does. `saved` are the
    values passed to it, none or one.
    """

    output: Array
    saved: tuple[Any, ...]
    backward: Callable[[Array, Parameters, Array, Array], Any]


class PlacedLayer(NodeOp, kw_only=True):
    """A user's layer as one node: an instance, and the shapes it was seen to have.

    `shape` is that of x, `own` those of the parameters, `out` that of the output, or None until it
    is known. `draws` names the global random generators that `forward` draws from, in the states in
    which they are `found` in each call. If it `is_single` it is given float32 whatever it is asked
    for, and if it `is_lenient` a cotangent that `backward` does not give is NaN.
    """

    kind: ClassVar[str] = "layer"
    opaque: ClassVar[bool] = True
    node: str
    instance: Any
    shape: Shape
    own: Mapping[str, Shape] | None = None
    out: Shape | None = None
    draws: str = ""
    found: Generators | None = None
    is_single: bool = False
    is_lenient: bool = False

    def placed(self, name: str, shape: Shape, options: Options) -> PlacedLayer:
        """The same class as a node for an input of another shape."""
        if shape == self.shape:
            return self
        definition = PythonLayer(name=self.name, function=self.function)
        return definition.placed(name, shape, options)

    def output_shape(self, shapes: tuple[Shape, ...], options: Options) -> Shape:
        assert self.out is not None
        return self.out

    def learned(self, shape: Shape, options: Options) -> dict[str, Learned]:
        assert self.own is not None
        return {
            name: Learned(own, InitializerChoice(self._initializer(name), {}), drawn_as=self.node)
            for name, own in self.own.items()
        }

    def layer_traits(self, options: Options) -> LayerTraits:
        return LayerTraits(couples_rows=True)

    def evaluate(
        self, inputs: tuple[Array, ...], parameters: Parameters, rank: int, options: Options
    ) -> tuple[Array, Pullback]:
        """Value and pullback, replica by replica.

        An error raises UserCodeError; among replicas, which are probes, it makes that one NaN.
        """
        assert self.own is not None
        (x,) = inputs
        if any(np.iscomplexobj(value) for value in (x, *parameters.values())):
            raise UsageError(f"{self.node} is Python of the spec's own and takes real numbers only")
        if self.is_single and x.dtype != np.float32:
            return self._in_float32(x, parameters, rank, options)
        ranks = {X: rank, **{name: len(self.own[name]) for name in parameters}}
        arrays = {X: x, **parameters}
        replicas = np.broadcast_shapes(
            *(value.shape[: value.ndim - ranks[name]] for name, value in arrays.items())
        )
        if not replicas:
            run = self.run(x.copy(), _copies(parameters))

            def pull(g: Array) -> tuple[tuple[Array, ...], Cotangents]:
                several = g.shape[
                    : g.ndim - run.output.ndim
                ]  # where only what follows has replicas
                if not several:
                    return self._pulled(run, x, parameters, g)
                shapes = {name: value.shape for name, value in arrays.items()}
                return _by_replica(
                    several, shapes, x.dtype, lambda at: self._pulled(run, x, parameters, g[at])
                )

            return run.output.astype(x.dtype), pull
        spread = {
            name: np.broadcast_to(value, (*replicas, *value.shape[value.ndim - ranks[name] :]))
            for name, value in arrays.items()
        }
        assert self.out is not None
        y = np.full((*replicas, *self.out), np.nan, x.dtype)
        for index in np.ndindex(replicas):
            own = {name: value[index].copy() for name, value in spread.items()}
            with suppress(UserCodeError):
                y[index] = self._forward(own.pop(X), own)[1]

        def pullback(g: Array) -> tuple[tuple[Array, ...], Cotangents]:
            def pulled(at: tuple[int, ...]) -> tuple[tuple[Array, ...], Cotangents]:
                own = {name: value[at] for name, value in spread.items()}
                x_here = own.pop(X)
                run = self.run(x_here.copy(), _copies(own))
                return self._pulled(run, x_here, own, g[at])

            shapes = {name: value.shape[len(replicas) :] for name, value in spread.items()}
            return _by_replica(replicas, shapes, x.dtype, pulled)

        return y, pullback

    def _in_float32(
        self, x: Array, parameters: Parameters, rank: int, options: Options
    ) -> tuple[Array, Pullback]:
        narrow = {name: value.astype(np.float32) for name, value in parameters.items()}
        y, pull = self.evaluate((x.astype(np.float32),), narrow, rank, options)

        def pullback(g: Array) -> tuple[tuple[Array, ...], Cotangents]:
            (dx,), cotangents = pull(g.astype(np.float32))
            return (dx.astype(x.dtype),), {k: d.astype(x.dtype) for k, d in cotangents.items()}

        return y.astype(x.dtype), pullback

    def run(self, x: Array, parameters: Parameters) -> LayerRun:
        """`forward` at one example; raises UserCodeError where it raises or returns nonsense."""
        instance, output, saved = self._forward(x, dict(parameters))

        def backward(x: Array, parameters: Parameters, output: Array, cotangent: Array) -> Any:
            with redirect_stdout(sys.stderr):
                return instance.backward(x, dict(parameters), output, cotangent, *saved)

        return LayerRun(output, saved, backward)

    def _forward(
        self, x: Array, parameters: dict[str, Array]
    ) -> tuple[Any, Array, tuple[Any, ...]]:
        """The instance that was run, its output, and what it saved: nothing or one value."""
        instance = copied(self.instance)
        with UserCode(self.node, "forward"):
            if self.found is None:
                made = instance.forward(x, parameters)
            else:
                with self.found.held():
                    made = instance.forward(x, parameters)
        if isinstance(made, tuple) and len(made) == 2:
            return instance, self._real(made[0], "forward returns", self.out), (made[1],)
        return instance, self._real(made, "forward returns", self.out), ()

    def tried(self, x: Array, parameters: Parameters) -> Array:
        """The output at an example in float64, or in float32 if that alone will do."""
        try:
            return self.run(x, parameters).output
        except UserCodeError:
            narrow = {name: value.astype(np.float32) for name, value in parameters.items()}
            with suppress(UserCodeError):
                return self.run(x.astype(np.float32), narrow).output
            raise

    def drawn(self, rng: np.random.Generator) -> dict[str, Array]:
        """The parameters; raises UserCodeError where they are no dict of real arrays."""
        draw = getattr(copied(self.instance), "parameters", None)
        if draw is None:
            return {}
        with UserCode(self.node, "parameters"):
            made = draw(self.shape, rng)
        if not isinstance(made, Mapping):
            raise UserCodeError(self.node, f"parameters returns {_words(made)}, not a dict")
        if self.own is not None and set(made) != set(self.own):
            raise UserCodeError(self.node, "parameters gives other names than before")
        found = {}
        for name, value in made.items():
            if not isinstance(name, str) or not name.isidentifier() or name == X:
                raise UserCodeError(self.node, f"a parameter cannot be called {name!r}")
            shape = None if self.own is None else self.own.get(name)
            found[name] = self._real(value, f"parameters has as {name}", shape)
            if not np.isfinite(found[name]).all():
                raise UserCodeError(self.node, f"parameters has a {name} that is not finite")
        return found

    def drawn_repeatably(self) -> dict[str, Array]:
        """Parameters, drawn twice to see that they come from the generator given to them alone."""
        before = Generators.now()
        first = self.drawn(np.random.default_rng(0))
        seen = self.replace(own={name: value.shape for name, value in first.items()})
        second = seen.drawn(np.random.default_rng(0))
        moved = before.moved()
        if moved or any(not np.array_equal(value, second[name]) for name, value in first.items()):
            why = f"draws from {moved}" if moved else "is not the same twice"
            raise UserCodeError(self.node, f"parameters {why}; it has to draw from its rng alone")
        return first

    def _initializer(self, name: str) -> Initializer:
        def draw(rng: np.random.Generator, *_: Any) -> Array:
            return self.drawn(rng)[name]

        return Initializer(name=self.name, function=draw)

    def _pulled(
        self, run: LayerRun, x: Array, parameters: Parameters, g: Array
    ) -> tuple[tuple[Array, ...], Cotangents]:
        """The cotangents; raises UserCodeError where they cannot be had."""
        try:
            with UserCode(self.node, "backward"):
                made = run.backward(x.copy(), _copies(parameters), run.output.copy(), g.copy())
            dx, cotangents = self.parted(made)
        except UserCodeError:
            if not self.is_lenient:
                raise
            dx, cotangents = None, {}
        return (self._cotangent(X, dx, x),), {
            name: self._cotangent(name, cotangents.get(name), value)
            for name, value in parameters.items()
        }

    def _cotangent(self, name: str, made: Any, value: Array) -> Array:
        """What backward returned as the cotangent of a value, in the value's own format."""
        try:
            what = f"backward returns as the cotangent of {name}"
            return self._real(made, what, value.shape).astype(value.dtype)
        except UserCodeError:
            if not self.is_lenient:
                raise
            return np.full(value.shape, np.nan, value.dtype)

    def parted(self, made: Any) -> tuple[Any, Mapping[str, Any]]:
        """What `backward` returned as the cotangents of x and of the parameters by name."""
        if not self.own and not isinstance(made, tuple):
            return made, {}
        if isinstance(made, tuple) and len(made) == 2 and isinstance(made[1], Mapping):
            return made[0], made[1]
        hint = "(dx, {name: cotangent})"
        raise UserCodeError(self.node, f"backward returns {_words(made)}, not {hint}")

    def _real(self, value: Any, what: str, shape: Shape | None) -> Array:
        """The value as an array of real numbers, of this shape if one is given."""
        try:
            array = np.asarray(value)
        except ValueError:
            array = np.asarray(None)
        if array.dtype.kind not in "fiub":
            message = f"{what} {_words(value)}, not an array of real numbers"
            raise UserCodeError(self.node, message)
        if shape is not None and array.shape != shape:
            message = f"{what} an array of shape {array.shape}, not {shape}"
            raise UserCodeError(self.node, message)
        return array


def _by_replica(
    replicas: Shape,
    shapes: Mapping[str, Shape],
    dtype: Any,
    pulled: Callable[[tuple[int, ...]], tuple[tuple[Array, ...], Cotangents]],
) -> tuple[tuple[Array, ...], Cotangents]:
    """The cotangents of each replica, NaN where its code raises; `shapes` are those of one."""
    found = {name: np.full((*replicas, *shape), np.nan, dtype) for name, shape in shapes.items()}
    for at in np.ndindex(replicas):
        with suppress(UserCodeError):
            (dx,), cotangents = pulled(at)
            for name, value in {X: dx, **cotangents}.items():
                found[name][at] = value
    return (found.pop(X),), found


def _copies(parameters: Parameters) -> dict[str, Array]:
    return {name: value.copy() for name, value in parameters.items()}


def _words(value: Any) -> str:
    """What a value is, for a message."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return "None" if value is None else f"a {type(value).__name__}"
