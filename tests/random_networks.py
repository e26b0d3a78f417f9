"""Random networks drawn from the whole catalogue: `python tests/random_networks.py 1000`.

Each is checked as it is, which it has to pass, and with one random mistake planted, which has to be
caught unless it changes less than is detectable. The numbers are printed.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

import gradcli
import gradcli.ops
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import SpecResult
from gradcli.analysis.gradcheck.self_test_network import NetworkSelfTest
from gradcli.analysis.gradcheck.self_test_report import Mutant
from gradcli.analysis.gradcheck.tensors import NetworkTensors
from gradcli.core.op import (
    Activation,
    Initializer,
    Layer,
    Loss,
    Macro,
    Op,
    OutputTerm,
    Shape,
    Term,
    Weighting,
)
from gradcli.core.registry import CATALOGUE
from gradcli.core.training_op import Curriculum, Optimizer, Schedule
from gradcli.engine.model import Model
from gradcli.errors import SpecError

Spec = dict[str, Any]
DEEPEST = 12
DENSE = next(op for op in CATALOGUE.all(Layer) if op.name == "dense")
_TRIES = 200


class Drawn(NamedTuple):
    """A network that can be checked."""

    spec: Spec
    model: Model


def draw(rng: np.random.Generator) -> Drawn:
    """The next network that a spec may hold and whose loss is a finite number."""
    for _ in range(_TRIES):
        spec = Draw(rng).spec()
        with suppress(SpecError):
            model = gradcli.load(spec)
            if np.isfinite(model.loss()):
                return Drawn(spec, model)
    raise AssertionError(f"{_TRIES} networks in a row cannot be checked")


class Draw:
    """One spec at random; a layer that does not fit the shape so far is drawn again."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def spec(self) -> Spec:
        rows = int(self.rng.choice([1, 2, 5, 8]))
        inner = [int(self.rng.integers(1, 4))] if self._chance(0.25) else []
        shape = (rows, *inner, int(self.rng.integers(1, 6)))
        heads = ["one", "two"] if self._chance(0.1) else []
        losses = {head: self._loss() for head in heads or ["outputs"]}
        trunk, _ = self._layers(shape, int(self.rng.integers(1, DEEPEST + 1)))
        ends = {head: self._end(domain) for head, (_, domain) in losses.items()}
        spec: Spec = {
            "gradcli": 1,
            "seed": int(self.rng.integers(1 << 30)),
            "dtype": str(self.rng.choice(["float32", "float64"])),
            "data": {"inputs": {"values": self._values(shape).tolist()}, "targets": "auto"},
        }
        if heads:
            tasks = {head: {"loss": entry} for head, (entry, _) in losses.items()}
            (op,) = CATALOGUE.all(Weighting)
            return {
                **spec,
                "network": {"trunk": trunk, "heads": ends},
                "loss": {op.name: {**self._options(op), "tasks": tasks}},
            }
        entry = losses["outputs"][0]
        if self._chance(0.3):
            entry = {"sum": [entry, *self._terms()]}
        return {**spec, "network": trunk + ends["outputs"], "loss": entry}

    def _chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def _one_of(self, choices: list[Any]) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def _values(self, shape: Shape) -> Any:
        """Inputs of several sizes, some exactly zero, some equal to each other."""
        values = self.rng.standard_normal(shape) * self._one_of([1.0, 1.0, 0.1, 10.0])
        if self._chance(0.3):
            values = np.rint(values)
        if self._chance(0.3):
            values[self.rng.random(shape) < 0.3] = 0.0
        if self._chance(0.1):
            values[0] = 0.0
        return values

    def _layers(self, shape: Shape, depth: int) -> tuple[list[Any], Shape]:
        layers: list[Any] = []
        while len(layers) < depth:
            entry, reached = self._layer(shape, depth)
            if reached is not None:
                layers.append(entry)
                shape = reached
        return layers, shape

    def _layer(self, shape: Shape, depth: int) -> tuple[Any, Shape | None]:
        """A layer and the shape behind it, None where it does not fit."""
        kind = self._one_of([Activation, Activation, Layer, Layer, Layer, Macro])
        op = self._one_of(CATALOGUE.all(kind))
        if kind is Layer and self._chance(0.5):
            op = DENSE
        options = self._options(op)
        inside = [param.name for param in op.params if param.kind == "layers"]
        if not inside:
            try:
                return self._entry(op, options), self._behind(op, options, shape)
            except ValueError:
                return None, None
        if depth < 2:
            return None, None
        layers, reached = self._layers(shape, int(self.rng.integers(1, 3)))
        if reached[:-1] != shape[:-1]:
            return None, None
        layers.append(self._entry(DENSE, {"units": shape[-1]}))
        return self._entry(op, {**options, inside[0]: layers}), shape

    def _behind(self, op: Any, options: Spec, shape: Shape) -> Shape:
        whole: Shape = op.output_shape((shape,), {**op.defaults(), **options})
        return whole

    def _end(self, domain: tuple[float, float]) -> list[Any]:
        """Layers that bring the outputs into the domain of the loss."""
        end: list[Any] = [self._entry(DENSE, {"units": int(self.rng.integers(1, 5))})]
        low, high = domain
        if np.isfinite(low) and np.isfinite(high):
            end.append(self._one_of(["sigmoid", "softmax"]))
        elif np.isfinite(high):
            end.append("log_softmax")
        return end

    def _loss(self) -> tuple[Any, tuple[float, float]]:
        """A loss, and the predictions that it is defined for."""
        op = self._one_of([op for op in CATALOGUE.all(Loss) if not isinstance(op, OutputTerm)])
        options = self._options(op)
        traits = op.traits_at({**op.defaults(), **options})
        return self._entry(op, options), traits.domain

    def _terms(self) -> list[Any]:
        terms: list[Op] = [*CATALOGUE.all(Term), *CATALOGUE.all(OutputTerm)]
        picked = [term for term in terms if self._chance(0.5)]
        return [{term.name: {"weight": self._one_of([0.01, 0.5])}} for term in picked]

    def _options(self, op: Op) -> Spec:
        """A value of its sweep for some of the options, and whatever a spec has to write."""
        options: Spec = {}
        for param in op.params:
            if param.kind == "initializer":
                if self._chance(0.3):
                    options[param.name] = self._initializer()
            elif param.name == "units":
                options[param.name] = int(self.rng.integers(1, 7))
            elif param.sweep and (param.default not in param.sweep or self._chance(0.5)):
                options[param.name] = self._one_of(list(param.sweep))
        return options

    def _initializer(self) -> Any:
        op = self._one_of(CATALOGUE.all(Initializer))
        return self._entry(op, self._options(op))

    def _entry(self, op: Any, options: Spec) -> Any:
        return {op.name: options} if options else op.name


