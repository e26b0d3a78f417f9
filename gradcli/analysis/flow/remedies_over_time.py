"""What would mend a gradient's flow over time: other weights between the steps, and gates."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from gradcli.analysis.flow.gates import KEEPING
from gradcli.analysis.flow.remedies import Change, initializer
from gradcli.analysis.flow.theory.critical import critical_point
from gradcli.analysis.flow.theory.curve import curve_of
from gradcli.core.op import Activation, Layer
from gradcli.core.registry import CATALOGUE
from gradcli.engine.model import Model
from gradcli.spec.plan import Plan
from gradcli.spec.rewrite import with_initializers, with_op

__all__ = ["changes_over_time"]


def changes_over_time(plan: Plan, index: int) -> Iterator[Change]:
    """Changes to one recurrent layer: other W_hh, open gates, and the other recurrent layers."""
    node = plan.nodes[index]
    yield from _critical(plan, index)
    yield from _open_gates(plan, index)
    recurs = node.op.layer_traits(node.options).recurs
    assert recurs is not None
    full = node.parameters[recurs]
    if full not in plan.weights and plan.parameters[full].init.op.name != "orthogonal":
        yield Change(
            "init of the recurrent weights: orthogonal",
            with_initializers(plan, {full: initializer("orthogonal")}),
        )
    if any(name in plan.weights for name in node.parameters.values()):
        return
    for op in CATALOGUE.all(Layer):
        own = op.defaults()
        if op is node.op or op.param("units") is None or op.param("output") is None:
            continue
        options = {
            **own,
            "units": node.options["units"],
            "output": node.options["output"],
            **{
                param.name: initializer(own[param.name])
                for param in op.params
                if param.kind == "initializer"
            },
        }
        yield Change(f"{op.name} for {node.op.name}", with_op(plan, [index], op, options))


def _critical(plan: Plan, index: int) -> Iterator[Change]:
    """W_hh at the edge of chaos of the activation, driven at every step by what is read there."""
    node = plan.nodes[index]
    recurs = node.op.layer_traits(node.options).recurs
    named = node.options.get("activation")
    activation = CATALOGUE.find(named, Activation) if isinstance(named, str) else None
    if activation is None or recurs is None or node.parameters[recurs] in plan.weights:
        return
    own, x = _drawn(plan, index)
    drive = x @ own["weight_ih"].T + own["bias_ih"] + own["bias_hh"]
    point = critical_point(curve_of(activation), float(np.sqrt(np.mean(drive**2))))
    if point is not None:
        std = point.weight_std / math.sqrt(node.options["units"])
        yield Change(
            f"recurrent weights: std {point.weight_std:.4g}/sqrt(units) (chi = 1)",
            with_initializers(plan, {node.parameters[recurs]: initializer("normal", std=std)}),
        )


def _open_gates(plan: Plan, index: int) -> Iterator[Change]:
    """The gate that hands the state on, opened so far that it does so over all steps.

    By a bias of the logarithm of their number (Tallec and Ollivier 2018,
    doi:10.48550/arXiv.1804.11188); Gers et al. 2000 open it by a constant.
    """
    node = plan.nodes[index]
    gate = KEEPING.get(node.op.name)
    full = node.parameters.get("bias_ih")
    if gate is None or full is None or full in plan.weights:
        return
    own, x = _drawn(plan, index)
    bias, units = own["bias_ih"].copy(), node.options["units"]
    more = math.log(x.shape[-2])
    bias[units : 2 * units] += more
    opened = plan.replace(weights={**plan.weights, full: bias})
    yield Change(f"bias of the {gate} gates: {more:+.3g}", opened)


def _drawn(plan: Plan, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The layer's own parameters as they are drawn, and what it reads."""
    model, node = Model(plan), plan.nodes[index]
    own = {local: model.parameters[full] for local, full in node.parameters.items()}
    return own, model.forward().slots[node.inputs[0]]
