"""How long the check of every entry takes, against naive central differences, in one run.

Run by hand: `python tests/benchmarks/check.py`. Naive means what one would write: two whole forward
passes of the loss in plain NumPy for every entry of every parameter; it is timed on a sample of
entries and scaled up. The two are timed in turn and the median of their ratios is printed, since
machines differ and are shared. With `--others`, the checkers of PyTorch and JAX join in on the
smallest one, where they are installed, and all are given a gradient with one weight 0.1 % wrong.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from others import ENTRY, FACTOR, checkers

import gradcli
from gradcli.core.arrays import Array
from gradcli.engine.model import Model

NETWORKS = {
    "64-128-128-10": [64, 128, 128, 10],
    "784-100-10": [784, 100, 10],
    "784-512-512-10": [784, 512, 512, 10],
}
ROWS = 32
NAIVE_SAMPLE = 400
STEP = 1e-5


def spec_of(widths: list[int]) -> dict[str, Any]:
    network: list[Any] = []
    for width in widths[1:-1]:
        network += [{"dense": width}, "relu"]
    return {
        "gradcli": 1,
        "data": {"inputs": {"shape": [ROWS, widths[0]]}, "targets": "auto"},
        "network": [*network, {"dense": widths[-1]}],
        "loss": "cross_entropy",
    }


def plain_loss(model: Model) -> Callable[[], float]:
    """The forward pass as one would write it by hand, reading the model's own arrays."""
    x, labels = model.inputs["inputs"], model.targets["targets"]
    names = [name for name in model.parameters if name.endswith("weight")]
    weights = [model.parameters[name] for name in names]
    biases = [model.parameters[name.replace("weight", "bias")] for name in names]
    rows = np.arange(len(x))

    def loss() -> float:
        a = x
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            a = np.maximum(a @ weight.T + bias, 0)
        z = a @ weights[-1].T + biases[-1]
        z = z - z.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(z).sum(axis=1)) - z[rows, labels]))

    return loss


def naive_seconds(model: Model) -> float:
    """Seconds that two forward passes for every entry of every parameter would take."""
    loss = plain_loss(model)
    entries = sum(value.size for value in model.parameters.values())
    flat = next(iter(model.parameters.values())).reshape(-1)
    sample = np.linspace(0, flat.size - 1, min(NAIVE_SAMPLE, flat.size)).astype(int)
    start = time.perf_counter()
    for entry in sample:
        kept = flat[entry]
        flat[entry] = kept + STEP
        above = loss()
        flat[entry] = kept - STEP
        (above - loss()) / (2 * STEP)
        flat[entry] = kept
    return (time.perf_counter() - start) / len(sample) * entries


def check_seconds(model: Model) -> float:
    start = time.perf_counter()
    report = gradcli.check(model)
    seconds = time.perf_counter() - start
    if not report.passed:
        raise SystemExit(f"a correct gradient did not pass:\n{report}")
    return seconds


def peak_memory(model: Model) -> float:
    """MiB allocated by the check at its highest, beyond what was there before."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    gradcli.check(model)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - before) / 2**20


def finds_planted(model: Model) -> bool:
    """Whether the check finds the entry of the first layer whose gradient is 0.1 % too large."""
    dense = model.plan.nodes[0].op
    right = dense.function

    def wrong(x: Array, **options: Any) -> tuple[Array, Any]:
        y, pull = right(x, **options)

        def pullback(g: Array) -> tuple[Array, dict[str, Array]]:
            dx, gradients = pull(g)
            gradients["weight"][ENTRY] *= FACTOR
            return dx, gradients

        return y, pullback

    first = model.plan.nodes[0].replace(op=dense.replace(function=wrong))
    plan = model.plan.replace(nodes=(first, *model.plan.nodes[1:]))
    (result,) = gradcli.check(Model(plan)).results
    weight = result.tensors[0]
    return weight.wrong == 1 and weight.worst is not None and weight.worst.index == ENTRY


def compare(model: Model, naive: float, check: float) -> None:
    """Print what other checkers take for the same network, and what they say of its gradient."""
    found = "finds" if finds_planted(model) else "misses"
    print(f"  gradcli: accepts this gradient, {found} 0.1 % in one weight's, by index")
    for checker in checkers():
        start = time.perf_counter()
        accepts = checker.accepts(model, False)
        seconds = time.perf_counter() - start
        if accepts:
            verdict = "misses" if checker.accepts(model, True) else "finds"
            said = f"accepts this gradient, {verdict} 0.1 % in one weight's"
        else:
            said = "rejects this gradient"
        print(
            f"  {checker.name}: {seconds:.2f} s, {naive / seconds:.1f} times faster than naive, "
            f"{seconds / check:.0f} times what gradcli takes; {said}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--network", choices=NETWORKS, action="append")
    parser.add_argument("--others", action="store_true", help="PyTorch's and JAX's checkers too")
    options = parser.parse_args()
    for name in options.network or NETWORKS:
        model = gradcli.load(spec_of(NETWORKS[name]))
        entries = sum(value.size for value in model.parameters.values())
        check_seconds(model)
        pairs = [(naive_seconds(model), check_seconds(model)) for _ in range(options.runs)]
        naive = statistics.median(pair[0] for pair in pairs)
        check = statistics.median(pair[1] for pair in pairs)
        ratio = statistics.median(pair[0] / pair[1] for pair in pairs)
        print(
            f"{name}: {entries:,} entries of parameters; naive {naive:.2f} s, "
            f"check (inputs too) {check:.3f} s, {ratio:.0f} times faster; "
            f"{peak_memory(model):.0f} MiB at the highest"
        )
        if options.others and name == next(iter(NETWORKS)):
            compare(model, naive, check)


if __name__ == "__main__":
    main()
