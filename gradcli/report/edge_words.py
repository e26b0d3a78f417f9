"""An activation's edge of chaos in words and numbers: shared by every rendering of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from gradcli.analysis.flow.edge_report import EdgeReport, EdgeResult, Setting
from gradcli.analysis.flow.theory.critical import CriticalPoint
from gradcli.analysis.flow.theory.published import Published
from gradcli.report.characters import NOTHING

__all__ = [
    "HEADINGS",
    "LEGEND",
    "OVERVIEW_HEADINGS",
    "Edge",
    "edge_line",
    "exit_line",
    "in_short",
    "introduction",
    "is_overview",
    "lines",
    "overview_cells",
    "point_rows",
]

HEADINGS: Final = ("σ_b", "σ_w", "σ_w²", "q at rest", "settles in")
OVERVIEW_HEADINGS: Final = ("activation", "σ_b", "σ_w", "q at rest", "init: auto", "χ with it")

LEGEND: Final = (
    "σ_w, σ_b: weights are drawn with variance σ_w²/fan_in, biases with σ_b²; q: the variance of "
    "the pre-activations, which comes closer to rest by a factor e in the layers of the last column"
)

_ROWS: Final = (0, 1, 2, 3, 5, 7, 10, 15, 20)
"""Which of many σ_b a table shows."""

_MOST_IN_FULL: Final = 4
_LEVEL: Final = 1.1
"""Times that a line has to rise to be worth a picture."""


class Edge(NamedTuple):
    """The line as it can be drawn: σ_b, equally spaced, and σ_w."""

    bias_stds: tuple[float, ...]
    weight_stds: tuple[float, ...]


def is_overview(report: EdgeReport) -> bool:
    """Whether there are so many activations that each gets a row only."""
    return len(report.results) > _MOST_IN_FULL


def introduction(result: EdgeResult) -> str:
    """What there is of an edge, in a sentence or two."""
    match result.kind:
        case "line":
            return "The gradient keeps its size from layer to layer (χ = 1) and q is at rest at:"
        case "scale-free":
            weight_std = "" if result.onset is None else _number(result.onset.weight_std)
            return (
                "f(s·x) = s·f(x) for s > 0, so that χ depends on the weights alone: it is 1 at "
                f"σ_w = {weight_std}. Without biases q then stays as it is; with them it grows by "
                "σ_b² a layer, without end."
            )
        case "none":
            return (
                "There is no edge: E f² > q·E f'² at every q, so that weights which keep the "
                "gradient's size (χ = 1) make q grow, whatever the biases."
            )
        case "no-slope":
            return "There is no edge: the slope is zero almost everywhere, and no gradient passes."
    return (
        "Theory says nothing: the averages of f² and f'² over normal inputs are no finite numbers, "
        "or cannot be told."
    )


def point_rows(result: EdgeResult) -> list[list[str]]:
    """A row under `HEADINGS` for each point that a table shows."""
    if result.kind == "scale-free" and result.bias_std is None:
        return []  # it is the same whatever the biases
    stds = sorted({point.bias_std for point in result.points})
    shown = {stds[i] for i in _ROWS if i < len(stds)} if len(stds) > len(_ROWS) else set(stds)
    points = [point for point in result.points if point.bias_std in shown]
    if result.start is not None and result.start not in points:
        points = sorted([*points, result.start], key=lambda point: point.bias_std)
    return [_row(result, point) for point in points]


def _row(result: EdgeResult, point: CriticalPoint) -> list[str]:
    scale = point.depth_scale
    settles = "never, it leaves" if scale is None else "∞" if scale == math.inf else f"{scale:.3g}"
    if result.kind == "scale-free":
        settles = NOTHING
    q = _rest(result.q_at(point))
    return [
        f"{point.bias_std:.4g}",
        _number(point.weight_std),
        _number(point.weight_std**2),
        q,
        settles,
    ]


def _rest(q: float | None) -> str:
    return "any" if q is None else "grows" if q == math.inf else f"{q:.5g}"


def _number(value: float) -> str:
    return f"{value:.6g}"


def edge_line(result: EdgeResult) -> Edge | None:
    """The line over σ_b, NaN where q leaves; None where it was not followed or is about level."""
    if result.kind != "line" or result.bias_std is not None:
        return None
    rests = {point.bias_std: point.weight_std for point in reversed(result.points) if point.stable}
    if not rests or max(rests.values()) < _LEVEL * min(rests.values()):
        return None
    stds = tuple(sorted({point.bias_std for point in result.points}))
    return Edge(stds, tuple(rests.get(std, math.nan) for std in stds))


def lines(result: EdgeResult) -> Iterator[tuple[str, str]]:
    """What follows from the edge, each with its heading."""
    start = result.start
    if start is not None:
        yield "start", _start(result, start)
        yield "in a spec", _as_spec(result, start)
        if not result.spec:
            yield "measure it", _as_command(result, start)
    elif result.onset is not None:
        yield (
            "start",
            (
                f"nowhere at σ_b = {result.bias_std:.4g}, where q leaves; it rests from σ_b = "
                f"{result.onset.bias_std:.4g} on, at σ_w = {_number(result.onset.weight_std)}"
            ),
        )
    for count, setting in enumerate(result.settings):
        written = f"{setting.name} (auto)" if not count else setting.name
        yield ("as drawn" if not count else ""), f"{written}: {_setting(setting)}"
    for count, (stated, computed) in enumerate(result.published):
        yield ("published" if not count else ""), _published(stated, computed)


def _start(result: EdgeResult, start: CriticalPoint) -> str:
    where = f"σ_w = {_number(start.weight_std)}, σ_b = {start.bias_std:.4g}"
    if result.kind == "scale-free":
        return where
    if result.bias_std is None and start.bias_std:
        where += ", the least σ_b with which q rests"
    scale = start.depth_scale
    if scale == math.inf:
        return f"{where}; q comes to {_rest(start.q)} by a power of the depth, and χ to 1 with it"
    return f"{where}; q comes to {_rest(start.q)}, by a factor e in {scale:.3g} layers"


def _as_spec(result: EdgeResult, start: CriticalPoint) -> str:
    bias = f", bias_init: {{normal: {start.bias_std:.6g}}}" if start.bias_std else ""
    gain = f"{{lecun_normal: {{gain: {_number(start.weight_std)}}}}}"
    return f"dense: {{units: 256, init: {gain}{bias}}}"


def _as_command(result: EdgeResult, start: CriticalPoint) -> str:
    bias = f" --bias-std {start.bias_std:.6g}" if start.bias_std else ""
    return (
        f"gradcli flow --activation {result.name} --init lecun_normal "
        f"--gain {_number(start.weight_std)}{bias}"
    )


def _setting(setting: Setting) -> str:
    q = {None: "q stays as it is", math.inf: "q grows without end", 0.0: "q falls to 0"}.get(
        setting.q, f"q rests at {setting.q:.5g}" if setting.q is not None else ""
    )
    return f"σ_w = {_number(setting.weight_std)}: {q}, χ = {setting.chi:.5g}, {_phase(setting)}"


def _phase(setting: Setting) -> str:
    if setting.on_edge:
        return "toward the edge" if setting.q == math.inf else "on the edge"
    does = "vanish" if setting.chi < 1 else "explode"
    return f"gradients {does} (depth scale {setting.depth_scale:.3g})"


def _published(stated: Published, computed: CriticalPoint) -> str:
    where = "the least σ_b²" if stated.onset else "σ_b²"
    said = f"{where} = {stated.bias_variance:.8g}: σ_w² = {stated.weight_variance:.9g}"
    here = f"{computed.weight_std**2:.9g}"
    if stated.q is not None:
        said += f", q = {stated.q:.9g}"
        here += f", {computed.q:.9g}"
    remark = f", {stated.remark}" if stated.remark else ""
    return f"{said} ({stated.reference}{remark}); here {here}"


def overview_cells(result: EdgeResult) -> list[str]:
    """A row under `OVERVIEW_HEADINGS`: where to start, and what is drawn by itself."""
    point = result.start
    edge = (
        ["none", NOTHING, NOTHING]
        if point is None
        else [f"{point.bias_std:.4g}", _number(point.weight_std), _rest(result.q_at(point))]
    )
    auto = result.settings[0] if result.settings else None
    drawn = [NOTHING, NOTHING] if auto is None else [auto.name, f"{auto.chi:.5g}"]
    return [result.name, *edge, *drawn]


def in_short(result: EdgeResult) -> str:
    """The point to start with."""
    if result.start is None:
        return "none" if result.onset is None else f"none at σ_b = {result.bias_std:.4g}"
    return f"σ_w = {_number(result.start.weight_std)}, σ_b = {result.start.bias_std:.4g}"


def exit_line(report: EdgeReport) -> str:
    """The exit code with its reason."""
    said = "computed, not measured" if report.passed else "a spec is invalid"
    return f"exit {int(report.exit_code)}: {said}"
