"""Time and memory of `gradcli flow`: the default network, and how both grow with depth.

Run by hand: python tests/benchmarks/flow.py
"""

from __future__ import annotations

import time
import tracemalloc

import gradcli.ops  # noqa: F401
from gradcli.analysis.flow import FlowOptions, analyse_flow, build_spec
from gradcli.spec import load_plan
from gradcli.spec.plan import Plan

REPEATS = 3
DEPTHS = (1250, 2500, 5000, 10_000)


def seconds(plan: Plan, seeds: int, repeats: int) -> float:
    """The best of some runs: what the machine's other work does not explain."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        analyse_flow(plan, FlowOptions(seeds=seeds))
        best = min(best, time.perf_counter() - start)
    return best


def mebibytes(plan: Plan) -> float:
    """The most memory that NumPy and Python hold at a time, traced in a run of its own."""
    tracemalloc.start()
    analyse_flow(plan, FlowOptions(seeds=1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main() -> None:
    default = load_plan(build_spec())
    one, five = (seconds(default, seeds, REPEATS) for seeds in (1, 5))
    print("depth 50, width 256, batch 128, relu")
    print(f"  one seed    {one:6.2f} s   (target: below 1 s)")
    print(f"  five seeds  {five:6.2f} s   {five / one:.1f} times one")
    print(f"  memory      {mebibytes(default):6.0f} MiB")
    print("width 64, batch 128, sigmoid, one seed")
    first = None
    for depth in DEPTHS:
        plan = load_plan(
            build_spec(depth=depth, width=64, activation="sigmoid"), max_memory=1 << 40
        )
        took = seconds(plan, 1, 1)
        first = first or took / depth
        print(
            f"  depth {depth:6,d}  {took:6.2f} s   {1e3 * took / depth:.2f} ms a layer, "
            f"{took / depth / first:.2f} times that of the first   {mebibytes(plan):4.0f} MiB"
        )


if __name__ == "__main__":
    main()
