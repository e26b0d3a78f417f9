"""One subject from oracles to result: cheap first, and nothing fails without confirmation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from gradcli.analysis.gradcheck.crosscheck import Disagreement
from gradcli.analysis.gradcheck.diagnose import diagnose, small_mismatch
from gradcli.analysis.gradcheck.evidence import Evidence
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.projections import Projections, project
from gradcli.analysis.gradcheck.report import TensorResult, Worst
from gradcli.analysis.gradcheck.rule import (
    Gap,
    Outcome,
    Scale,
    detectable,
    graded_error,
    judge,
    noticeable,
)
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.analysis.verdict import Verdict, grade_of
from gradcli.core.arrays import Array, Mask
from gradcli.core.record import Record
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.engine.ladder import Estimate, Ladder
from gradcli.engine.model import generator

__all__ = ["examine"]

_CONFIRMED = (
    24  # suspicious entries of a tensor that are confirmed one by one before the rest follows
)
_SECOND_LADDER = 0.75  # the steps of the second ladder, as a share of the first's
_QUICK_RUNGS = slice(4, 8)  # of the ladder: eight evaluations that settle most smooth functions
_QUICK = 3e-9  # relative difference up to which they do,
_QUICK_DOUBT = 1e-7  # and their own relative uncertainty
_QUICK_PRECISION = 1e-12  # in less than float64 they never would
_ORACLES = {"complex": "the complex step", "ladder": "real differences part by part"}


def examine(
    subject: Subject,
    options: CheckOptions,
    required: float,
    disagreement: Disagreement | None = None,
) -> tuple[TensorResult, list[Finding], int]:
    """Judge a subject; returns its result, its findings, and the evaluations spent on it.

    A `disagreement` of the oracles (see `cross_check`) leaves that entry undecided.
    """
    checked = _choose_entries(subject, options)
    projections = None
    if subject.large is not None and options.entries is None:
        projections = project(subject, options.seed)
        checked = np.union1d(checked, projections.entries)
    if disagreement is not None:
        checked = np.union1d(checked, [disagreement.entry])
    examiner = _Examiner(subject, checked, options, required)
    evidence = examiner.gather()
    findings = []
    if disagreement is not None and examiner.is_given:
        evidence.outcome[checked == disagreement.entry] = Outcome.UNDECIDED
        findings.append(_neither_is_relied_on(subject, disagreement))
    result = _summarise(subject, evidence)
    if projections is not None:
        result = _with_projections(result, projections)
        findings += _unexplained(subject, evidence, projections)
        if findings and result.verdict == "pass":
            result = result.replace(verdict="inconclusive")
    findings = diagnose(subject, evidence, result) + findings
    if result.verdict == "pass":
        findings += small_mismatch(subject, evidence)
    return result, findings, examiner.evaluations


def _with_projections(result: TensorResult, projections: Projections) -> TensorResult:
    limit = max(result.detectable_error, projections.detectable)
    return result.replace(projections=projections.count, detectable_error=limit)


def _unexplained(subject: Subject, evidence: Evidence, projections: Projections) -> list[Finding]:
    """A finding where projections differ and no entry that was looked at does."""
    real = noticeable(evidence.gap, evidence.u, evidence.u_a, subject.eps)
    if not projections.off or real.any():
        return []
    message = (
        f"{projections.off} of {projections.count} random projections of the whole differ, but "
        "none of the entries checked one by one does; --entries all checks them all"
    )
    return [finding("GC203", subject.name, message, line=subject.line)]


def _choose_entries(subject: Subject, options: CheckOptions) -> Array:
    pool = np.arange(subject.x.size) if subject.pool is None else subject.pool
    wanted = options.entries
    if wanted is None and subject.large is not None:
        wanted = subject.large.sample
    if wanted is None or wanted >= len(pool) or subject.kind == "definition":
        return pool
    rng = generator(options.seed, f"entries of {subject.name}")
    edges = np.linspace(0, len(pool), wanted + 1).astype(int)
    return pool[[int(rng.integers(low, high)) for low, high in pairwise(edges)]]


def _neither_is_relied_on(subject: Subject, found: Disagreement) -> Finding:
    message = (
        f"{_ORACLES[subject.oracle]} and real differences of the whole disagree here "
        f"({found.numeric:.6g} and {found.real:.6g} ± {found.uncertainty:.1g}), so neither is "
        "relied on"
    )
    return finding("GC203", subject.name, message, line=subject.line)


class _Ladders(Record):
    """What real-valued differences say of some entries; see `Evidence` and `Ladder.blind`."""

    n: Array
    low: Array
    high: Array
    u: Array
    outcome: Array
    blind: Mask


class _Examiner:
    def __init__(
        self, subject: Subject, checked: Array, options: CheckOptions, required: float
    ) -> None:
        self.subject = subject
        self.checked = checked
        self.options = options
        self.evaluations = 0
        self.required = required
        # a numeric gradient that came with the subject, not from differences taken here
        self.is_given = subject.numeric is not None and options.oracle in (None, "complex")
        self._jitter: Array | None = None

    def gather(self) -> Evidence:
        subject, checked = self.subject, self.checked
        first, source = self._first_oracle()
        a = self._of_checked(subject.analytic)
        size = np.abs(first.value)
        value = self._of_checked(np.broadcast_to(subject.value, subject.x.shape))
        self.scale = Scale(
            self.required,
            subject.eps,
            subject.eps_f * np.abs(value),
            self._of_checked(subject.rho),
            float(size.max(initial=0.0, where=size > first.uncertainty)),
        )
        n, u, u_a = first.value, first.uncertainty, np.zeros(len(a))
        gap = Gap.between(a, n, n)
        outcome = judge(gap, u, u_a, self.scale)
        unsure = (outcome != Outcome.PASS) | noticeable(gap, u, u_a, subject.eps)
        if unsure.any():
            u_a = np.where(unsure, self.jitter[checked], 0.0)
            outcome = np.where(unsure, judge(gap, u, u_a, self.scale), outcome)
        evidence = Evidence(checked, a, n, n, n, gap, u, u_a, outcome, source)
        suspicious = np.flatnonzero(evidence.outcome >= Outcome.UNDECIDED)
        if not self.is_given:
            suspicious = np.union1d(suspicious, np.flatnonzero(self._kinked))
        if len(suspicious):
            self._confirm(evidence, suspicious)
        return evidence

    def _of_checked(self, values: Array) -> Array:
        """The values (E,) of the checked entries, without a copy where all are checked."""
        return values if len(self.checked) == len(values) else values[self.checked]

    @property
    def jitter(self) -> Array:
        if self._jitter is None:
            self._jitter = self.subject.jitter()
        return self._jitter

    def _first_oracle(self) -> tuple[Estimate, str]:
        subject, wanted = self.subject, self.options.oracle
        self._kinked: Mask = np.zeros(len(self.checked), bool)
        if self.is_given and subject.numeric is not None:
            return (
                Estimate(
                    self._of_checked(subject.numeric.value),
                    self._of_checked(subject.numeric.uncertainty),
                ),
                subject.oracle,
            )
        if subject.large is not None and subject.large.numeric is not None:
            return subject.large.numeric(self.checked), "complex"
        if wanted in ("central", "forward"):
            return self._fixed_step(wanted), wanted
        return self._ladder_oracle(), "ladder"

    def _ladder_oracle(self) -> Estimate:
        """A few rungs for every entry; the whole ladder where these do not settle it."""
        everything = np.arange(len(self.checked))
        if not len(everything):
            return Estimate(np.zeros(0), np.zeros(0))
        if self.subject.eps_f > _QUICK_PRECISION:
            ladder = self._climb(everything)
            self._kinked = ladder.kink
            return ladder.central
        a = self.subject.analytic[self.checked]
        quick = self._climb(everything, part=_QUICK_RUNGS).central
        value, uncertainty = quick.value, quick.uncertainty
        with np.errstate(invalid="ignore"):
            settled = (np.abs(a - value) <= _QUICK * np.abs(a)) & (
                uncertainty <= _QUICK_DOUBT * np.abs(a)
            )
        rest = np.flatnonzero(~settled)
        if len(rest):
            ladder = self._climb(rest)
            value[rest] = ladder.central.value
            uncertainty[rest] = ladder.central.uncertainty
            self._kinked[rest] = ladder.kink
        return Estimate(value, uncertainty)

    def _fixed_step(self, method: str) -> Estimate:
        """The notes' differences with one step, h = √ε or ∛ε times the scale unless stated."""
        subject = self.subject
        power = 2 if method == "forward" else 3
        h = np.full(len(self.checked), self.options.step or 0.0)
        if self.options.step is None:
            h = subject.eps_f ** (1 / power) * np.maximum(subject.rho[self.checked], 1e-3)
        x = subject.x[self.checked]
        points = np.stack([x + h, x if method == "forward" else x - h])
        f = subject.probe(self.checked, points)
        self.evaluations += 2 * len(x)
        with np.errstate(invalid="ignore"):
            slope = (f[0] - f[1]) / (points[0] - points[1])
        noise = subject.noise(self.checked)
        return Estimate(
            np.where(np.isfinite(slope), slope, 0.0),
            np.where(np.isfinite(slope), 2 * noise.at(h[None])[0] / h, np.inf),
        )

    def _climb(self, picked: Array, shift: float = 1.0, part: slice = slice(None)) -> Ladder:
        """A ladder, or a part of its rungs, for some of the checked entries."""
        ladder = self.subject.climb(self.checked[picked], shift, part)
        self.evaluations += ladder.evaluations
        return ladder

    def _confirm(self, evidence: Evidence, suspicious: Array) -> None:
        """Ask real-valued differences from both sides about suspicious entries.

        In a tensor with many, the worst and an even spread are asked; once all of these are
        proven wrong the rest follows, else everything is asked.
        """
        known = self.subject.kinks
        at_kink = np.zeros(len(self.checked), bool) if known is None else known[self.checked]
        sample = smooth = suspicious[~at_kink[suspicious]]
        if len(smooth) > 2 * _CONFIRMED:
            error = graded_error(evidence.gap, evidence.u, evidence.u_a)
            worst = smooth[np.argsort(-error[smooth], kind="stable")[:_CONFIRMED]]
            spread = smooth[np.linspace(0, len(smooth) - 1, _CONFIRMED).astype(int)]
            sample = np.union1d(worst, spread)
        self._ask(evidence, np.union1d(sample, suspicious[at_kink[suspicious]]))
        rest = np.setdiff1d(smooth, sample)
        if len(rest) and not np.all(evidence.outcome[sample] == Outcome.FAIL):
            self._ask(evidence, rest)

    def _ask(self, evidence: Evidence, picked: Array) -> None:
        scale = self.scale.take(picked, self.subject.noise(self.checked[picked]).near)
        a, u_a = (
            evidence.a[picked],
            np.maximum(evidence.u_a[picked], self.jitter[self.checked[picked]]),
        )
        first = self._judge_ladder(a, u_a, scale, picked, 1.0)
        outcome = first.outcome
        failing = np.flatnonzero(outcome == Outcome.FAIL)
        if len(failing):
            second = self._judge_ladder(
                a[failing], u_a[failing], scale.take(failing), picked[failing], _SECOND_LADDER
            )
            disagree = failing[second.outcome != Outcome.FAIL]
            outcome[disagree] = Outcome.UNDECIDED
        # a claim that is not a number is wrong where the function has a finite slope
        sloped = np.isfinite(first.u) & ~first.blind
        outcome[~np.isfinite(a)] = np.where(sloped, Outcome.FAIL, Outcome.UNDECIDED)[
            ~np.isfinite(a)
        ]
        if self.is_given:
            # what only the numeric gradient can see it does not prove alone, nor does it go away
            denied = evidence.outcome[picked] == Outcome.FAIL
            outcome[denied & (outcome == Outcome.BELOW_RESOLUTION)] = Outcome.UNDECIDED
        evidence.u_a[picked] = u_a
        evidence.outcome[picked] = outcome
        surer = first.u < evidence.u[picked] if evidence.source == "ladder" else False
        replace = (outcome == Outcome.KINK) | (not self.is_given) | surer
        for name in ("n", "low", "high", "u"):
            current, found = getattr(evidence, name), getattr(first, name)
            current = np.array(current)
            current[picked[replace]] = found[replace]
            setattr(evidence, name, current)
        evidence.gap = Gap.between(evidence.a, evidence.low, evidence.high)

    def _judge_ladder(
        self, a: Array, u_a: Array, scale: Scale, picked: Array, shift: float
    ) -> _Ladders:
        ladder = self._climb(picked, shift)
        central, left, right, kink = ladder.central, ladder.left, ladder.right, ladder.kink
        known = self.subject.kinks
        if known is not None:
            kink = kink | known[self.checked[picked]]
        both = np.isfinite(left.uncertainty) & np.isfinite(right.uncertainty)
        one_sided = ~np.isfinite(central.uncertainty) | kink
        low = np.where(
            both,
            np.minimum(left.value, right.value),
            np.where(np.isfinite(left.uncertainty), left.value, right.value),
        )
        high = np.where(both, np.maximum(left.value, right.value), low)
        u_sides = np.where(
            both,
            np.maximum(left.uncertainty, right.uncertainty),
            np.minimum(left.uncertainty, right.uncertainty),
        )
        n = np.where(one_sided, np.clip(a, low, high), central.value)
        lows, highs = np.where(one_sided, low, n), np.where(one_sided, high, n)
        u = np.where(one_sided, u_sides, central.uncertainty)
        outcome = judge(Gap.between(a, lows, highs), u, u_a, scale)
        # a smooth entry fails only if the slopes from each side, where known, deny it as well
        sides = judge(Gap.between(a, low, high), u_sides, u_a, scale)
        spared = (outcome == Outcome.FAIL) & np.isfinite(u_sides) & (sides < Outcome.UNDECIDED)
        outcome[spared] = Outcome.UNDECIDED
        outcome[(outcome == Outcome.FAIL) & ladder.blind & np.isfinite(a)] = Outcome.UNDECIDED
        kinked = kink & (outcome < Outcome.UNDECIDED)
        outcome[kinked] = Outcome.KINK
        return _Ladders(n, lows, highs, u, outcome, ladder.blind)


