"""What a report says of a graph, from results written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from gradcli.analysis.graph.report import (
    Checkpointing,
    GraphNode,
    GraphReport,
    GraphResult,
    Live,
    Measured,
    Mode,
    Numeric,
)
from gradcli.core.cost import Operations
from gradcli.report import graph_words as words


def node(**known: Any) -> GraphNode:
    usual = {"name": "dense_1", "kind": "layer", "op": "dense", "reads": ("inputs",)}
    numbers = {"shape": (32, 10), "parameters": 1200, "memory": 2048, "level": 1}
    work = {"forward": Operations(20, 10), "backward": Operations(elements=50_000_000)}
    return GraphNode(**{**usual, **numbers, **work, **known})


def result(**known: Any) -> GraphResult:
    return GraphResult("net.yaml", "net", **{"verdict": "pass", **known})


def said(of: GraphResult, heading: str) -> str | None:
    return dict(words.summary(of)).get(heading)


def cells(**known: Any) -> list[str]:
    (line,) = words.branches(result(nodes=(node(**known),)))
    return words.cells(line)


def test_cells_of_nodes() -> None:
    assert cells() == ["32×10", "1,200", "30", "50 M", "2 KiB", "0", "inputs"]
    unknown = cells(kind="activation", parameters=0, forward=None, memory=0, reads=("a", "b"))
    assert unknown == ["32×10", "", "?", "50 M", "", "0", "a, b"]
    given = cells(kind="input", parameters=0, reads=(), shape=())
    assert given == ["scalar", "", "", "", "2 KiB", "0", ""]
    penalty = cells(name="loss.l2", kind="penalty", shape=(), reads=())
    assert penalty == ["", "", "30", "50 M", "2 KiB", "0", "1,200 weights"]


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "0"),
        (9_999_999, "9,999,999"),
        (10_000_000, "10 M"),
        (12_345_678, "12.35 M"),
        (1_234_567_890, "1,235 M"),
        (10_000_000_000, "10 G"),
        (98_765_000_000_000, "98.77 T"),
        (10**19, "10,000,000 T"),
    ],
)
def test_large_numbers(number: int, written: str) -> None:
    assert words.count(number) == written


@pytest.mark.parametrize(("count", "shown"), [(60, 60), (61, 40)])
def test_the_middle_of_a_long_tree_is_left_out(count: int, shown: int) -> None:
    lines = words.branches(result(nodes=tuple(node(name=f"dense_{i}") for i in range(count))))
    first, last = words.folded(lines, whole=False)
    assert len(first) + len(last) == shown
    assert [*first, *last][-1] == lines[-1]
    assert words.folded(lines, whole=True) == (lines, [])


def test_structure() -> None:
    live = Live(3, "dense_2", 4096, "dense_1")
    said_of_it = (
        "width 3, the most values alive at a time (at dense_2), and at most 4 KiB of them (at "
        "dense_1)"
    )
    for in_time, more in ((12, ""), (1200, " (1,200 with a node for each time step)")):
        of = result(depth=12, depth_in_time=in_time, live=live)
        assert said(of, "structure") == f"depth 12, the longest path{more}; {said_of_it}"


@pytest.mark.parametrize(
    ("uncounted", "more"),
    [
        ((), ""),
        (("a", "b", "c"), "; not counted: a, b, c"),
        (("a", "b", "c", "d"), "; not counted: a, b, c and 1 more"),
    ],
)
def test_operations(uncounted: tuple[str, ...], more: str) -> None:
    of = result(forward=Operations(60, 20), backward=Operations(120, 0), uncounted=uncounted)
    assert said(of, "operations") == (
        f"80 forward, 120 backward, 1.50 times as many; 90% in products of matrices{more}"
    )
    peak = said(of, "memory")
    assert peak is not None
    assert peak.startswith("at least ") is bool(uncounted)


def test_of_no_operations_nothing_is_a_share() -> None:
    assert said(result(), "operations") == "0 forward, 0 backward"


def test_memory() -> None:
    of = result(plain_peak=4096, stored=2048, parameter_bytes=1024, data_bytes=512)
    assert said(of, "memory") == (
        "4 KiB at the peak of plain backpropagation, 2 KiB of it stored by the forward pass; "
        "beside 1 KiB of parameters and 512 bytes of data"
    )


PLAN = Checkpointing(3, ("a", "b", "c"), ("x",), 1024, Operations(elements=600), 0.25)
SHORT = Checkpointing(1, ("a",), (), 4096, Operations(), 0.0)


def test_checkpoints() -> None:
    assert said(result(plain_peak=4096, checkpointing=PLAN), "checkpoints") == (
        "1 KiB at the peak, 25% of plain, with 1 value kept between 3 segments; running them "
        "again takes 600 operations, 25% more"
    )
    none = "none: to run a part of this network again would save no memory"
    assert said(result(checkpointing=SHORT), "checkpoints") == none
    assert said(result(), "checkpoints") == none


@pytest.mark.parametrize(
    ("plan", "differs", "measured"),
    [
        (PLAN, "", "2 KiB plain, 1 KiB with checkpoints; the same gradients to the last bit"),
        (SHORT, "", "2 KiB plain; the same gradients to the last bit"),
        (None, "", "2 KiB plain; the same gradients to the last bit"),
        (SHORT, "w", "2 KiB plain; the gradient of w differs"),
    ],
)
def test_measured(plan: Checkpointing | None, differs: str, measured: str) -> None:
    of = result(checkpointing=plan, measured=Measured(2048, 1024, differs))
    assert said(of, "measured") == measured


def test_modes() -> None:
    """One line each, the first with the heading."""
    modes = (
        Mode("the loss", "all parameters", 1200, 1),
        Mode("the outputs", "the inputs", 2, 3, by_row=True),
        Mode("the outputs", "the inputs", 4, 4),
    )
    lines = words.summary(result(modes=modes))
    assert [line for line in lines if line[0] in ("modes", "")] == [
        ("modes", "the loss by all parameters: 1,200 in, 1 out: reverse mode, 1 pass instead of "
                  "1,200"),
        ("", "the outputs by the inputs, of a row: 2 in, 3 out: forward mode, 2 passes instead of "
             "3"),
        ("", "the outputs by the inputs: 4 in, 4 out: as many passes in either mode"),
    ]  # fmt: skip


def test_numeric_gradients() -> None:
    numeric = Numeric(parameters=600, evaluations=1200, central=36000, analytic=90, ratio=400.0)
    assert said(result(numeric=numeric), "numeric") == (
        "central differences by all parameters take 1,200 forward passes, 400 times the operations "
        "of backpropagation"
    )
    assert said(result(), "numeric") is None


@pytest.mark.parametrize(
    ("known", "status", "line"),
    [
        ({}, "✓ pass", "exit 0: the graph is worked out"),
        ({"measured": Measured(1, 1, "")}, "✓ pass",
         "exit 0: both schedules give the same gradients"),
        ({"verdict": "fail"}, "✗ FAIL, a bug in gradcli", "exit 4: a bug in gradcli"),
        ({"verdict": "fail", "only_builtin": False}, "✗ FAIL",
         "exit 1: a part that is run again gives something else (gradcli explain GC005)"),
        ({"verdict": "invalid"}, "✗ INVALID", "exit 2: the spec is invalid"),
    ],
)  # fmt: skip
def test_the_outcome(known: dict[str, Any], status: str, line: str) -> None:
    assert str(words.graph_status(result(**known))) == status
    assert words.exit_line(GraphReport((result(**known),))) == line
