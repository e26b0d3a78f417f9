"""What a loss says of the targets it suits: their noise, what it estimates, how robustly."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.formula import Formula
from gradcli.core.op import Loss
from gradcli.core.traits import Minimiser
from gradcli.testing.case import Case, Rows, Subject
from gradcli.testing.law import LawBroken, LawUndecided, law, require
from gradcli.testing.loss_laws import far_out, loss_traits, parsed
from gradcli.testing.numeric import EPS, jacobian
from gradcli.testing.points import moderate

__all__: list[str] = []

ROUNDING = 256 * EPS
QUADRATURE = 1e-6  # of an integral whose density may have kinks, over ten thousand points
OPTIMUM = 1e-9  # relative: how much less a searched expectation may be than at the exact minimiser
FEWEST = 1e-280  # of a density: beyond it the logarithm loses its digits
CROWD = 1e-6 * np.linspace(-1, 1, 101)  # close together, on the scale of any loss
_SAMPLE = 41  # a prime number: no usual level falls between two targets
_CHANCES = (0.05, 0.3, 0.6, 0.98)
_CENTERS = (0.0, 0.7, -3.0)


def _distances() -> tuple[Array, Array]:
    """Points of both half-lines and their weights: the trapezoid rule over sinh(sinh(t))."""
    t = np.linspace(-4.2, 4.2, 40_001)
    inner = np.pi / 2 * np.sinh(t)
    weight = np.cosh(inner) * np.pi / 2 * np.cosh(t) * (t[1] - t[0])
    return np.sinh(inner), weight


def _targets(subject: Subject, count: int) -> list[Rows]:
    """Every target of an event, a sign or a class, each with the same `count` predictions."""
    rng = np.random.default_rng(0)
    if subject.elementwise:
        low, high = subject.domain
        spread = np.linspace(-8, 8, count)
        x = low + (high - low) / (1 + np.exp(-spread)) if high - low < np.inf else spread**7
        values = (-1.0, 1.0) if subject.reads == "signs" else (0.0, 1.0)
        return [Rows(x[:, None], np.full((count, 1), value)) for value in values]
    scales = np.geomspace(0.3, 1e6, count)[:, None]
    x = _proper(subject, scales * rng.standard_normal((count, 3)))
    return [subject.labelled(x, label) for label in range(3)]


def _proper(subject: Subject, x: Array) -> Array:
    """Rows as the loss means them: log-probabilities are normalised."""
    if getattr(subject.traits, "argument", None) != "log-probabilities":
        return x
    top = x.max(axis=-1, keepdims=True)
    normalised: Array = x - top - np.log(np.exp(x - top).sum(axis=-1, keepdims=True))
    return normalised


def _masses(subject: Subject, density: Callable[[Rows], Array]) -> Array:
    """The sum of a density over all targets, at several predictions."""
    if subject.reads != "numbers":
        total: Array = np.sum([density(rows)[:, 0] for rows in _targets(subject, 33)], axis=0)
        return total
    away, weight = _distances()
    found = []
    for center in _CENTERS:
        y = (center + away)[:, None]
        with np.errstate(over="ignore"):
            found.append(float(weight @ density(Rows(np.full_like(y, center), y))[:, 0]))
    return np.array(found)


@law("likelihood", Loss, about="noise")
def likelihood(case: Case) -> None:
    """The density is one, and its -log is the loss; where there is none, no factor makes one."""
    subject, noise = case.subject, loss_traits(case).noise
    if subject.group > 1:
        if noise is not None:
            raise LawBroken("a loss on several rows together claims a noise of their targets")
        return
    if noise is None and loss_traits(case).bounded:
        return  # its exponential has no finite mass
    if noise is None:
        masses = _masses(subject, lambda rows: np.exp(-subject.value(rows)))
        if masses.max() < 1e3 and np.ptp(masses) < QUADRATURE * masses.max():
            raise LawBroken(f"no noise is claimed, but exp(-loss) has the mass {masses[0]:.6g}")
        return
    formula = parsed(case, noise.density)
    masses = _masses(subject, lambda rows: subject.written(formula, rows))
    require(masses, 1.0, QUADRATURE, f"mass of the {noise.name} density")
    for rows in moderate(case) if subject.reads == "numbers" else _targets(subject, 100):
        density = subject.written(formula, rows)[:, 0]
        seen = density > FEWEST
        ratio = subject.value(rows)[seen, 0] + np.log(density[seen])
        allowed = 4 * ROUNDING * (1 + np.abs(np.log(density[seen])).max())
        require(ratio, ratio[0], allowed, "loss + log density", rows[seen])


def _expected(subject: Subject, y: Array, chances: Array) -> Callable[[Array], Array]:
    """The expected loss of each of several predictions, for targets with these chances."""

    def expectation(p: Array) -> Array:
        x = np.repeat(p, len(y))[:, None]
        targets = np.tile(y, len(p))[:, None]
        values: Array = subject.value(Rows(x, targets)).reshape(len(p), len(y)) @ chances
        return values

    return expectation


def _least(expectation: Callable[[Array], Array], candidates: Array) -> float:
    """The candidate of least expectation, refined between its neighbours."""
    for _ in range(12):
        values = expectation(candidates)
        best = int(np.argmin(values))
        low = candidates[max(best - 1, 0)]
        high = candidates[min(best + 1, len(candidates) - 1)]
        candidates = np.unique(np.append(np.linspace(low, high, 41), candidates[best]))
    return float(candidates[np.argmin(expectation(candidates))])


def _candidates(subject: Subject) -> Array:
    low, high = subject.domain
    spread = np.linspace(-12, 12, 481)
    return spread if np.isinf(high - low) else low + (high - low) / (1 + np.exp(-spread))


def _facts(y: Array, chances: Array, level: float) -> dict[str, float]:
    """What the formula of a minimiser may name: see `Minimiser`."""
    order = np.argsort(y)
    reached = np.cumsum(chances[order]) >= level - EPS
    return {
        "mean": float(y @ chances),
        "quantile": float(y[order][np.argmax(reached)]),
        "q": float(chances[y == 1].sum()),
    }


@law("minimiser", Loss, about="minimiser")
def minimiser(case: Case) -> None:
    """No prediction has a smaller expected loss than the claimed one, in skewed populations."""
    subject, claimed = case.subject, loss_traits(case).minimiser
    if claimed is None:
        if loss_traits(case).argument != "embeddings":
            raise LawBroken("one prediction is best for a population, and none is claimed")
        return
    if not subject.elementwise:
        _best_row(case, claimed)
        return
    for y, chances in _populations(subject):
        expectation = _expected(subject, y, chances)
        found = _least(expectation, _candidates(subject))
        if claimed.formula:
            facts = {**_facts(y, chances, claimed.level), **subject.constants}
            formula = Formula.parse(claimed.formula, set(facts))
            value = formula.evaluate({name: facts[name] for name in formula.names})
            at = np.array([float(value)])
        else:
            at = _balanced(subject, parsed(case, claimed.balance), y, chances)
        values = expectation(np.append(at, found))
        best = values[:-1].min(initial=math.inf)
        if not best <= values[-1] + OPTIMUM * (1 + abs(values[-1])):
            raise LawBroken(f"the {claimed.name} is at {at}, the minimiser at {found:.9g}")


def _balanced(subject: Subject, balance: Formula, y: Array, chances: Array) -> Array:
    """Where the expectation of a balance changes its sign, between candidates and to rounding."""

    def expected(p: Array) -> Array:
        rows = Rows(np.repeat(p, len(y))[:, None], np.tile(y, len(p))[:, None])
        values: Array = subject.written(balance, rows).reshape(len(p), len(y)) @ chances
        return values

    points = _candidates(subject)
    low, high = points[:-1], points[1:]
    crossing = expected(low) * expected(high) <= 0
    low, high = low[crossing], high[crossing]
    for _ in range(60):
        middle = (low + high) / 2
        lower = expected(low) * expected(middle) > 0
        low, high = np.where(lower, middle, low), np.where(lower, high, middle)
    return np.asarray((low + high) / 2)


def _populations(subject: Subject) -> list[tuple[Array, Array]]:
    """Targets and their chances; numbers are skewed, so that their centres differ."""
    if subject.reads == "numbers":
        skewed = 1.5 * np.random.default_rng(0).standard_exponential(_SAMPLE) - 1
        return [(skewed, np.full(_SAMPLE, 1 / _SAMPLE))]
    low = -1.0 if subject.reads == "signs" else 0.0
    return [(np.array([low, 1.0]), np.array([1 - q, q])) for q in _CHANCES]


def _best_row(case: Case, claimed: Minimiser) -> None:
    """No row near or far has a smaller expected loss, whatever the classes' probabilities."""
    subject, rng = case.subject, case.rng()
    formula = Formula.parse(claimed.formula, {"q", *subject.constants})
    for width in (2, 3, 5):
        q = rng.dirichlet(np.ones(width))
        env: dict[str, Array | float] = {"q": q, **subject.constants}
        best = formula.evaluate({name: env[name] for name in formula.names})
        step = np.geomspace(1e-4, 3, 400)[:, None] * rng.standard_normal((400, width))
        x = _proper(subject, np.concatenate([best[None], best + step]))
        losses = [subject.value(subject.labelled(x, label))[:, 0] for label in range(width)]
        expected = np.tensordot(q, np.array(losses), 1)
        if not expected[0] <= expected.min() + OPTIMUM * (1 + abs(expected[0])):
            raise LawBroken(f"the {claimed.name} {best} is not the best row for {q}")


