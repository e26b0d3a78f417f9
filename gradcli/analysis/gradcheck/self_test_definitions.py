"""Mistakes planted into the claims of a spec's own definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from hashlib import blake2b
from typing import Any

import numpy as np

from gradcli.analysis.gradcheck.callables import Arrays, Callables, Value
from gradcli.analysis.gradcheck.contracts import broken_contracts
from gradcli.analysis.gradcheck.definitions import definition_callables, examine_callables
from gradcli.analysis.gradcheck.elementwise import elementwise_subject
from gradcli.analysis.gradcheck.examine import examine
from gradcli.analysis.gradcheck.function_parts import described
from gradcli.analysis.gradcheck.mutants import Call, Change, Mistake, Site, mistakes
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.remembered import RememberedLadders
from gradcli.analysis.gradcheck.rule import detectable
from gradcli.analysis.gradcheck.self_test_report import Fate, Mutant, is_named
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.analysis.verdict import Verdict
from gradcli.core.arrays import Array, Mask
from gradcli.core.generators import left_as_found
from gradcli.diagnostics.finding import Finding
from gradcli.spec.plan import (
    Definition,
    ElementwiseDefinition,
    FunctionDefinition,
    LayerDefinition,
    Plan,
)

__all__ = ["definition_mutants"]

_TELLING = 1e-3  # share of the whole that a part has to contribute, to be worth leaving out


def definition_mutants(
    definition: Definition, plan: Plan, options: CheckOptions, required: float
) -> Iterator[Mutant]:
    """Every mistake in the claim of a definition that passes, one after the other."""
    if isinstance(definition, ElementwiseDefinition):
        yield from _of_formula(definition, options, required)
    else:
        with left_as_found():
            yield from _Function(definition, plan, options, required).mutants()


def _of_formula(
    definition: ElementwiseDefinition, options: CheckOptions, required: float
) -> Iterator[Mutant]:
    subject, _ = elementwise_subject(definition, options)
    subject = subject.replace(ladders=RememberedLadders())
    assert subject.pool is not None
    inside = subject.pool
    right, x = subject.analytic[inside], subject.x[inside]
    site = Site(
        shape=right.shape,
        branch=_branch(subject, inside) or (lambda x: np.asarray(x > 0)),
        part=_part(subject, inside),
        factor=_factor(definition.params),
    )
    for mistake in mistakes(site):
        analytic = subject.analytic.copy()
        analytic[inside] = mistake.change(Call(lambda g: g * right, np.ones_like(right), x))
        wrong = subject.replace(analytic=analytic)
        result, findings, _ = examine(wrong, options, required)
        effect = _effect(subject, analytic)
        yield _mutant(definition.name, mistake, effect, [result.verdict], findings)


class _Function:
    """A definition of whole arrays, by formula or in Python; its values are remembered."""

    def __init__(
        self,
        definition: FunctionDefinition | LayerDefinition,
        plan: Plan,
        options: CheckOptions,
        required: float,
    ) -> None:
        self._definition = definition
        self._options = options
        self._required = required
        self._base = definition_callables(definition, plan, options)
        self._base.value = _remembered(self._base.value)
        if self._base.complex_slopes is not None:
            self._base.complex_slopes = cache(self._base.complex_slopes)
        self._base.ladders = {name: RememberedLadders() for name in self._base.wrt}

    def mutants(self) -> Iterator[Mutant]:
        broken_contracts(self._base)
        function = self._definition if isinstance(self._definition, FunctionDefinition) else None
        for name in self._base.wrt:
            subject = described(self._base.subject(name), self._base, name, function)
            for mistake in mistakes(self._site(name, subject)):
                yield self._tried(name, subject, mistake)

    def _site(self, name: str, subject: Subject) -> Site:
        base, definition = self._base, self._definition
        x, pull = base.point[name], base.pull
        rows = 0 if pull is None or pull.cotangent.ndim == 0 else len(pull.cotangent)
        everywhere = np.arange(x.size)
        params = definition.params if isinstance(definition, FunctionDefinition) else {}
        part = _part(subject, everywhere)
        return Site(
            shape=x.shape,
            rows=0 if x.shape[:1] == (rows,) else rows,
            branch=_branch(subject, everywhere),
            part=None if part is None else part.reshape(x.shape),
            takes_cotangent=pull is not None,
            is_called=True,
            factor=_factor(params),
            single=x.dtype == np.float32,
        )

    def _tried(self, name: str, subject: Subject, mistake: Mistake) -> Mutant:
        wrong = _with_change(self._base, name, mistake.change)
        results, found = examine_callables(wrong, self._options, self._required, self._definition)
        changed = wrong.analytic.get(name)
        effect = np.inf if changed is None or not results else _effect(subject, changed.ravel())
        own = [each for each in found if each.where in (subject.name, self._definition.name)]
        return _mutant(subject.name, mistake, effect, [r.verdict for r in results], own)


def _mutant(
    where: str, mistake: Mistake, effect: float, verdicts: list[Verdict], findings: list[Finding]
) -> Mutant:
    told = [f for f in findings if f.severity != "note" and f.code[:3] in ("GC0", "GC1")]
    fate: Fate = "survived"
    if told or "fail" in verdicts:
        fate = "caught"
    elif effect <= 1:
        fate = "without effect"
    elif "inconclusive" in verdicts:
        fate = "undecided"
    found = tuple(dict.fromkeys(each.code for each in told))
    named = fate == "caught" and is_named(mistake.code, found)
    return Mutant(where, where, mistake.kind, mistake.code, fate, named, effect, found)


def _effect(subject: Subject, changed: Array) -> float:
    """The largest change of an entry, in units of what is detectable there; kinks do not count."""
    with np.errstate(invalid="ignore"):
        change = np.abs(changed - subject.analytic)
    entries = np.flatnonzero(~(change == 0))
    if not len(entries):
        return 0.0
    if subject.numeric is None:
        ladder = subject.climb(entries)
        n, u, kinks = ladder.central.value, ladder.central.uncertainty, ladder.kink
    else:
        n, u = subject.numeric.value[entries], subject.numeric.uncertainty[entries]
        kinks = np.zeros(len(entries), bool)
    if subject.kinks is not None:
        kinks = kinks | subject.kinks[entries]
    limit = detectable(n, u, subject.jitter()[entries], subject.eps)
    felt = np.where(np.isnan(change[entries]), np.inf, change[entries] / limit)
    return float(felt[~kinks].max(initial=0.0))


def _branch(subject: Subject, entries: Array) -> Callable[[Array], Mask] | None:
    """One side of the first condition of a formula."""
    branches = subject.branches()
    if not branches:
        return None
    side = branches[0].holds[entries]
    return lambda x: side.reshape(x.shape)


def _part(subject: Subject, entries: Array) -> Array | None:
    """What the first part of a formula contributes that is neither all nor nothing."""
    whole = subject.analytic[entries]
    size = np.abs(whole).max(initial=0.0)
    for part in subject.contributions():
        values = part.values[entries]
        if not np.isfinite(values).all():
            continue
        least = min(np.abs(values).max(initial=0.0), np.abs(whole - values).max(initial=0.0))
        if least > _TELLING * size:
            return values
    return None


def _factor(params: Mapping[str, float]) -> float | None:
    return next((float(value) for value in params.values() if value), None)


def _with_change(base: Callables, name: str, change: Change) -> Callables:
    """The callables with a change in what is claimed of one argument."""
    pull = base.pull
    unknown: dict[str, Any] = {"analytic": {}, "claimed_dtypes": {}}
    if pull is None:

        def claim(arrays: Arrays) -> Mapping[str, Any]:
            found = base.claim(arrays)
            right = np.asarray(found[name])
            wrong = change(Call(lambda g: g * right, np.ones(()), arrays[name]))
            return {**found, name: wrong}

        return replace(base, claim=claim, **unknown)

    def call(arrays: Arrays, g: Array) -> Mapping[str, Any]:
        def own(cotangent: Array) -> Array:
            return np.asarray(pull.call(arrays, cotangent)[name])

        return {**pull.call(arrays, g), name: change(Call(own, g, arrays[name]))}

    wrong = pull._replace(call=call)
    return replace(base, claim=lambda arrays: call(arrays, pull.cotangent), pull=wrong, **unknown)


def _remembered(value: Value) -> Value:
    """The function, called once for each different argument."""
    known: dict[bytes, float] = {}

    def of(arrays: Arrays) -> float:
        digest = blake2b(digest_size=16)
        for name, array in arrays.items():
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
        key = digest.digest()
        if key not in known:
            known[key] = value(arrays)
        return known[key]

    return of
