"""Second order: products of a Hessian with a vector, checked as gradients by the same rule.

The derivative of a function along a fixed direction v is a function again, ⟨∇f, v⟩, and its
gradient is the Hessian times v. What a claimed gradient makes of that product is its own
derivative along v. So a claim is right to second order if its derivative along a random v, which
no row of the Hessian escapes, is the gradient of the function's: both along the same v, and the
function's from its forward alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.analysis.gradcheck.callables import Arrays, Callables, Claim, Value
from gradcli.analysis.gradcheck.collect import Collector
from gradcli.analysis.gradcheck.definitions import (
    claims_nothing,
    definition_callables,
    examine_callables,
)
from gradcli.analysis.gradcheck.examine import examine
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import Kind, TensorResult
from gradcli.analysis.gradcheck.second_network import NetworkTwice, apart
from gradcli.analysis.gradcheck.tensors import NetworkTensors
from gradcli.core.arrays import Array, norm
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.engine.ladder import position_scale
from gradcli.engine.model import INPUTS, Model, generator
from gradcli.spec.plan import Definition, ElementwiseDefinition, Plan

__all__ = ["SecondOrder"]

_STEP = 2.0**-10  # of real differences along v, relative to the arguments
_STENCIL = ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0))  # offsets and weights, of sum 12
_SHARE = 1 / 16  # of the budget: a value here takes that many times what it takes in a gradient
_PAIRS = 3  # directions that symmetry is seen along
_CLEARLY = 1  # times the required error: an asymmetry that explains a wrong product

Directions = Mapping[str, Array]


class SecondOrder:
    """The second order of what a spec holds; results and findings go to the collector."""

    def __init__(self, plan: Plan, collector: Collector, required: float) -> None:
        self._plan = plan
        self._collector = collector
        self._required = required

    def left_out(self) -> Finding:
        """What is said where the gradient itself is wrong."""
        message = "the second order was not looked at, since a gradient is wrong"
        return finding("GC203", self._plan.name, message, severity="note")

    def definition(self, definition: Definition) -> None:
        """A definition standing alone: the slope of what it claims."""
        options, plan = self._collector.options, self._plan
        if claims_nothing(definition):
            return
        if not isinstance(definition, ElementwiseDefinition):
            self._callables(definition_callables(definition, plan, options))
            return
        # loaded only here, since most specs have none
        from gradcli.analysis.gradcheck.second_elementwise import second_order_subject

        subject = second_order_subject(definition, options)
        result, findings, evaluations = examine(subject, options, self._required, None)
        self._enter([result], findings, evaluations)

    def network(self, tensors: NetworkTensors, names: list[tuple[str, Kind]]) -> bool:
        """The Hessian of the loss by all tensors, times a random direction in all of them.

        At a kink the function is the one along the slopes that were chosen there. Real differences
        take the place of the complex step where an op takes real numbers only. Returns whether the
        product is wrong.
        """
        model = tensors.model
        exact = model.in_float64()
        exact.network = tensors.truth.point.network
        point = {**exact.parameters, INPUTS: exact.inputs[INPUTS]}
        kinds = {name: kind for name, kind in names if point[name].dtype.kind == "f"}
        if any(node.op.opaque for node in model.plan.nodes):
            turned = _ByDifferences(
                lambda arrays: exact.loss(*apart(arrays)),
                lambda arrays: exact.value_and_grad_at(*apart(arrays))[1],
                point,
                tuple(kinds),
            )
            results, findings, evaluations = _examined(turned, self._options, self._required)
            results = [each.replace(kind=kinds[each.name]) for each in results]
        else:
            results, findings, evaluations = self._by_complex_step(exact, point, kinds)
        lines = {name: plan.line for name, plan in model.plan.parameters.items()}
        placed = [each.replace(line=lines.get(each.name, 0)) for each in results]
        told = [found.replace(line=found.line or lines.get(found.where, 0)) for found in findings]
        self._enter(placed, told, evaluations)
        return any(result.verdict == "fail" for result in results)

    def _by_complex_step(
        self, model: Model, point: Arrays, kinds: Mapping[str, Kind]
    ) -> tuple[list[TensorResult], list[Finding], int]:
        options = self._collector.options
        rng = generator(options.seed, "direction of loss")
        v = _direction(point, tuple(kinds), rng)
        network = NetworkTwice(model, kinds, v, options)
        results, findings = [], []
        for name in kinds:
            result, found, _ = examine(*network.subject(name), self._required, None)
            results.append(result)
            findings += found
        if any(result.verdict == "fail" for result in results):
            if network.at_bend or any(result.kinks for result in results):
                findings = _undecided(results, findings)
                return [*map(_unproven, results)], findings, network.evaluations
            directions = [_direction(point, tuple(kinds), rng) for _ in range(_PAIRS)]
            images = [network.products(each) for each in directions]
            findings = _explained(directions, images, self._required, findings)
        return results, findings, network.evaluations

    def _callables(self, callables: Callables) -> None:
        """A function and the gradient claimed for it, by real differences of both."""
        turned = _ByDifferences(callables.value, callables.claim, callables.point, callables.wrt)
        self._enter(*_examined(turned, self._options, self._required, callables))

    @property
    def _options(self) -> CheckOptions:
        options = self._collector.options
        return options.replace(budget=options.budget * _SHARE)

    def _enter(
        self, results: list[TensorResult], findings: list[Finding], evaluations: int
    ) -> None:
        names = {result.name for result in results}
        self._collector.tensors += [each.replace(name=_shown(each.name)) for each in results]
        self._collector.add(
            found.replace(where=_shown(found.where)) if found.where in names else found
            for found in findings
        )
        self._collector.evaluations += evaluations


def _shown(name: str) -> str:
    """What the product's part by a tensor is called."""
    return f"Hv[{name}]"


