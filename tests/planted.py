"""Ops of the catalogue with a mistake planted, and whether a law catches it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.core.op import Activation, Op
from gradcli.core.registry import CATALOGUE
from gradcli.testing import LAWS, LawBroken, cases


class Mutants(dict[str, tuple[str, Callable[[], Op]]]):
    """Mistakes by name: the law that has to catch each, and what makes an op that has it."""

    def __call__(self, law: str) -> Callable[[Callable[[], Op]], Callable[[], Op]]:
        """Register a mistake and the law that has to catch it."""

        def decorate(make: Callable[[], Op]) -> Callable[[], Op]:
            self[make.__name__] = law, make
            return make

        return decorate

    @property
    def laws(self) -> set[str]:
        return {law for law, _ in self.values()}


def original(name: str, kind: type[Op]) -> Any:
    op = CATALOGUE.find(name, kind)
    assert op is not None
    return op


def claiming(name: str, kind: type[Op] = Activation, **claims: Any) -> Op:
    """An op whose traits say something else."""
    op = original(name, kind)
    return op.replace(traits=lambda **options: op.traits(**options).replace(**claims))


def computing(name: str, function: Callable[..., Any], kind: type[Op] = Activation) -> Op:
    """An op that is computed otherwise."""
    function.__doc__ = "A mistake."
    return original(name, kind).replace(function=function)


def pulling(name: str, change: Callable[..., Any], kind: type[Op] = Activation) -> Op:
    """An op whose pullback's result is changed: `change(cotangent in, cotangent out, x)`."""
    correct = original(name, kind).function

    def function(x: Any, *rest: Any, **options: Any) -> Any:
        value, pull = correct(x, *rest, **options)
        return value, lambda g: change(g, pull(g), x)

    return computing(name, function, kind)


def breaches(law: str, op: Op) -> list[str]:
    """What the law says of the op, wherever on its sweep it is broken."""
    found = []
    for case in cases(op):
        if LAWS[law].applies(case):
            try:
                LAWS[law].check(case)
            except LawBroken as error:
                found.append(str(error))
    return found