def _summarise(subject: Subject, evidence: Evidence) -> TensorResult:
    checked = evidence.checked
    outcome = evidence.outcome
    graded = (outcome == Outcome.PASS) | (outcome == Outcome.FAIL)
    if subject.kinks is not None:
        graded &= ~(subject.kinks[checked] & (outcome == Outcome.PASS))
    error = graded_error(evidence.gap, evidence.u, evidence.u_a)
    absolute = evidence.gap.distance
    verdict: Verdict = "pass"
    if (outcome == Outcome.FAIL).any():
        verdict = "fail"
    elif (outcome == Outcome.UNDECIDED).any():
        verdict = "inconclusive"
    kinks = outcome == Outcome.KINK
    if subject.kinks is not None:
        kinks |= subject.kinks[checked]
    limit = detectable(evidence.n, evidence.u, evidence.u_a, subject.eps)
    limit = limit[(outcome != Outcome.KINK) & np.isfinite(limit)]
    worst = None
    if len(checked):
        rank = np.where(graded, error, -1.0) if graded.any() else absolute
        if verdict == "inconclusive":
            rank = np.where(outcome == Outcome.UNDECIDED, absolute, -1.0)
        at = int(rank.argmax())
        worst = Worst(
            tuple(int(i) for i in np.unravel_index(checked[at], subject.shape)),
            float(evidence.a[at]),
            float(evidence.n[at]),
            float(evidence.u[at]),
            {name: float(values[checked[at]]) for name, values in subject.variables.items()},
        )
    max_error = float(error[graded].max(initial=0.0))
    return TensorResult(
        name=subject.name,
        kind=subject.kind,
        shape=subject.shape,
        entries=int(np.prod(subject.shape, dtype=int)) if subject.pool is None else len(checked),
        checked=len(checked),
        verdict=verdict,
        grade=grade_of(max_error) if graded.any() else None,
        max_rel_error=max_error,
        max_abs_error=float(absolute[graded].max(initial=0.0)),
        detectable_error=float(limit.max(initial=0.0)),
        kinks=int(kinks.sum()),
        below_resolution=int((outcome == Outcome.BELOW_RESOLUTION).sum()),
        vacuous=bool(len(checked) and not evidence.a.any() and not evidence.n.any()),
        oracle=evidence.source,
        worst=worst,
        wrong=int((outcome == Outcome.FAIL).sum()),
    )
