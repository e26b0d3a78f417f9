"""A flow analysis as a figure, drawn with matplotlib, which is an optional extra."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from gradcli.analysis.flow.report import FlowReport, FlowResult
from gradcli.report import flow_words as words
from gradcli.report.figure import save_figure

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["curves", "save_plot"]


def curves(result: FlowResult) -> dict[str, tuple[list[int], list[float]]]:
    """What is drawn, each curve with its places and log10 values.

    The bound is the most that the gradient can be where the last layer's is what it is, and the
    prediction what theory makes of that; both start at the last layer.
    """
    layers = result.layers
    start = layers[0].index - 1
    places = [start, *(layer.index for layer in layers)]
    norms = [result.log10_input_gradient_norm, *(layer.log10_gradient_norm for layer in layers)]
    last = norms[-1]
    whole = [(start, 0.0), *((x.index, x.log10_bound) for x in layers if x.at_cut)]
    bound = [(place, last + whole[-1][1] - product) for place, product in whole]
    found = {
        "gradient": (places, norms),
        "weight gradient": (places[1:], [layer.log10_weight_gradient_norm for layer in layers]),
        "bound": ([place for place, _ in bound], [value for _, value in bound]),
    }
    ends = [layer for layer in layers if layer.at_cut]
    gains = [layer.predicted_gain or 0.0 for layer in ends]
    if all(0 < gain < math.inf for gain in gains):
        steps = accumulate(map(math.log10, reversed(gains)), initial=last)
        found["prediction"] = ([start, *(layer.index for layer in ends)], [*steps][::-1])
    return {name: curve for name, curve in found.items() if any(map(math.isfinite, curve[1]))}


def save_plot(report: FlowReport, path: Path) -> None:
    """Write a figure with one picture for each network; see `save_figure`."""
    drawn = (result for result in report.results if result.layers)
    save_figure([partial(_draw, result) for result in drawn], path)


def _draw(result: FlowResult, axes: Any) -> None:
    styles = {"bound": ":", "prediction": "--"}
    found = curves(result)
    lines = {}
    for name, (places, values) in found.items():
        marker = "o" if len(places) == 1 else ""
        (lines[name],) = axes.plot(
            places, _finite(values), styles.get(name, "-"), marker=marker, label=name
        )
    if result.ranges and "gradient" in lines:
        low, high = (_finite(each) for each in zip(*result.ranges, strict=True))
        label = f"gradient, {len(result.totals)} seeds"
        color = lines["gradient"].get_color()
        axes.fill_between(found["gradient"][0], low, high, color=color, alpha=0.25, label=label)
    axes.set_xlabel(words.ladder_of(result).rung)
    axes.set_ylabel("log10 of the norm")
    axes.set_title(f"{result.title}: {result.verdict}, {words.number(result.log10_total)} decades")
    axes.grid(alpha=0.3)
    if lines:
        axes.legend()


def _finite(values: Sequence[float]) -> list[float]:
    return [value if math.isfinite(value) else math.nan for value in values]
