"""What an op claims about itself. Every field is a statement that a law test verifies.

Built-in ops state every field; a user's op states none (`traits` is None, shown as "not stated").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from gradcli.core.arrays import Array, Parameters
from gradcli.core.record import Record

__all__ = [
    "NOT_STATED",
    "Argument",
    "Breakdown",
    "LayerTraits",
    "LossTraits",
    "Minimiser",
    "Noise",
    "Normalization",
    "Outlier",
    "Traits",
    "stated",
]

NOT_STATED: Any = type("NotStated", (), {"__repr__": lambda self: "not stated"})()
"""A field about which an op says nothing; one that does not apply to it is None."""

Argument = Literal[
    "residual",
    "margin",
    "logit",
    "probability",
    "logits",
    "log-probabilities",
    "scores",
    "embeddings",
]
"""What a loss is a function of, for a fixed target: p - y; y·p; one logit or probability of an
event; a row of logits, free up to a common summand; a row of log-probabilities, in which the loss
is affine; a row of scores, of which only the order counts; rows of which only differences count."""

Outlier = Literal["grows", "constant", "fades", "none"]
"""What becomes of the gradient's norm as one target moves ever farther from its prediction."""


class Traits(Record):
    """An activation f: of one real number, or (softmax) of the features of one row.

    `lipschitz` is sup |f'| (for several features: of the Jacobian's spectral norm) and `smoothness`
    the Lipschitz constant of f', infinite at a kink. Both are attained or approached, and are to be
    multiplied by n**feature_growth where they depend on the number n of features. `kinks` are the
    points where the slope jumps. `range` is the closure of all values. For several features
    `convex` is of each output, and `monotone` of the operator: ⟨f(a) - f(b), a - b⟩ keeps its sign.
    `homogeneous` means f(s·x) = s·f(x) for s > 0.
    """

    range: tuple[float, float]
    monotone: Literal["increasing", "decreasing", "no"]
    convex: bool
    lipschitz: float
    smoothness: float
    symmetry: Literal["odd", "even", "none"]
    kinks: tuple[float, ...] = ()
    homogeneous: bool = False
    feature_growth: float = 0.0


class Noise(Record):
    """A distribution of the target, given p, whose -log density is the loss up to a constant in p.

    `density` is a formula in p, y and the options that integrates to one over all numbers y, or
    sums to one over all events, signs or classes.
    """

    name: str
    density: str


class Minimiser(Record):
    """The prediction of least expected loss, for targets drawn from a population.

    `formula` gives it in the options and in facts of the population: of numbers `mean` and
    `quantile`, the one at `level`; of events and signs `q`, the probability of 1; of classes `q`,
    their probabilities as a row. Where it has no formula, `balance`, in p and y, has expectation
    zero at it.
    """

    name: str
    formula: str = ""
    level: float = 0.5
    balance: str = ""


class Breakdown(Record):
    """The least share of a sample that, moved to infinity, takes the minimiser along.

    The rest of the sample lies close together, compared with the loss's own scale. `reference` is a
    key of the literature.
    """

    share: float
    reference: str


class LossTraits(Record):
    """A loss as a function of one prediction (one element, or one row), for any valid target.

    Each is the best constant for all targets and, for rows, all numbers of features.
    `strong_convexity` is the largest m with f - m/2·|p|² convex; `lipschitz` and `smoothness` are
    of the value and of its gradient in the Euclidean norm, without the mean over rows or elements;
    `kinks` are the values where the slope jumps: of `p - y`, of the margin, or of the formula
    `measure` in the rows of a group (beside which a distance of two rows has a kink at zero).
    `bounded` is from above. `domain` is the open interval of the predictions at which the loss is
    defined.

    `argument` is what it is a function of. `differentiable` is how many times it is continuously
    so: -1 where it jumps itself, 0 at kinks, 1 where its slope is continuous and bends abruptly,
    infinite otherwise. `influence`, a formula in p and y, is -∂f/∂p up to a positive factor: how a
    target pulls at its prediction, bounded where `lipschitz` is finite; and `outlier` what becomes
    of it far out. `influence`, `noise`, `minimiser` and `breakdown` are None where there is no such
    thing.
    """

    convex: bool
    strong_convexity: float
    lipschitz: float
    smoothness: float
    bounded: bool
    kinks: tuple[float, ...] = ()
    measure: str = ""
    domain: tuple[float, float] = (-math.inf, math.inf)
    argument: Argument = NOT_STATED
    differentiable: float = NOT_STATED
    influence: str | None = NOT_STATED
    outlier: Outlier = NOT_STATED
    noise: Noise | None = NOT_STATED
    minimiser: Minimiser | None = NOT_STATED
    breakdown: Breakdown | None = NOT_STATED


class Normalization(Record):
    """A layer that brings what it normalizes to unit size, before its `weight` and `bias` if any.

    It divides by √(v + eps), v the mean square over all rows of each feature, or over the features
    of each row; of deviations from their mean, where it is `centred`. `stored` statistics are not
    those of the input but the buffers `running_mean` and `running_var`, by feature.
    """

    over: Literal["rows", "features", "stored"]
    eps: float
    centred: bool = True


class LayerTraits(Record):
    """A layer.

    `couples_rows`: the output of a row depends on other rows.
    `keeps_features`: the output at a feature depends on no other feature, of inputs and parameters.
    `affine`: for each operand in which the layer is affine (`x` or a parameter's name), the
    contraction of the output's cotangent with the other operands that is its cotangent, in einsum's
    notation with the row axes as one `b`: operands are the cotangent, then the named ones, e.g.
    `{"weight": ("bo,bi->oi", "x")}`.
    `homogeneous_with`: parameters and buffers that scale along with all inputs:
    f(s·x, s·these) = s·f(x, these) for s > 0; None where there is no such law.
    `mixing`: the parameter through which units mix, the W of Π‖W‖.
    `recurs`: the parameter through which the state of a step reaches the next one; see `steps`.
    `lipschitz(inputs, parameters)`: for each input, a bound at this point on the norm of its
    cotangent for an output cotangent of norm one; None where none is stated. A layer that is linear
    in x with a matrix as `mixing` needs none: the matrix's spectral norm is the bound.
    `sums`: c for each input where the output is Σ c·x, entry by entry; None where it is not.
    `normalizes`: what it brings to unit size; None where it does nothing of the kind.
    `noise`: the variance of the factors of mean 1, one for each entry, that it draws.
    """

    couples_rows: bool = False
    keeps_features: bool = False
    affine: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    homogeneous_with: tuple[str, ...] | None = None
    mixing: str | None = None
    recurs: str | None = None
    lipschitz: Callable[[tuple[Array, ...], Parameters], tuple[float, ...]] | None = None
    sums: tuple[float, ...] | None = None
    normalizes: Normalization | None = None
    noise: float = 0.0


def stated(traits: Record) -> dict[str, Any]:
    """What is claimed, by field, in plain data; what is not stated is left out."""
    return {
        name: stated(value) if isinstance(value, Record) else value
        for name, value in vars(traits).items()
        if value is not NOT_STATED
    }
