"""Where ops are found by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from gradcli.core.op import (
    Activation,
    Initializer,
    Layer,
    Loss,
    Macro,
    Op,
    OutputTerm,
    Term,
    Weighting,
)
from gradcli.core.training_op import Curriculum, Optimizer, Schedule

__all__ = [
    "CATALOGUE",
    "Catalogue",
    "activation",
    "curriculum",
    "initializer",
    "layer",
    "loss",
    "macro",
    "nearest",
    "optimizer",
    "output_term",
    "schedule",
    "term",
    "weighting",
]

AnyOp = TypeVar("AnyOp", bound=Op)
Function = TypeVar("Function", bound=Callable[..., Any])


def nearest(word: str, names: list[str]) -> str | None:
    """The name a misspelled word most likely stands for, or None."""
    from difflib import get_close_matches  # only a mistake needs it

    matches = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return matches[0] if matches else None


class Catalogue:
    """Ops by kind and name; layers and activations share one namespace, losses and terms one."""

    def __init__(self, parent: Catalogue | None = None) -> None:
        self._parent = parent
        self._ops: dict[tuple[str, str], Op] = {}

    def register(self, op: Op) -> None:
        for name in (op.name, *op.aliases):
            if (op.kind, name) in self._ops:
                raise ValueError(f"{op.kind} {name} is defined twice")
            self._ops[op.kind, name] = op

    def extended(self, ops: list[Op]) -> Catalogue:
        """The catalogue with further ops, which a spec defines for itself."""
        child = Catalogue(self)
        for op in ops:
            child.register(op)
        return child

    def find(self, name: str, *classes: type[AnyOp]) -> AnyOp | None:
        """The op of one of these classes called `name`, or None."""
        for op_class in classes:
            op = self._ops.get((op_class.kind, name))
            if isinstance(op, op_class):
                return op
        return None if self._parent is None else self._parent.find(name, *classes)

    def __iter__(self) -> Iterator[Op]:
        """Every op once, by kind and then in the order of definition."""
        seen: dict[int, Op] = {}
        if self._parent is not None:
            seen.update((id(op), op) for op in self._parent)
        seen.update((id(op), op) for op in self._ops.values())
        return iter(sorted(seen.values(), key=lambda op: op.kind))

    def all(self, op_class: type[AnyOp]) -> list[AnyOp]:
        return [op for op in self if isinstance(op, op_class)]

    def names(self, *classes: type[Op]) -> list[str]:
        """Every name and alias of the ops of these classes."""
        kinds = {op_class.kind for op_class in classes}
        return sorted(
            name
            for op in self
            if isinstance(op, classes) and op.kind in kinds
            for name in (op.name, *op.aliases)
        )


CATALOGUE = Catalogue()
"""Filled when `gradcli.ops` is imported."""


def _registering(
    op_class: type[Op], name: str, fields: dict[str, Any]
) -> Callable[[Function], Function]:
    for key in ("params", "aliases", "known_as", "references"):
        fields[key] = tuple(fields.get(key, ()))

    def decorate(function: Function) -> Function:
        CATALOGUE.register(op_class(name=name, function=function, **fields))
        return function

    return decorate


def activation(name: str, **fields: Any) -> Callable[[Function], Function]:
    """Define an activation; see `Activation` for the fields."""
    return _registering(Activation, name, fields)


def layer(name: str, **fields: Any) -> Callable[[Function], Function]:
    """Define a layer; see `Layer` for the fields."""
    return _registering(Layer, name, fields)


def macro(name: str, **fields: Any) -> Callable[[Function], Function]:
    """Define an entry that writes out others; see `Macro`."""
    return _registering(Macro, name, fields)


def loss(name: str, **fields: Any) -> Callable[[Function], Function]:
    """Define a loss; see `Loss` for the fields."""
    return _registering(Loss, name, fields)


def output_term(name: str, **fields: Any) -> Callable[[Function], Function]:
    """Define a summand on the outputs; see `OutputTerm` for the fields."""
    return _registering(OutputTerm, name, fields)


def term(name: str, **fields: Any) -> Callable[[Function], Function]:
    """Define a penalty on parameters; see `Term` for the fields."""
    return _registering(Term, name, fields)


def weighting(name: str, **fields: Any) -> Callable[[Function], Function]:
    """Define how the losses of several heads are weighted; see `Weighting` for the fields."""
    return _registering(Weighting, name, fields)


def initializer(name: str, **fields: Any) -> Callable[[Function], Function]:
    """Define an initializer; see `Initializer` for the fields."""
    return _registering(Initializer, name, fields)


def optimizer(name: str, **fields: Any) -> Callable[[Function], Function]:
    """Define a rule for the steps of a training run; see `Optimizer` for the fields."""
    return _registering(Optimizer, name, fields)


def schedule(name: str, **fields: Any) -> Callable[[Function], Function]:
    """Define how a number changes over a training run; see `Schedule` for the fields."""
    return _registering(Schedule, name, fields)


def curriculum(name: str, **fields: Any) -> Callable[[Function], Function]:
    """Define which examples are trained on when; see `Curriculum` for the fields."""
    return _registering(Curriculum, name, fields)
