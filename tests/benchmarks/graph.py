"""Whether time follows the counted operations, what checkpoints cost, and how `graph` scales.

Two rates are fitted to all networks at once: seconds for an operation within a product of matrices,
and for one that goes element by element. Then each network's own time is set beside what its
counts and these rates predict.

Run by hand: OPENBLAS_NUM_THREADS=1 python tests/benchmarks/graph.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import gradcli.ops  # noqa: F401
from gradcli.analysis.graph import GraphResult, analyse_graph
from gradcli.analysis.graph.execute import execute
from gradcli.analysis.graph.nodes import Skeleton
from gradcli.analysis.graph.schedule import steps_of
from gradcli.engine.model import Model
from gradcli.engine.segments import even_segments
from gradcli.spec import load_plan
from gradcli.spec.plan import Plan

REPEATS = 5
NODES = (1_000, 10_000, 100_000)


def spec(layers: list[Any], shape: list[int], loss: str = "mse") -> dict[str, Any]:
    return {
        "gradcli": 1,
        "data": {"inputs": {"shape": shape}, "targets": "auto"},
        "network": [*layers, {"dense": 10}],
        "loss": loss,
    }


def mlp(width: int, depth: int, activation: str, rows: int = 128) -> dict[str, Any]:
    layers = [{"repeat": {"times": depth, "layers": [{"dense": width}, activation]}}]
    return spec(layers, [rows, width])


NETWORKS: dict[str, dict[str, Any]] = {
    **{f"mlp {width} relu": mlp(width, 6, "relu") for width in (64, 128, 256, 512, 1024)},
    **{f"mlp 256 {name}": mlp(256, 6, name) for name in ("tanh", "sigmoid", "gelu", "softmax")},
    "mlp 256, 1024 rows": mlp(256, 6, "relu", rows=1024),
    "layer_norm 256": spec(
        [{"repeat": {"times": 6, "layers": [{"dense": 256}, "layer_norm"]}}], [128, 256]
    ),
    "swish alone": spec([{"repeat": {"times": 10, "layers": ["swish"]}}], [512, 512]),
    "rnn 128": spec([{"rnn": {"units": 128, "output": "last"}}], [64, 30, 64]),
    "gru 128": spec([{"gru": {"units": 128, "output": "last"}}], [64, 30, 64]),
    "lstm 128": spec([{"lstm": {"units": 128, "output": "last"}}], [64, 30, 64]),
    "lstm 256": spec([{"lstm": {"units": 256, "output": "last"}}], [64, 30, 64]),
}


def best(call: Callable[[], Any], repeats: int = REPEATS) -> float:
    """The best of some runs: what the machine's other work does not explain."""
    found = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        found = min(found, time.perf_counter() - start)
    return found


def result_of(plan: Plan) -> GraphResult:
    return analyse_graph(plan).results[0]


def rates(counts: np.ndarray[Any, Any], seconds: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Seconds for an operation of each kind, by least squares of relative errors."""
    return np.linalg.lstsq(counts / seconds[:, None], np.ones(len(seconds)), rcond=None)[0]


def times_against_counts() -> None:
    counts, seconds = [], []
    for described in NETWORKS.values():
        plan = load_plan(described, max_memory=1 << 40)
        result, model = result_of(plan), Model(plan)
        both = result.forward + result.backward
        counts.append((both.products, both.elements))
        seconds.append(best(model.value_and_grad))
    table, took = np.array(counts, float), np.array(seconds)
    rate = rates(table, took)
    print(f"  {1e-9 / rate[0]:.1f} G operations/s in products, {1e-9 / rate[1]:.2f} elsewhere")
    print("  network                products    elements   measured  predicted  ratio")
    for name, (products, elements), measured in zip(NETWORKS, counts, seconds, strict=True):
        predicted = rate @ (products, elements)
        print(
            f"  {name:20s} {products:10.3g}  {elements:10.3g}  {1e3 * measured:6.2f} ms "
            f"{1e3 * predicted:7.2f} ms   {measured / predicted:.2f}"
        )
    logs = np.log(took / (table @ rate))
    span = took.max() / took.min()
    print(f"  typical factor off: {np.exp(logs.std()):.2f}, over times {span:.0f} times apart")


def cost_of_checkpoints() -> None:
    for depth in (50, 200):
        plan = load_plan(mlp(128, depth, "tanh"), max_memory=1 << 40)
        result, model, skeleton = result_of(plan), Model(plan), Skeleton(plan)
        assert result.checkpointing is not None
        count = result.checkpointing.segments
        sizes = [node.memory for node in result.nodes[1 : skeleton.count + 1]]
        plain, twice = (
            best(partial(execute, model, list(steps_of(skeleton, segments))))
            for segments in ((range(skeleton.count),), even_segments(sizes, count))
        )
        print(
            f"  depth {depth:4d}  {count:3d} segments   {twice / plain - 1:4.0%} more time, "
            f"{result.checkpointing.overhead:.0%} more operations; "
            f"{result.checkpointing.peak / result.plain_peak:.0%} of the memory"
        )


def growth() -> None:
    for nodes in NODES:
        plan = load_plan(mlp(4, (nodes - 3) // 2, "tanh", rows=2), max_memory=1 << 40)
        took = best(partial(analyse_graph, plan), 1)
        print(f"  {nodes:7,d} nodes  {took:6.2f} s   {1e6 * took / nodes:.0f} µs a node")


def main() -> None:
    print("time of value and gradient against counted operations")
    times_against_counts()
    print("checkpoints, width 128, tanh, 128 rows")
    cost_of_checkpoints()
    print("the analysis itself")
    growth()


if __name__ == "__main__":
    main()
