"""What would mend a gradient's flow: each change made to the same network, and measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from gradcli.analysis.flow.measure import measure_signal
from gradcli.analysis.flow.report import FlowVerdict, Remedy
from gradcli.analysis.flow.structure import LayerPlace, Structure, structure_of
from gradcli.analysis.flow.theory.critical import critical_point
from gradcli.analysis.flow.theory.curve import curve_of
from gradcli.analysis.flow.verdict import band_of, verdict_of
from gradcli.core.op import Activation, Initializer, InitializerChoice, Layer
from gradcli.core.record import Record
from gradcli.core.registry import CATALOGUE
from gradcli.engine.cost import Costs
from gradcli.engine.network import Network
from gradcli.spec.plan import Plan
from gradcli.spec.rewrite import Insertion, with_initializers, with_insertions, with_op

__all__ = ["Change", "Remedies", "are_cheap", "initializer", "measured", "measured_remedies"]

_CONFIRMED = 3  # remedies that are measured on every draw; the others on the first alone
_PASSES = 3  # forward passes that a forward and a backward one take together
_BUDGET = 2e11
_RULES = ("he_normal", "xavier_normal", "lecun_normal", "orthogonal")
_ACTIVATIONS = ("relu", "tanh", "selu")
_NORMALIZATIONS = ("batch_norm", "layer_norm")


class Change(Record):
    """A change as a user would describe it, and the plan with it."""

    text: str
    plan: Plan


class Remedies(Record):
    """What was measured, the best first, and whether Ctrl-C kept it from being more."""

    found: tuple[Remedy, ...] = ()
    interrupted: bool = False


def are_cheap(plan: Plan, seeds: int) -> bool:
    """Whether all remedies together take seconds, by the multiply-adds that they need."""
    runs = len(_RULES) + len(_ACTIVATIONS) + len(_NORMALIZATIONS) + 3 + _CONFIRMED * (seeds - 1)
    return runs * _PASSES * Costs(Network(plan, {})).forward <= _BUDGET


def measured_remedies(
    plan: Plan,
    structure: Structure,
    seeds: int,
    threshold: float,
    advance: Callable[[], None],
    *,
    partial: bool = False,
) -> Remedies:
    """Every change that applies to the network, the best first, with the total that it gives.

    `advance()` is called after each measurement. With `partial`, Ctrl-C ends it with what has been
    measured by then.
    """
    changes = _changes(plan, structure)
    return measured(changes, _total, seeds, threshold, advance, partial=partial)


def measured(
    changes: Iterable[Change],
    total_of: Callable[[Plan], float],
    seeds: int,
    threshold: float,
    advance: Callable[[], None],
    *,
    partial: bool = False,
) -> Remedies:
    """Each change measured on its plan's own seed, and the best that heal on all `seeds`."""
    tried: list[tuple[Change, list[float]]] = []
    interrupted = False
    try:
        for _ in _measurements(tried, changes, total_of, seeds, threshold):
            advance()
    except KeyboardInterrupt:
        if not partial:
            raise
        interrupted = True
    remedies = []
    for change, totals in tried:
        band = band_of(totals)
        verdict = verdict_of(totals[0], band, threshold)
        remedies.append(Remedy(change.text, totals[0], verdict, band, len(totals)))
    remedies.sort(key=lambda remedy: (_rank(remedy.verdict), abs(remedy.log10_total)))
    return Remedies(tuple(remedies), interrupted)


def _measurements(
    tried: list[tuple[Change, list[float]]],
    changes: Iterable[Change],
    total_of: Callable[[Plan], float],
    seeds: int,
    threshold: float,
) -> Iterator[None]:
    """Fills `tried` with changes and their totals; goes on after each measurement."""
    for change in changes:
        total = total_of(change.plan)
        if not math.isnan(total):
            tried.append((change, [total]))
        yield
    best = sorted(tried, key=lambda each: abs(each[1][0]))[:_CONFIRMED]
    for change, totals in best:
        if abs(totals[0]) > threshold:
            continue
        for draw in range(1, seeds):
            totals.append(total_of(change.plan.replace(seed=change.plan.seed + draw)))
            yield


def _rank(verdict: FlowVerdict) -> int:
    return {"healthy": 0, "undetermined": 1}.get(verdict, 2)


def _total(plan: Plan) -> float:
    return measure_signal(plan, structure_of(plan)).total


def _changes(plan: Plan, structure: Structure) -> Iterator[Change]:
    """Changes that leave the network another one, and that the spec's own weights allow."""
    weights = _weights(plan, structure)
    if not any(name in plan.weights for name in weights):
        yield from _initializations(plan, structure, weights)
    yield from _activations(plan, structure, weights)
    yield from _normalizations(plan, structure)
    yield from _residuals(plan, structure)


