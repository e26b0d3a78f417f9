"""The card of an op, from its one definition."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import singledispatch
from typing import Any, Final

from gradcli.analysis.catalogue.cards import Form, OpCard, Parameter
from gradcli.analysis.catalogue.examples import default_of, example_of, example_options
from gradcli.core.op import (
    Activation,
    Gradient,
    Initializer,
    Layer,
    Loss,
    NodeOp,
    Op,
    Options,
    Term,
    Weighting,
)
from gradcli.core.param import REQUIRED
from gradcli.core.registry import CATALOGUE
from gradcli.core.training_op import Curriculum, Optimizer, Schedule
from gradcli.core.traits import stated
from gradcli.diagnostics.concept import flowing

__all__ = ["claims_of", "curves_of", "learned_by", "op_card"]

Facts = list[tuple[str, str]]

READS: Final = {
    "numbers": "numbers, of the predictions' shape",
    "binary": "0 or 1, or between",
    "events": "0 or 1",
    "signs": "-1 or +1",
    "labels": "labels from 0, one a row",
    "probabilities": "probabilities, one a feature",
    "classes": "labels from 0, one a row, or probabilities, one a feature",
    "identities": "whole numbers, equal for rows of one class, one a row",
    "none": "none",
}
"""What targets are, by what a loss reads."""

_RUN: Final = 40
_FANS: Final = (256, 128)
_SHAPE: Final = (4, 5, 6)


def op_card(op: Op, see: tuple[str, ...] = ()) -> OpCard:
    """All that the op's definition says of it; `see` are names that lead on."""
    summary, _, rest = op.description.partition("\n")
    options = example_options(op)
    return OpCard(
        kind=op.kind,
        name=op.name,
        aliases=op.aliases,
        known_as=op.known_as,
        summary=summary,
        description="\n".join(map(flowing, rest.strip().split("\n\n"))),
        derivative_of=_variable(op),
        elementwise=not isinstance(op, (Activation, Loss)) or op.elementwise,
        forms=tuple(_forms(op)),
        parameters=tuple(
            Parameter(
                param.name,
                None if param.default is REQUIRED else default_of(op, param),
                param.default is REQUIRED,
                param.expected(),
                param.doc,
            )
            for param in op.params
        ),
        learned=learned_by(op),
        claims=claims_of(op),
        claimed_at=options,
        facts=(*_facts(op, options), *_cost(op, options)),
        curves=curves_of((op,)),
        example=example_of(op),
        offers=_offers(op),
        often_wrong=flowing(op.often_wrong),
        see=see,
        references=op.references,
    )


def curves_of(ops: Iterable[Op]) -> dict[str, tuple[float, ...]]:
    """The factors of the schedules among the ops over a run of 40 steps, as their examples are."""
    return {
        op.name: tuple(
            float(op.function(done, _RUN, **example_options(op))) for done in range(_RUN + 1)
        )
        for op in ops
        if isinstance(op, Schedule)
    }


def _variable(op: Op) -> str:
    """What the op's formulas are in, and its derivative with respect to."""
    if isinstance(op, (Weighting, Curriculum)):
        return "L"
    if isinstance(op, (Optimizer, Schedule)):
        return "w, g" if isinstance(op, Optimizer) else "done"
    return "p" if isinstance(op, Loss) else "w" if isinstance(op, Term) else "x"


def learned_by(op: Op) -> tuple[str, ...]:
    """Names of the parameters that the op learns, with the options of its example."""
    options = example_options(op)
    if isinstance(op, NodeOp):
        return tuple(op.learned(_SHAPE, options))
    weights = op.weights if isinstance(op, (Loss, Weighting)) else None
    return () if weights is None else tuple(weights(**options))


def _offers(op: Op) -> tuple[tuple[str, str], ...]:
    """Commands about the op, and what each does."""
    if not isinstance(op, Loss):
        return ()
    what = "its curve and its gradient, and what it claims, tried as you look"
    return ((f"gradcli loss {op.name}", what),)


