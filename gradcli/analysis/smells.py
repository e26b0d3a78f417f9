"""What can be computed and is hardly meant: rules SP1xx, from what ops say of themselves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from gradcli.core.arrays import Array, norm
from gradcli.core.copies import CLEAN, NOISY_COPY
from gradcli.core.op import Activation
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.engine.model import Model
from gradcli.spec.plan import LossPlan, NodePlan, Plan

__all__ = ["penalty_smells", "smells"]

_ROUNDING = 1e-9  # by which a target may miss the range of an activation, of the target's size
_DROWNED = 10.0  # times the rest of the loss


def smells(plan: Plan) -> list[Finding]:
    """Everything that shows without running the network, each at its node."""
    found = [
        each
        for loss in plan.losses
        for rule in (_already_squashed, _dropped, _out_of_reach, _without_slope)
        for each in rule(plan, loss)
    ]
    found += _nothing_between(plan)
    # losses that read one output say the same of it
    return list({(each.code, each.where): each for each in found}.values())


def _written_by(plan: Plan, slot: int) -> NodePlan | None:
    """The node whose output this is, seen through the half of a batch that has a noisy copy."""
    while slot and plan.nodes[slot - 1].op in (CLEAN, NOISY_COPY):
        (slot,) = plan.nodes[slot - 1].inputs
    return plan.nodes[slot - 1] if slot else None


def _range(node: NodePlan | None) -> tuple[float, float] | None:
    """All values that an activation can give, where that is stated."""
    if node is None or not isinstance(node.op, Activation):
        return None
    traits = node.op.traits_at(node.options)
    return None if traits is None else traits.range


def _argument(loss: LossPlan) -> str | None:
    """What a loss is a function of, where that is stated."""
    traits = loss.op.traits_at(loss.options)
    return None if traits is None else traits.argument


def _already_squashed(plan: Plan, loss: LossPlan) -> Iterator[Finding]:
    node = _written_by(plan, loss.slot)
    bounds, argument = _range(node), _argument(loss)
    if node is None or bounds is None or argument not in ("logit", "logits"):
        return
    low, high = bounds
    if not 0 <= low < high <= 1:
        return
    effect = "applies a softmax itself"
    if argument == "logit":
        seen = f"{_logistic(low):.3g} to {_logistic(high):.3g}"
        effect = f"applies a sigmoid itself: it sees probabilities of {seen} only"
    assert isinstance(node.op, Activation)
    yield finding(
        "SP102" if node.op.elementwise else "SP101",
        node.name,
        f"{node.op.name} gives numbers from {low:g} to {high:g}, and {loss.op.name} reads logits, "
        f"numbers of any size, and {effect}",
        line=node.line,
        data={"loss": loss.name, "range": [low, high]},
    )


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _dropped(plan: Plan, loss: LossPlan) -> Iterator[Finding]:
    """A node that draws what it does with its input, with activations at most before the loss."""
    node = _written_by(plan, loss.slot)
    while node is not None and isinstance(node.op, Activation):
        node = _written_by(plan, node.inputs[0])
    if node is None or not any(callable(plan.buffers[b].fill) for b in node.buffers.values()):
        return
    yield finding(
        "SP104",
        node.name,
        f"{node.op.name} acts on the predictions that {loss.op.name} reads, and no layer behind it "
        "can make up for what it drops",
        line=node.line,
        data={"loss": loss.name},
    )


def _out_of_reach(plan: Plan, loss: LossPlan) -> Iterator[Finding]:
    node = _written_by(plan, loss.slot)
    bounds = _range(node)
    comparable = _argument(loss) in ("residual", "margin")
    if node is None or bounds is None or not comparable or loss.target is None:
        return
    targets = plan.targets[loss.target]
    if targets.values is None:
        return
    low, high = bounds
    slack = _ROUNDING * np.maximum(1.0, np.abs(targets.values))
    missed = np.maximum(low - targets.values, targets.values - high) - slack
    if not (missed > 0).any():
        return
    outside, total = int((missed > 0).sum()), targets.values.size
    worst = float(targets.values.ravel()[int(missed.argmax())])
    yield finding(
        "SP105",
        node.name,
        f"{outside} of {total} targets lie outside what {node.op.name} can give, {low:g} to "
        f"{high:g}; the farthest is {worst:g}",
        line=node.line,
        data={
            "loss": loss.name,
            "range": [low, high],
            "outside": outside,
            "targets": total,
            "worst": worst,
        },
    )


def _without_slope(plan: Plan, loss: LossPlan) -> Iterator[Finding]:
    traits = loss.op.traits_at(loss.options)
    if traits is None or traits.outlier != "none":
        return
    yield finding(
        "SP107",
        loss.name,
        f"the gradient of {loss.op.name} is zero wherever it has one: it measures, and cannot be "
        "trained on",
        line=loss.line,
    )


def _nothing_between(plan: Plan) -> Iterator[Finding]:
    """Each run of layers that are one linear map after the other, and nobody else reads between."""
    linear = {index + 1: node for index, node in enumerate(plan.nodes) if _is_linear(node)}
    readers = Counter(slot for node in plan.nodes for slot in node.inputs)
    readers.update(loss.slot for loss in plan.losses)
    runs: dict[int, list[NodePlan]] = {}
    for slot, node in linear.items():
        (before,) = node.inputs
        runs[slot] = runs.pop(before) if before in linear and readers[before] == 1 else []
        runs[slot].append(node)
    for run in runs.values():
        if len(run) > 1:
            yield _one_map(plan, run)


def _is_linear(node: NodePlan) -> bool:
    traits = node.op.layer_traits(node.options)
    return traits.mixing is not None and "x" in traits.affine and len(node.inputs) == 1


def _one_map(plan: Plan, run: list[NodePlan]) -> Finding:
    (before,) = run[0].inputs
    assert plan.inputs is not None
    first = plan.inputs.shape if before == 0 else plan.nodes[before - 1].shape
    full = min(first[-1], run[-1].shape[-1])
    rank = min(full, *(node.shape[-1] for node in run[:-1]))
    names = " and ".join(node.name for node in run)
    if len(run) > 2:
        names = f"{run[0].name} to {run[-1].name}"
    low_rank = f", of rank {rank} at most" if rank < full else ""
    return finding(
        "SP103",
        run[0].name,
        f"{names} have nothing between them: together they are one linear layer{low_rank}",
        line=run[1].line,
        data={"layers": [node.name for node in run], "rank": rank},
    )


def penalty_smells(model: Model, value: float, gradients: Mapping[str, Array]) -> list[Finding]:
    """Penalties that outweigh the rest of the loss, given the whole loss and its gradient."""
    network, terms = model.network, model.plan.terms
    if not terms:
        return []
    penalties: dict[str, float] = {}
    pulls: dict[str, Array] = {}
    with np.errstate(all="ignore"):  # an overflow shows in the loss
        for position, term in enumerate(terms):
            for name in term.parameters:
                values, pull = network.run_term(position, name, model.parameters[name])
                own = float(term.weight * values.sum(dtype=float))
                penalties[term.name] = penalties.get(term.name, 0.0) + own
                slope = pull(np.full(values.shape, term.weight, values.dtype)).astype(float)
                pulls[name] = pulls.get(name, 0.0) + slope
        penalty = sum(penalties.values())
        rest = value - penalty
        pulled = _norm(pulls.values())
        learned = _norm(gradients[name] - slope for name, slope in pulls.items())
    if not (abs(penalty) > _DROWNED * abs(rest) and pulled > _DROWNED * learned):
        return []
    largest = max(terms, key=lambda term: abs(penalties.get(term.name, 0.0)))
    ratio = pulled / learned if learned else math.inf
    return [
        finding(
            "SP106",
            largest.name,
            f"the penalties are {penalty:.3g} where the rest of the loss is {rest:.3g}, and pull "
            f"{ratio:.3g} times as hard at the weights as the data do",
            line=largest.line,
            data={"penalty": penalty, "loss": rest, "gradient_ratio": ratio},
        )
    ]


def _norm(arrays: Iterable[Array]) -> float:
    return math.hypot(*map(norm, arrays))