def _weights(plan: Plan, structure: Structure) -> tuple[str, ...]:
    """The parameters through which the layers mix."""
    found = []
    for place in structure.layers:
        mixing = structure.traits[place.node].mixing
        if mixing is not None:
            found.append(plan.nodes[place.node].parameters[mixing])
    return tuple(found)


def initializer(name: str, **options: float) -> InitializerChoice:
    """An initializer of the catalogue with some of its options."""
    op = CATALOGUE.find(name, Initializer)
    assert op is not None
    return InitializerChoice(op, {**op.defaults(), **options})


def _initializations(
    plan: Plan, structure: Structure, weights: tuple[str, ...]
) -> Iterator[Change]:
    now = {name: plan.parameters[name].init for name in weights}
    for rule in _RULES:
        choice = initializer(rule)
        if any(own.op is not choice.op or own.options != choice.options for own in now.values()):
            yield Change(f"init: {rule}", with_initializers(plan, dict.fromkeys(weights, choice)))
    yield from _critical(plan, structure, weights)


def _critical(plan: Plan, structure: Structure, weights: tuple[str, ...]) -> Iterator[Change]:
    """Weights and biases of the edge of chaos of the layers' one activation (Poole et al. 2016)."""
    nodes = [plan.nodes[p.activation] for p in structure.layers if p.activation is not None]
    if len(nodes) < len(structure.layers) or len({(id(n.op), repr(n.options)) for n in nodes}) > 1:
        return
    op = nodes[0].op
    assert isinstance(op, Activation)
    point = critical_point(curve_of(op, nodes[0].options))
    if point is None or not math.isfinite(point.weight_std):
        return
    chosen = {
        name: initializer("normal", std=point.weight_std / math.sqrt(plan.parameters[name].fan_in))
        for name in weights
    }
    text = f"weights: std {point.weight_std:.4g}/sqrt(fan_in)"
    if point.bias_std:
        biases = [
            full
            for place in structure.layers
            for local, full in plan.nodes[place.node].parameters.items()
            if local == "bias"
        ]
        if len(biases) < len(weights):
            return
        chosen |= dict.fromkeys(biases, initializer("normal", std=point.bias_std))
        text += f", biases: std {point.bias_std:.4g}"
    yield Change(f"{text} (chi = 1)", with_initializers(plan, chosen))


def _activations(plan: Plan, structure: Structure, weights: tuple[str, ...]) -> Iterator[Change]:
    """Another activation, with the initializer that suits it."""
    indices = [place.activation for place in structure.layers if place.activation is not None]
    drawn = not any(name in plan.weights for name in weights)
    for name in _ACTIVATIONS:
        op = CATALOGUE.find(name, Activation)
        assert op is not None
        if not indices or all(plan.nodes[index].op is op for index in indices):
            continue
        changed, text = with_op(plan, indices, op, op.defaults()), f"activation: {name}"
        if drawn:
            changed = with_initializers(changed, dict.fromkeys(weights, initializer(op.init)))
            text += f", init: {op.init}"
        yield Change(text, changed)


def _normalizations(plan: Plan, structure: Structure) -> Iterator[Change]:
    """Normalization between each layer's product and its activation."""
    present = {node.op.name for node in plan.nodes}
    for name in _NORMALIZATIONS:
        op = _layer(name)
        if name in present:
            continue
        behind = {
            place.node: Insertion(op, op.defaults(), (place.node + 1,))
            for place in structure.layers
        }
        try:
            yield Change(f"{name} after each layer's product", with_insertions(plan, behind))
        except ValueError:  # a batch of one row has no statistics
            continue


def _layer(name: str) -> Layer:
    op = CATALOGUE.find(name, Layer)
    assert op is not None
    return op


def _residuals(plan: Plan, structure: Structure) -> Iterator[Change]:
    """A shortcut around each layer that keeps the shape, of scale 1 and 1/sqrt(L)."""
    op = _layer("residual")
    if any(node.op is op for node in plan.nodes):
        return
    blocks = [place for place in structure.layers if _can_be_skipped(place, plan, structure)]
    if not blocks:
        return
    for scale, text in (
        (1.0, "residual blocks"),
        (1 / math.sqrt(len(blocks)), f"residual blocks, scale: {1 / math.sqrt(len(blocks)):.3g}"),
    ):
        behind = {
            place.slot - 1: Insertion(
                op,
                {**op.defaults(), "scale": scale},
                (plan.nodes[place.node].inputs[0], place.slot),
            )
            for place in blocks
        }
        yield Change(text, with_insertions(plan, behind))


def _can_be_skipped(place: LayerPlace, plan: Plan, structure: Structure) -> bool:
    start = plan.nodes[place.node].inputs[0]
    assert plan.inputs is not None
    before = plan.nodes[start - 1].shape if start else plan.inputs.shape
    whole = start in structure.cuts and place.slot in structure.cuts
    return whole and before == plan.nodes[place.slot - 1].shape
