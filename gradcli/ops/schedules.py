"""How a learning rate, a temperature or a weight changes over a run: factors on where it began."""

from __future__ import annotations

import math

from gradcli.core.param import Param
from gradcli.core.registry import schedule

__all__: list[str] = []

_END = Param("end", 0.0, at_least=0, doc="factor at the end of the run")


@schedule("constant", formula="1")
def constant(done: int, of: int) -> float:
    """The same from the first step to the last."""
    return 1.0


@schedule(
    "exponential",
    params=[Param("end", 0.01, above=0, doc="factor at the end of the run")],
    formula="end**(done/of)",
    often_wrong="T₀·exp(-λt) with a λ that is not tied to the length of the run: it has fallen to "
    "nothing before the middle, or hardly moved at the end. Here λ = -log(end)/of.",
)
def exponential(done: int, of: int, *, end: float) -> float:
    """By the same factor every step, down (or up) to `end` times the start; it never reaches 0."""
    return float(end ** (done / of))


@schedule("linear", params=[_END], formula="1 + (end - 1)*done/of")
def linear(done: int, of: int, *, end: float) -> float:
    """By the same amount every step, to `end` times the start."""
    return 1 + (end - 1) * done / of


@schedule(
    "cosine",
    params=[_END],
    formula="end + (1 - end)*(1 + cos(pi*done/of))/2",
    references=["loshchilov2017"],
)
def cosine(done: int, of: int, *, end: float) -> float:
    """Slow, then fast, then slow again, along half a cosine to `end` times the start."""
    return end + (1 - end) * (1 + math.cos(math.pi * done / of)) / 2


@schedule(
    "step",
    params=[
        Param("every", kind="integer", at_least=1, sweep=(10,), doc="steps between two changes"),
        Param("factor", 0.1, above=0),
    ],
    formula="factor**floor(done/every)",
)
def step(done: int, of: int, *, every: int, factor: float) -> float:
    """Times `factor` after every so many steps."""
    return float(factor ** (done // every))


@schedule(
    "warm_up",
    params=[
        Param("steps", kind="integer", at_least=1, sweep=(10,), doc="until it is whole"),
        Param(
            "then",
            "constant",
            kind="choice",
            choices=("constant", "linear", "cosine"),
            doc="what follows, to 0 at the end of the run",
        ),
    ],
    formula="min(1, (done + 1)/steps), then what follows",
    references=["goyal2017"],
)
def warm_up(done: int, of: int, *, steps: int, then: str) -> float:
    """From nearly nothing to the whole in `steps` equal steps, so that early ones do no harm."""
    if done < steps:
        return (done + 1) / steps
    rest = done - steps, max(of - steps, 1)
    return {"constant": 1.0, "linear": linear(*rest, end=0.0), "cosine": cosine(*rest, end=0.0)}[
        then
    ]
