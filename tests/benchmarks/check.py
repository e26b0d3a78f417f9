"""How long the check of every entry takes, against naive central differences, in one run.

Run by hand: `python tests/benchmarks/check.py`. Naive means what one would write: two whole forward
passes of the loss in plain NumPy for every entry of every parameter; it is timed on a sample of
entries and scaled up. The two are timed in turn and the median of their ratios is printed, since
machines differ and are shared. With `--torch`, PyTorch's gradcheck joins in on the smallest one.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

import gradcli
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


def torch_seconds(model: Model) -> tuple[float, bool] | None:
    """Seconds of PyTorch's gradcheck on the same network, and whether it accepts the gradient."""
    try:
        import torch
    except ImportError:
        return None
    labels = torch.tensor(model.targets["targets"])
    parameters = [torch.tensor(value, requires_grad=True) for value in model.parameters.values()]
    x = torch.tensor(model.inputs["inputs"])

    def loss(*tensors: Any) -> Any:
        a = x
        for index in range(0, len(tensors) - 2, 2):
            a = torch.relu(torch.nn.functional.linear(a, tensors[index], tensors[index + 1]))
        return torch.nn.functional.cross_entropy(
            torch.nn.functional.linear(a, tensors[-2], tensors[-1]), labels
        )

    start = time.perf_counter()
    accepted = torch.autograd.gradcheck(loss, parameters, raise_exception=False)
    return time.perf_counter() - start, bool(accepted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--network", choices=NETWORKS, action="append")
    parser.add_argument("--torch", action="store_true", help="time PyTorch's gradcheck as well")
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
        if options.torch and name == next(iter(NETWORKS)):
            measured = torch_seconds(model)
            if measured is None:
                print("  PyTorch is not installed")
            else:
                seconds, accepted = measured
                verdict = "accepts" if accepted else "rejects"
                print(f"  torch.autograd.gradcheck: {seconds:.1f} s, {verdict} this gradient")


if __name__ == "__main__":
    main()
