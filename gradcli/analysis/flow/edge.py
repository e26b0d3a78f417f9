"""The edge of chaos of activations: of the catalogue, of options, or of a spec."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from gradcli.analysis.flow.builder import Entry, known, read_entry
from gradcli.analysis.flow.edge_report import (
    EdgeKind,
    EdgeReport,
    EdgeResult,
    Setting,
)
from gradcli.analysis.flow.theory.critical import (
    CriticalPoint,
    critical_point,
    critical_points,
)
from gradcli.analysis.flow.theory.curve import Curve, curve_of
from gradcli.analysis.flow.theory.normal import averages
from gradcli.analysis.flow.theory.published import Published, published_points
from gradcli.analysis.flow.theory.rest import followed
from gradcli.analysis.named import options_of
from gradcli.core.op import Activation, Initializer, Options
from gradcli.core.record import Record
from gradcli.core.registry import CATALOGUE
from gradcli.errors import SpecError, SpecProblem, UsageError
from gradcli.spec.plan import ElementwiseDefinition, Plan

__all__ = ["BIAS_STDS", "edges", "invalid_edge"]

BIAS_STDS: Final = tuple(step / 10 for step in range(21))
"""The σ_b for which the edge is followed."""

_NEAR_ZERO: Final = 1e-18
"""An rms that stands for the limit toward zero."""


class _Named(Record):
    """An activation with its options, what it is called, and the spec that it is from."""

    name: str
    op: Activation
    options: Options
    spec: str = ""


def edges(
    plan: Plan | None = None,
    activation: Entry | None = None,
    bias_std: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    without: Collection[str] = (),
) -> EdgeReport:
    """The edges of a spec's activations, those in use and those it defines, of one, or of all.

    An `activation` is an entry of a spec, or NAME:PARAM=VALUE,... in one word. Without `bias_std`,
    the edge is followed over `BIAS_STDS`; of all activations only the point to start with is
    computed. `without` are options that were given and that nothing here reads. Raises UsageError
    for these, for names and options that do not fit, and for an activation that reads several
    features; SpecError for a spec without activations.
    """
    if without:
        raise UsageError(
            f"{', '.join(without)}: only for a network; the edge of chaos is computed without"
        )
    if bias_std is not None and not 0 <= bias_std < math.inf:
        raise UsageError(f"bias_std: expected a number of at least 0, got {bias_std!r}")
    if plan is not None and activation is not None:
        raise UsageError("activation: a spec has activations of its own")
    whole = plan is None and activation is None
    chosen = list(_of_spec(plan) if plan else _all() if activation is None else [_one(activation)])
    if plan is not None and not chosen:
        message = f"{plan.name} has no activation of one number, and defines none"
        raise SpecError([SpecProblem("SP008", message, plan.file)])
    spread = (bias_std,) if bias_std is not None else () if whole else BIAS_STDS
    results = []
    for count, each in enumerate(chosen):
        if progress is not None:
            progress(count, len(chosen))
        results.append(_edge(each, bias_std, spread))
    return EdgeReport(tuple(results))


def invalid_edge(spec: str, errors: tuple[SpecProblem, ...]) -> EdgeReport:
    """The report of a spec that cannot be used, with its problems."""
    return EdgeReport((EdgeResult(spec, "invalid", spec=spec, errors=errors),))


def _all() -> list[_Named]:
    found = (op for op in CATALOGUE.all(Activation) if op.elementwise)
    return [_Named(op.name, op, op.defaults()) for op in found]


def _one(entry: Entry) -> _Named:
    read = read_entry("activation", entry, Activation)
    op = known("activation", read, Activation)
    if not op.elementwise:
        raise UsageError(
            f"activation: {op.name} reads several features, and the theory is of functions of one "
            "number"
        )
    given = {} if isinstance(read, str) else next(iter(read.values()))
    if not isinstance(given, Mapping):
        given = {op.params[0].name: given} if op.params else {}
    name = entry if isinstance(entry, str) else op.name
    return _Named(name, op, options_of(op, given))


def _of_spec(plan: Plan) -> Iterator[_Named]:
    own = {
        id(each.op): _Named(each.name, each.op, each.params, plan.file)
        for each in plan.definitions
        if isinstance(each, ElementwiseDefinition) and isinstance(each.op, Activation)
    }
    used: dict[tuple[int, str], _Named] = {}
    for node in plan.nodes:
        if isinstance(node.op, Activation) and node.op.elementwise and id(node.op) not in own:
            key = id(node.op), repr(node.options)
            used.setdefault(key, _Named(node.op.name, node.op, node.options, plan.file))
    yield from used.values()
    yield from own.values()


def _edge(named: _Named, bias_std: float | None, spread: Sequence[float]) -> EdgeResult:
    curve = curve_of(named.op, named.options)
    kind = _kind(curve)
    result = EdgeResult(
        named.name, kind, named.op.name, dict(named.options), named.spec, bias_std=bias_std
    )
    if kind in ("no-slope", "no-average"):
        return result
    points = tuple(point for std in spread for point in critical_points(curve, std))
    onset = critical_point(curve)
    return replace(
        result,
        kind=kind if points or onset is not None else "none",
        points=points,
        start=onset if bias_std is None else critical_point(curve, bias_std),
        onset=onset,
        settings=tuple(_settings(named.op, curve)),
        published=tuple(_beside_published(named, curve, onset)),
    )


def _beside_published(
    named: _Named, curve: Curve, onset: CriticalPoint | None
) -> Iterator[tuple[Published, CriticalPoint]]:
    for stated in published_points(named.op, named.options):
        at = None if stated.onset else math.sqrt(stated.bias_variance)
        computed = onset if at is None else critical_point(curve, at)
        if computed is not None:
            yield stated, computed


def _kind(curve: Curve) -> EdgeKind:
    own = averages(curve, 0.0, 1.0)
    if math.isnan(own.slope_rms):
        return "no-average"
    if own.slope_rms == 0:
        return "no-slope"
    return "scale-free" if curve.homogeneous else "line"


def _settings(op: Activation, curve: Curve) -> Iterator[Setting]:
    """The initializer that suits the activation by its own claim, and PyTorch's default."""
    for name in dict.fromkeys((op.init, "pytorch_default")):
        initializer = CATALOGUE.find(name, Initializer)
        assert initializer is not None
        assert initializer.variance is not None
        weight_std = math.sqrt(initializer.variance(1, 1, **initializer.defaults()))
        yield Setting(name, weight_std, *_at_rest(curve, weight_std))


def _at_rest(curve: Curve, weight_std: float) -> tuple[float | None, float]:
    """Where q comes to rest without biases, for inputs of unit variance, and χ there."""

    def drift(log2_std: float) -> float:
        rms = weight_std * averages(curve, 0.0, 2.0**log2_std).rms
        return math.log2(rms) - log2_std if rms else -math.inf

    if curve.homogeneous:
        chi = (weight_std * averages(curve, 0.0, 1.0).slope_rms) ** 2
        grows = drift(0.0)
        stays = abs(grows) < 1e-12
        return None if stays else math.inf if grows > 0 else 0.0, 1.0 if stays else chi
    log2_std = followed(drift, math.log2(weight_std))
    std = min(max(2.0**log2_std, _NEAR_ZERO), 1 / _NEAR_ZERO)
    chi = (weight_std * averages(curve, 0.0, std).slope_rms) ** 2
    return 4.0**log2_std, chi
