"""Every op costs what it states: arithmetic is counted, memory measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, singledispatch
from typing import Any, Final

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.cost import Cost
from gradcli.core.op import Loss, NodeOp, Op, Shape, Term, Weighting
from gradcli.core.traced import memory_of
from gradcli.testing.case import Case
from gradcli.testing.counting import Counting, count_operations
from gradcli.testing.held import held_by
from gradcli.testing.law import LawBroken, law
from gradcli.testing.node_points import node_point

__all__: list[str] = []

SMALL: Final[tuple[Shape, ...]] = ((6, 4), (12, 3), (6, 2, 4), (6, 5, 3))
LARGE: Final[tuple[Shape, ...]] = ((768, 40), (96, 10, 32))
"""Arrays that are large beside the objects around them, and not so large that NumPy reuses them."""

CONSTANT: Final = 4  # numbers of which there is one for all elements: an option as an array, say
ARRAY: Final = 0.5  # of the largest one at hand: truth values, and NumPy's own buffers
OBJECTS: Final = 10_000  # bytes of Python's own,
STEP_OBJECTS: Final = 6_000  # and for each step of a recurrent layer


@dataclass(frozen=True)
class _Call:
    """An evaluation of an op: its arguments, and the function of them that gives its pullback.

    `run(arguments) -> (output, pullback)`, with `pullback(g)` the cotangents in any nesting.
    """

    shape: Shape
    arguments: list[Array]
    run: Callable[[list[Array]], tuple[Array, Callable[[Array], Any]]]


@singledispatch
def _call(op: Op, case: Case, shape: Shape, rng: np.random.Generator) -> _Call:
    raise TypeError(f"{op.kind} {op.name} is not evaluated")  # pragma: no cover


@_call.register
def _node(op: NodeOp, case: Case, shape: Shape, rng: np.random.Generator) -> _Call:
    point = node_point(case, shape, rng)
    inputs = len(point.inputs)
    names = [*point.parameters, *point.buffers]

    def run(arguments: list[Array]) -> Any:
        own = dict(zip(names, arguments[inputs:], strict=True))
        return op.evaluate(tuple(arguments[:inputs]), own, len(shape), case.options)

    op.output_shape(tuple(x.shape for x in point.inputs), case.options)
    given = [*point.inputs, *point.parameters.values(), *point.buffers.values()]
    return _Call(shape, given, run)


@_call.register
def _loss(op: Loss, case: Case, shape: Shape, rng: np.random.Generator) -> _Call:
    if op.couples_rows and len(shape) > 2:
        raise ValueError("all rows in one axis")
    traits = op.traits_at(case.options)
    p = rng.standard_normal(shape) if traits is None or traits.domain[0] else rng.random(shape)
    values = shape if op.elementwise else shape[:-1]
    if op.couples_rows:
        values = (shape[0] // len(op.rows_at(case.options)),)
    targets = _TARGETS[op.reads_at(case.options)](rng, values, shape[-1])
    weights = {} if op.weights is None else op.weights(**case.options)
    learned = [np.full((1,) * len(values), weight) for weight in weights.values()]

    def run(arguments: list[Array]) -> Any:
        return op.function(*arguments, **case.options)

    return _Call(shape, [p, *targets, *learned], run)


@_call.register
def _term(op: Term, case: Case, shape: Shape, rng: np.random.Generator) -> _Call:
    return _Call(
        shape, [rng.standard_normal(shape)], lambda given: op.function(*given, **case.options)
    )


@_call.register
def _weighting(op: Weighting, case: Case, shape: Shape, rng: np.random.Generator) -> _Call:
    options = {name: value for name, value in case.options.items() if name != op.holds_tasks}
    learned = [np.full((1,) * len(shape), value) for value in op.weights(**case.options).values()]
    given = [rng.standard_normal(shape), *learned]
    return _Call(shape, given, lambda given: op.function(*given, **options))


Targets = Callable[[np.random.Generator, Shape, int], list[Array]]

_TARGETS: Final[dict[str, Targets]] = {
    "none": lambda rng, shape, features: [],
    "numbers": lambda rng, shape, features: [rng.standard_normal(shape)],
    "binary": lambda rng, shape, features: [rng.random(shape)],
    "events": lambda rng, shape, features: [np.round(rng.random(shape))],
    "signs": lambda rng, shape, features: [np.sign(rng.standard_normal(shape))],
    "labels": lambda rng, shape, features: [rng.integers(features, size=shape)],
    "classes": lambda rng, shape, features: [rng.integers(features, size=shape)],
    "probabilities": lambda rng, shape, features: [rng.dirichlet(np.ones(features), size=shape)],
}


def _calls(case: Case, shapes: tuple[Shape, ...]) -> Iterator[tuple[_Call, Cost]]:
    """The op at those of the shapes that it takes, with the cost that it states."""
    rng = case.rng()
    for shape in shapes:
        try:
            call = _call(case.op, case, shape, rng)
        except ValueError:
            continue
        cost = case.op.cost_at(shape, case.options)
        if cost is None:
            raise LawBroken("it states no cost")
        yield call, cost


@law("operations", NodeOp, Loss, Term, Weighting)
def operations(case: Case) -> None:
    """The stated numbers of operations are those counted, of the value and of the pullback."""
    for call, cost in _calls(case, SMALL):
        with count_operations() as tally:
            y, pull = call.run([Counting.of(array) for array in call.arguments])
            forward = tally.operations
        g = np.ones(y.shape)
        with count_operations() as tally:
            pull(Counting.of(g))
            backward = tally.operations
        for what, found, stated in (
            ("forward", forward, cost.forward),
            ("backward", backward, cost.backward),
        ):
            if found != stated:
                raise LawBroken(f"{what} at shape {call.shape}: {found}, stated {stated}")


@law("memory", NodeOp, Loss, Term, Weighting)
def memory(case: Case) -> None:
    """What the pullback keeps, and what is held besides meanwhile, is what is stated."""
    for call, cost in _calls(case, LARGE):
        (y, pull), forward = memory_of(partial(call.run, call.arguments))
        view = any(np.shares_memory(y, argument) for argument in call.arguments)
        if view != cost.is_view:
            raise LawBroken(f"the output {'is' if view else 'is not'} a view of the input")
        held = held_by(pull, [*call.arguments, y])
        _require(held.numbers, cost.kept, CONSTANT, "numbers that the pullback keeps", call)
        _require(held.flags, cost.flags, CONSTANT, "truth values that the pullback keeps", call)
        g = np.ones(y.shape)
        pulled, backward = memory_of(partial(pull, g))
        returned = {id(array): array for array in _arrays(pulled)}.values()
        new = sum(array.nbytes for array in returned if not np.shares_memory(array, g))
        own = 0 if view else y.nbytes
        size = max(array.nbytes for array in (y, *call.arguments))
        steps = call.shape[1] if _recurs(case) else 0
        allowed = ARRAY * size + OBJECTS + STEP_OBJECTS * steps
        kept = 8 * held.numbers + held.flags
        for what, found, stated in (
            ("forward", forward - own - kept, cost.scratch[0]),
            ("backward", backward - new, cost.scratch[1]),
        ):
            _require(found, 8 * stated, allowed, f"bytes beside all that, {what}", call)


def _recurs(case: Case) -> bool:
    op = case.op
    return isinstance(op, NodeOp) and op.layer_traits(case.options).recurs is not None


def _require(found: int, stated: int, allowed: float, what: str, call: _Call) -> None:
    if abs(found - stated) > allowed:
        raise LawBroken(f"{what}: {found:,} at shape {call.shape}, stated {stated:,}")


def _arrays(pulled: Any) -> Iterator[Array]:
    if isinstance(pulled, np.ndarray):
        yield pulled
    elif isinstance(pulled, dict):
        yield from pulled.values()
    else:
        for part in pulled:
            yield from _arrays(part)
