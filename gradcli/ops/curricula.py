"""Which examples are trained on when: weights by how hard they are, in the course of a run."""

from __future__ import annotations

import math

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.param import Param
from gradcli.core.registry import curriculum

__all__: list[str] = []

_START = Param("start", 0.3, above=0, at_most=1, doc="share of the examples at the start")


@curriculum(
    "easy_to_hard",
    params=[_START, Param("until", 0.7, above=0, at_most=1, doc="share of the run until all are")],
    formula="1 if L is among the easiest start + (1 - start)*min(1, progress/until), else 0",
    references=["bengio2009"],
)
def easy_to_hard(
    difficulty: Array, first: Array, progress: float, *, start: float, until: float
) -> Array:
    """The easiest examples first, and a share of all that grows until it is the whole.

    What is easy is what has a low loss now, so that the order changes as the model learns.
    """
    share = start + (1 - start) * min(1.0, progress / until)
    count = max(1, math.ceil(share * len(difficulty)))
    weights = np.zeros(len(difficulty))
    weights[np.argsort(difficulty, kind="stable")[:count]] = 1.0
    return weights


@curriculum(
    "self_paced",
    params=[_START, Param("growth", 10.0, at_least=1, doc="of the threshold, over the run")],
    formula="1 if L <= threshold*growth**progress, else 0",
    references=["kumar2010"],
)
def self_paced(
    difficulty: Array, first: Array, progress: float, *, start: float, growth: float
) -> Array:
    """Every example whose loss is below a threshold that rises.

    The threshold starts where `start` of the examples are below it. The weights minimise
    Σ v·L - threshold·Σ v. A model that learns takes examples in faster than the threshold rises;
    one that does not is left with few.
    """
    threshold = float(np.quantile(first, start)) * growth**progress
    return _at_least_one(difficulty, threshold)


@curriculum(
    "adaptive",
    params=[Param("factor", 1.5, above=0, doc="times the mean loss")],
    formula="1 if L <= factor*mean(L), else 0",
    references=["kumar2010"],
)
def adaptive(difficulty: Array, first: Array, progress: float, *, factor: float) -> Array:
    """Every example whose loss is at most a multiple of the mean loss now: the threshold follows.

    Examples far above it, such as wrongly labelled ones, wait until the model does worse or they
    do better.
    """
    return _at_least_one(difficulty, factor * float(difficulty.mean()))


def _at_least_one(difficulty: Array, threshold: float) -> Array:
    """1 up to the threshold; the easiest example is always in, so that a run can go on."""
    return np.where(difficulty <= max(threshold, float(difficulty.min())), 1.0, 0.0)
