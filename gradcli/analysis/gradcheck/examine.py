"""One subject from oracles to result: cheap first, and nothing fails without confirmation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from gradcli.analysis.gradcheck.around import off_together, with_slopes_around
from gradcli.analysis.gradcheck.crosscheck import Disagreement
from gradcli.analysis.gradcheck.diagnose import diagnose, small_mismatch
from gradcli.analysis.gradcheck.differences import Differences, is_a_step, judge_differences
from gradcli.analysis.gradcheck.evidence import Evidence
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.projections import Projections, project, search
from gradcli.analysis.gradcheck.report import TensorResult
from gradcli.analysis.gradcheck.retrace import explained
from gradcli.analysis.gradcheck.rule import Gap, Outcome, Scale, graded_error, judge, noticeable
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.analysis.gradcheck.summary import summarise
from gradcli.core.arrays import Array, Mask
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.engine.ladder import Estimate, Ladder
from gradcli.engine.model import generator

__all__ = ["examine"]

_CONFIRMED = (
    24  # suspicious entries of a tensor that are confirmed one by one before the rest follows
)
_QUICK_COUNT = 4  # rungs of the ladder: eight evaluations that settle most smooth functions,
_QUICK_RUNGS = slice(4, 4 + _QUICK_COUNT)  # here unless the tensor shows that others do,
_QUICK = 3e-9  # up to this relative difference,
_QUICK_ULPS = 16  # or this one if it is larger,
_QUICK_DOUBT = 1e-7  # and this relative uncertainty of their own
_QUICK_PRECISION = 1e-12  # in less than float64 they never would
_LEARN_FROM = 8  # entries left unsettled, if these are also half of all
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
    if disagreement is not None:
        checked = np.union1d(checked, [disagreement.entry])
    examiner = _Examiner(subject, checked, options, required)
    evidence = examiner.gather()
    projections = None
    if subject.large is not None and options.entries is None:
        projections = project(subject, options.seed)
        if projections.off and not _differs(subject, evidence):
            checked = np.union1d(checked, search(subject, options.seed))
            examiner = _Examiner(subject, checked, options, required)
            evidence = examiner.gather()
    findings = []
    if disagreement is not None and examiner.is_given:
        evidence.outcome[checked == disagreement.entry] = Outcome.UNDECIDED
        findings.append(_neither_is_relied_on(subject, disagreement))
    result = summarise(subject, evidence)
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


def _differs(subject: Subject, evidence: Evidence) -> bool:
    """Whether any entry that was looked at differs by more than is unsure."""
    return bool(noticeable(evidence.gap, evidence.u, evidence.u_a, subject.eps).any())


def _unexplained(subject: Subject, evidence: Evidence, projections: Projections) -> list[Finding]:
    """A finding where projections differ and no entry that was looked at does."""
    if not projections.off or _differs(subject, evidence):
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
        self._whole: tuple[Array, Ladder | None] = np.zeros(0, int), None

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
            suspicious = np.union1d(suspicious, self._whole[0])
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
        rest = np.arange(len(self.checked))
        value, uncertainty = np.zeros(len(rest)), np.full(len(rest), np.inf)
        windows = [_QUICK_RUNGS] if self.subject.eps_f < _QUICK_PRECISION else []
        for window in windows:
            if not len(rest):
                break
            ladder = self._climb(rest, window)
            found = ladder.central
            value[rest], uncertainty[rest] = found.value, found.uncertainty
            was, rest = rest, rest[~self._settled(rest, found) | ladder.kink]
            if len(windows) == 1 and len(rest) > max(_LEARN_FROM, len(was) // 2):
                windows += self._learned_window(rest)
        if len(rest):
            ladder = self._climb(rest)
            self._whole = rest, ladder
            value[rest], uncertainty[rest] = ladder.central.value, ladder.central.uncertainty
        return Estimate(value, uncertainty)

    def _settled(self, entries: Array, found: Estimate) -> Mask:
        """Entries that a few rungs show to be right, with certainty to spare."""
        a = self.subject.analytic[self.checked[entries]]
        size = np.abs(a)
        with np.errstate(invalid="ignore"):
            gap = np.abs(a - found.value)
            settled: Mask = gap <= max(_QUICK, _QUICK_ULPS * self.subject.eps) * size
            settled &= found.uncertainty <= _QUICK_DOUBT * size
            settled &= gap + found.uncertainty <= self.required * size
        return settled

    def _learned_window(self, entries: Array) -> list[slice]:
        """The rungs that serve one of the entries best, for all the others."""
        middle = entries[len(entries) // 2 :][:1]
        last = int(self._climb(middle).rung[0])
        window = slice(max(0, last + 1 - _QUICK_COUNT), last + 1)
        return [] if window == _QUICK_RUNGS else [window]

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

    def _climb(self, picked: Array, part: slice = slice(None), *, again: bool = False) -> Ladder:
        """A ladder, or a part of its rungs, for some of the checked entries."""
        ladder = self.subject.climb(self.checked[picked], part, again=again)
        self.evaluations += ladder.evaluations
        return ladder

    def _first_ladder(self, picked: Array) -> Ladder:
        """The whole ladder, which the ladder oracle may have climbed already."""
        entries, ladder = self._whole
        if ladder is None or not np.isin(picked, entries).all():
            return self._climb(picked)
        return ladder.take(np.searchsorted(entries, picked))

    def _confirm(self, evidence: Evidence, suspicious: Array) -> None:
        """Ask real-valued differences from both sides about suspicious entries.

        Of a tensor with many that another oracle finds wrong, the worst and an even spread are
        asked; once all of these are proven wrong the rest follows, else everything is asked.
        """
        if self._whole[1] is not None:
            self._ask(evidence, suspicious)
            return
        known = self.subject.kinks
        at_kink = np.zeros(len(self.checked), bool) if known is None else known[self.checked]
        smooth = suspicious[~at_kink[suspicious]]
        sample = _sample(smooth, evidence)
        self._ask(evidence, np.union1d(sample, suspicious[at_kink[suspicious]]))
        rest = np.setdiff1d(smooth, sample)
        if len(rest) and not np.all(evidence.outcome[sample] == Outcome.FAIL):
            self._ask(evidence, rest)

    def _ask(self, evidence: Evidence, picked: Array) -> None:
        a = evidence.a[picked]
        u_a = np.maximum(evidence.u_a[picked], self.jitter[self.checked[picked]])
        ladder = self._first_ladder(picked)
        first = self._judge(a, u_a, picked, ladder)
        if np.any(first.outcome == Outcome.FAIL):
            ladder = with_slopes_around(self.subject, self.checked[picked], a, ladder, first)
            first = self._judge(a, u_a, picked, ladder)
        off = off_together(self.subject, self.checked[picked], a, ladder, first, self.required)
        outcome = first.outcome
        doubtful = (outcome == Outcome.FAIL) & np.isfinite(a)
        level = (a == 0) & (outcome == Outcome.BELOW_RESOLUTION)
        level &= ladder.rise > np.where(level, first.u, 0.0) * np.abs(ladder.edge)  # too sure
        doubtful |= level & ~is_a_step(ladder, self.scale.position[picked])
        asked = np.flatnonzero(doubtful & (ladder.edge != 0))
        stairs = self.subject.has_stairs(self.checked[picked[asked]], ladder.take(asked))
        outcome[asked[stairs]] = Outcome.UNDECIDED
        evidence.u_a[picked] = u_a
        if not self.is_given:
            evidence.put(picked, first)
        failing = np.flatnonzero(outcome == Outcome.FAIL)
        if len(failing):
            self._ask_again(evidence, picked, failing, outcome)
        outcome[off] = Outcome.FAIL
        evidence.u_a[picked[off]] = 0.0  # the claim jumps here, which makes it no less sure
        # a claim that is not a number is wrong where the function has a finite slope
        unknown = ~np.isfinite(a)
        outcome[unknown] = np.where(first.sloped, Outcome.FAIL, Outcome.UNDECIDED)[unknown]
        if self.is_given:
            # what only the numeric gradient can see it does not prove alone, nor does it go away
            denied = evidence.outcome[picked] == Outcome.FAIL
            outcome[denied & (outcome == Outcome.BELOW_RESOLUTION)] = Outcome.UNDECIDED
            surer = first.u < evidence.u[picked] if evidence.source == "ladder" else False
            evidence.put(picked, first, (outcome == Outcome.KINK) | surer)
        evidence.outcome[picked] = outcome

    def _ask_again(self, evidence: Evidence, picked: Array, failing: Array, outcome: Array) -> None:
        """A second ladder, with other steps, for what the first finds wrong, or a sample of it."""
        chosen = np.isin(picked, _sample(picked[failing], evidence))
        for asked in (failing[chosen[failing]], failing[~chosen[failing]]):
            if not len(asked):
                break
            entries = picked[asked]
            ladder = self._climb(entries, again=True)
            second = self._judge(evidence.a[entries], evidence.u_a[entries], entries, ladder)
            are_explained = explained(
                self.subject, self.checked[entries], evidence.a[entries], ladder, second
            )
            second.outcome[are_explained] = Outcome.UNDECIDED
            outcome[asked[second.outcome != Outcome.FAIL]] = Outcome.UNDECIDED
            if np.all(second.outcome == Outcome.FAIL):
                break

    def _judge(self, a: Array, u_a: Array, picked: Array, ladder: Ladder) -> Differences:
        entries = self.checked[picked]
        known = self.subject.kinks
        at_kink = np.zeros(len(picked), bool) if known is None else known[entries]
        return judge_differences(a, u_a, self.scale.take(picked, ladder.noise), ladder, at_kink)


def _sample(entries: Array, evidence: Evidence) -> Array:
    """All entries if these are few, else those with the largest error and an even spread."""
    if len(entries) <= 2 * _CONFIRMED:
        return entries
    error = graded_error(evidence.gap.take(entries), evidence.u[entries], evidence.u_a[entries])
    worst = entries[np.argsort(-error, kind="stable")[:_CONFIRMED]]
    spread = entries[np.linspace(0, len(entries) - 1, _CONFIRMED).astype(int)]
    return np.union1d(worst, spread)