class _ByDifferences:
    """A function and a claim, both differentiated along a direction by one and the same stencil.

    So the claim's derivative is the gradient of the function's whenever the claim is the gradient
    of the function: with no error but rounding, kinks or not.
    """

    def __init__(self, value: Value, claim: Claim, point: Arrays, wrt: tuple[str, ...]) -> None:
        self._value = value
        self._claim = claim
        self.point = point
        self.wrt = wrt

    def value(self, v: Directions) -> Value:
        """The function's derivative along v."""

        def along(arrays: Arrays) -> float:
            terms = (weight * self._value(moved) for weight, moved in self._moved(arrays, v))
            return float(sum(terms)) / (12 * _STEP)

        return along

    def claim(self, v: Directions) -> Claim:
        """The claim's derivative along v."""

        def along(arrays: Arrays) -> dict[str, Any]:
            found: dict[str, Any] = dict.fromkeys(self.wrt, 0.0)
            for weight, moved in self._moved(arrays, v):
                claimed = self._claim(moved)
                for name in self.wrt:
                    part = np.asarray(claimed[name], float)
                    found[name] = found[name] + weight / (12 * _STEP) * part
            return found

        return along

    def _moved(self, arrays: Arrays, v: Directions) -> list[tuple[float, Arrays]]:
        return [
            (
                weight,
                {
                    name: np.asarray(array + offset * _STEP * v[name], array.dtype)
                    if name in v
                    else array.copy()
                    for name, array in arrays.items()
                },
            )
            for offset, weight in _STENCIL
        ]


def _examined(
    turned: _ByDifferences,
    options: CheckOptions,
    required: float,
    like: Callables | None = None,
) -> tuple[list[TensorResult], list[Finding], int]:
    """Results, findings and the number of evaluations, by the names of the tensors."""
    where = "loss" if like is None else like.where
    rng = generator(options.seed, f"direction of {where}")
    v = _direction(turned.point, turned.wrt, rng)
    callables = Callables(
        turned.value(v),
        turned.claim(v),
        turned.point,
        turned.wrt,
        options,
        where,
        kind="parameter" if like is None else like.kind,
        line=0 if like is None else like.line,
        draws="" if like is None else like.draws,
    )
    results, findings = examine_callables(callables, options, required)
    if any(result.verdict == "fail" for result in results):
        directions = [_direction(turned.point, turned.wrt, rng) for _ in range(_PAIRS)]
        images = [turned.claim(each)(callables.copies()) for each in directions]
        findings = _explained(directions, images, required, findings)
    return results, findings, callables.evaluations


def _direction(point: Arrays, wrt: tuple[str, ...], rng: np.random.Generator) -> Directions:
    """A random direction in these arguments, in each as large as the argument itself."""
    found = {}
    for name in wrt:
        value = point[name].astype(float)
        scale = position_scale(value.ravel()).reshape(value.shape)
        found[name] = scale * rng.standard_normal(value.shape)
    return found


def _explained(
    directions: Sequence[Directions],
    images: Sequence[Mapping[str, Any]],
    required: float,
    findings: list[Finding],
) -> list[Finding]:
    """Errors of no known kind named by the asymmetry, where that is what is wrong."""
    forms = np.array([[_inner(u, image) for image in images] for u in directions])
    sizes = np.array([[_size(u) * _size(image) for image in images] for u in directions])
    largest = float(sizes.max(initial=0.0))
    share = float(np.abs(forms - forms.T).max()) / largest if largest else 0.0
    if not share > _CLEARLY * required:
        return findings
    message = (
        f"uᵀHv and vᵀHu differ by {share:.2g} of |u|·|Hv| for random u and v: what the gradient's "
        "own derivatives make up is no Hessian, so no function has this gradient near the point"
    )
    return [
        finding("GC114", each.where, message, line=each.line, data={"asymmetry": share})
        if each.code == "GC100"
        else each
        for each in findings
    ]


def _unproven(result: TensorResult) -> TensorResult:
    return result.replace(verdict="inconclusive") if result.verdict == "fail" else result


def _undecided(results: list[TensorResult], findings: list[Finding]) -> list[Finding]:
    """The findings where failures prove nothing, since second derivatives jump at the point."""
    message = (
        "the point lies where a second derivative jumps, so that each side has its own; what "
        "differs there is not proven wrong"
    )
    failed = [result.name for result in results if result.verdict == "fail"]
    rest = [found for found in findings if found.severity != "error" or found.where not in failed]
    return [*rest, *(finding("GC203", name, message) for name in failed)]


def _inner(u: Directions, image: Mapping[str, Any]) -> float:
    return float(sum(np.sum(u[name] * image[name]) for name in u))


def _size(arrays: Mapping[str, Any]) -> float:
    return math.hypot(*map(norm, arrays.values()))
