"""Time and memory of `gradcli flow`: the default network, and how both grow with depth.

Where PyTorch is installed, also against the same measurement with hooks in it.

Run by hand: python tests/benchmarks/flow.py
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import gradcli.ops  # noqa: F401
from gradcli.analysis.flow import FlowOptions, analyse_flow, build_spec
from gradcli.engine.model import Model
from gradcli.spec import load_plan
from gradcli.spec.plan import Plan

REPEATS = 3
DEPTHS = (1250, 2500, 5000, 10_000)


def seconds(plan: Plan, seeds: int, repeats: int) -> float:
    """The best of some runs: what the machine's other work does not explain."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        analyse_flow(plan, FlowOptions(seeds=seeds, remedies=False))
        best = min(best, time.perf_counter() - start)
    return best


def mebibytes(plan: Plan) -> float:
    """The most memory that NumPy and Python hold at a time, traced in a run of its own."""
    tracemalloc.start()
    analyse_flow(plan, FlowOptions(seeds=1, remedies=False))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def seconds_with_hooks(plan: Plan, repeats: int) -> float | None:
    """The same network's norms by hooks, with the spectral norms; None without PyTorch.

    The weights are drawn, as they are in what it is compared with.
    """
    try:
        import torch
    except ImportError:
        return None
    depth = sum(node.op.name == "relu" for node in plan.nodes)
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        model = Model(plan)
        given = {name: torch.from_numpy(value) for name, value in model.parameters.items()}
        for value in given.values():
            value.requires_grad_()
        norms: dict[int, float] = {}

        def watch(layer: int, norms: dict[int, float] = norms) -> Callable[[Any], None]:
            return lambda g: norms.__setitem__(layer, float(torch.linalg.norm(g)))

        a = torch.from_numpy(model.inputs["inputs"]).requires_grad_()
        a.register_hook(watch(0))
        for index in range(1, depth + 1):
            weight, bias = (given[f"dense_{index}.{part}"] for part in ("weight", "bias"))
            a = torch.relu(torch.nn.functional.linear(a, weight, bias))
            a.register_hook(watch(index))
        y = torch.nn.functional.linear(a, given["head.weight"], given["head.bias"])
        (target,) = model.targets.values()
        torch.nn.functional.mse_loss(y, torch.from_numpy(target)).backward()
        for index in range(1, depth + 1):
            weight = given[f"dense_{index}.weight"]
            torch.linalg.norm(weight.grad)
            torch.linalg.matrix_norm(weight.detach(), 2)
        assert len(norms) == depth + 1
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    default = load_plan(build_spec())
    one, five = (seconds(default, seeds, REPEATS) for seeds in (1, 5))
    print("depth 50, width 256, batch 128, relu")
    print(f"  one seed    {one:6.2f} s   (target: below 1 s)")
    print(f"  five seeds  {five:6.2f} s   {five / one:.1f} times one")
    hooks = seconds_with_hooks(default, REPEATS)
    if hooks is not None:
        print(f"  PyTorch     {hooks:6.2f} s   with hooks; gradcli takes {one / hooks:.2f} of that")
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