def claims_of(op: Op) -> dict[str, Any]:
    """What the op claims about itself with the options of its example; {} for none."""
    options = example_options(op)
    if isinstance(op, (Activation, Loss)):
        traits = op.traits_at(options)
        return {} if traits is None else stated(traits)
    if isinstance(op, Layer):
        layer = op.layer_traits(options)
        return {
            "couples_rows": layer.couples_rows,
            "keeps_features": layer.keeps_features,
            "affine": tuple(layer.affine),
            "homogeneous_with": layer.homogeneous_with,
            "mixing": layer.mixing,
        }
    return {}


def _forms(op: Op) -> Iterator[Form]:
    """Formulas at the defaults, or at each combination of choices on which they depend."""
    if isinstance(op, Loss):
        texts: tuple[Gradient | Callable[..., Gradient], ...] = (op.formula, op.gradient)
    elif isinstance(op, (Activation, Term, Weighting)):
        texts = (op.formula, op.derivative)
    elif isinstance(op, (Optimizer, Schedule, Curriculum)):
        texts = (op.formula, "")
    else:
        return

    def written(choice: Mapping[str, Any]) -> list[Gradient]:
        options = {**example_options(op), **choice}
        return [text(**options) if callable(text) else text for text in texts]

    choices = {param.name: param.choices for param in op.params if param.kind == "choice"}
    matters = {
        name: values
        for name, values in choices.items()
        if any(written({name: value}) != written({}) for value in values)
    }
    for values in itertools.product(*matters.values()):
        choice = dict(zip(matters, values, strict=True))
        formula, derivative = written(choice)
        assert isinstance(formula, str)
        if formula or derivative:
            yield Form(choice, formula, derivative)


def _cost(op: Op, options: Options) -> Facts:
    """What an element takes, or, where elements are not alike, a few rows of features."""
    if op.cost is None:
        return []
    options = {
        name: value for name, value in options.items() if not isinstance(value, (list, dict))
    }
    cost = op.cost_at(_SHAPE, options)
    if cost is None:
        return []
    forward, backward = cost.forward.total, cost.backward.total
    size = math.prod(_SHAPE)
    alike = isinstance(op, (Activation, Loss, Weighting)) and not (
        forward % size or backward % size
    )
    if alike or isinstance(op, Term):
        forward, backward = forward // size, backward // size
        return [("operations", f"{forward} for each element forward, {backward} backward")]
    shape = "×".join(map(str, _SHAPE))
    said = f"{forward:,} forward and {backward:,} backward for an input of {shape}"
    return [("operations", said)]


@singledispatch
def _facts(op: Op, options: Options) -> Facts:
    """Further properties, a label and a text each."""
    return []


@_facts.register
def _(op: Activation, options: Options) -> Facts:
    return [
        ("works on", "each entry alone" if op.elementwise else "the features of each row"),
        ("before it", f"init: auto draws {op.init}"),
    ]


@_facts.register
def _(op: Loss, options: Options) -> Facts:
    together = op.rows_at(options)
    rows = "rows" if len(together) == 1 else f"groups of {len(together)} rows"
    return [
        ("targets", READS[op.reads_at(options)]),
        ("mean over", "all elements" if op.elementwise else rows),
    ]


@_facts.register
def _(op: Weighting, options: Options) -> Facts:
    return [("sum over", "the tasks, one for each head; L is the loss of one")]


@_facts.register
def _(op: Term, options: Options) -> Facts:
    return [("sum over", "every entry of the parameters with two or more axes")]


@_facts.register
def _(op: Optimizer, options: Options) -> Facts:
    return [("learning rate", f"{op.rate:g} where a spec writes none")]


@_facts.register
def _(op: Initializer, options: Options) -> Facts:
    found: Facts = []
    if op.variance is not None:
        spread = math.sqrt(op.variance(*_FANS, **options))
        fan_in, fan_out = _FANS
        found.append(
            ("spread", f"standard deviation {spread:.4g} from {fan_in} to {fan_out} units")
        )
    drawn = [each.name for each in CATALOGUE.all(Activation) if each.init == op.name]
    if op.resolves:
        for init in dict.fromkeys(each.init for each in CATALOGUE.all(Activation)):
            before = [each.name for each in CATALOGUE.all(Activation) if each.init == init]
            found.append((init, f"before {', '.join(before)}"))
    elif drawn:
        found.append(("auto", f"draws it before {', '.join(drawn)}"))
    if op.bias is not None:
        found.append(("bias", f"drawn by {op.bias} beside it, where a spec says nothing else"))
    return found