class Outcome(NamedTuple):
    """A network's own result, and that of a mistake planted in it (None if there is no place)."""

    drawn: Drawn
    result: SpecResult
    mutant: Mutant | None


def check(drawn: Drawn, rng: np.random.Generator) -> Outcome:
    """Check a network as it is, and with one mistake."""
    (result,) = gradcli.check(drawn.model).results
    if result.verdict == "fail":
        return Outcome(drawn, result, None)
    options = CheckOptions(seed=drawn.model.plan.seed)
    network = NetworkTensors(drawn.model, options)
    tests = NetworkSelfTest(network, {t.name: t for t in result.tensors}, result.required)
    plantings = list(tests.plantings())
    mutant = tests.tried(plantings[int(rng.integers(len(plantings)))]) if plantings else None
    return Outcome(drawn, result, mutant)


def outcomes(count: int, seed: int = 0) -> Iterator[Outcome]:
    """As many networks, each from a seed of its own, so that any can be drawn again alone."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        yield check(draw(rng), rng)


def ops_in(spec: Any) -> Iterator[str]:
    """Every name of an op that a spec writes."""
    if isinstance(spec, str):
        yield spec
    elif isinstance(spec, list):
        for each in spec:
            yield from ops_in(each)
    elif isinstance(spec, dict):
        for key, each in spec.items():
            yield key
            yield from ops_in(each)


def told(outcome: Outcome) -> str:
    """What to look at of an outcome that is not as it should be; empty if it is."""
    result, mutant = outcome.result, outcome.mutant
    said = []
    if result.verdict != "pass":
        said.append(result.verdict)
        said += [
            f"{f.code} {f.where}: {f.message}"
            for f in result.findings
            if f.code.startswith("GC") and f.severity != "note"
        ]
    if mutant is not None and mutant.fate in ("survived", "undecided"):
        said.append(str(mutant))
    return "\n  ".join(said)


def drawable() -> set[str]:
    """The names of all ops but those that only a run of training has."""
    of_runs = (Curriculum, Optimizer, Schedule)
    return {op.name for op in CATALOGUE if not isinstance(op, of_runs)}


def main(count: int = 1000, seed: int = 0) -> int:
    """Print what became of them; 1 if a correct network failed or a mistake survived."""
    start = time.perf_counter()
    verdicts: Counter[str] = Counter()
    fates: Counter[str] = Counter()
    used: set[str] = set()
    others: Counter[str] = Counter()
    for number, outcome in enumerate(outcomes(count, seed)):
        said = told(outcome)
        if said:
            print(f"number {number}: {said}")
        verdicts[outcome.result.verdict] += 1
        used.update(ops_in(outcome.drawn.spec))
        mutant = outcome.mutant
        if mutant is not None:
            fates[mutant.fate] += 1
            if mutant.fate == "caught" and not mutant.named:
                others[f"{mutant.code} as {', '.join(mutant.found) or 'none'}"] += 1
    names = drawable()
    listed = ", ".join(sorted(names - used)) or "none"
    print(
        f"{count} networks of {len(names & used)} ops (never drawn: {listed}):", _counts(verdicts)
    )
    print("the same with one mistake each:", _counts(fates))
    print(f"called by its name: {fates['caught'] - others.total()} of {fates['caught']}")
    print("called otherwise:", _counts(others))
    print(f"{time.perf_counter() - start:.0f} s")
    return int(verdicts["fail"] > 0 or fates["survived"] > 0)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common()) or "none"


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