def _carried_off(case: Case, outliers: int, side: int) -> bool:
    """Whether that many targets, moved far to one side, take the minimiser along.

    A convex loss is judged by its slope at a finite place, from targets so far away that even the
    slowest growth shows; others by whether it is less at the outliers than in the crowd.
    """
    subject = case.subject
    convex = loss_traits(case).convex
    far = side * (1e80 if convex else 1e9)
    y = np.concatenate([CROWD[outliers:], np.full(outliers, far)])
    if convex:
        rows = Rows(np.full((len(y), 1), side * 1e20), y[:, None])
        with np.errstate(over="ignore"):  # an infinite pull has a sign too
            return float(side * jacobian(subject, rows)[:, 0, 0].sum()) < 0
    way = np.append(0.0, side * np.geomspace(1e-3, 1e9, 400))
    return bool(np.argmin(_expected(subject, y, np.ones(len(y)))(way)) > len(way) // 2)


@law("breakdown", Loss, about="breakdown")
def breakdown(case: Case) -> None:
    """So many outliers, and no fewer, carry the minimiser off."""
    subject, claimed = case.subject, loss_traits(case).breakdown
    if (claimed is not None) != (loss_traits(case).argument == "residual"):
        raise LawBroken("location estimates have a breakdown point, and nothing else has")
    if claimed is None:
        return
    counts = range(1, len(CROWD) + 1)
    found = 1 + bisect_left(
        counts, True, key=lambda n: any(_carried_off(case, n, side) for side in (-1, 1))
    )
    if abs(found / len(CROWD) - claimed.share) > 1.5 / len(CROWD):
        many = f"{found} of {len(CROWD)}" if found <= len(CROWD) else "not even all"
        message = f"claimed {claimed.share:g}; {many} targets carry it off"
        near, _, farther = far_out(subject, lambda rows: np.abs(jacobian(subject, rows)[:, 0, 0]))
        if loss_traits(case).convex and near < farther < len(CROWD) * near:
            raise LawUndecided(f"{message}, but their pull still grows")
        raise LawBroken(message)
