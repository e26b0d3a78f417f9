"""Any command's report in any format; Rich is loaded for those that are drawn."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from gradcli.analysis.verdict import Report
from gradcli.errors import SpecProblem
from gradcli.report.surface import FILE, Surface

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

__all__ = [
    "CI_FORMATS",
    "CI_KINDS",
    "FORMATS",
    "GRAPH_FORMATS",
    "GRAPH_KINDS",
    "KINDS",
    "SAYS_NO_PROBLEMS",
    "document",
    "problems",
    "render",
    "render_file",
    "save_plot",
    "text_report",
]

FORMATS: Final = ("table", "json", "markdown")
"""What `--format` may be."""

CI_FORMATS: Final = (*FORMATS, "junit", "github")
"""The same of a command whose results are test cases."""

SAYS_NO_PROBLEMS: Final = ("table", "dot", "mermaid")
"""Formats for which the problems of a spec are told apart, in its source, on standard error."""

KINDS: Final = (".json", ".md", ".svg", ".txt")
"""What the name of a `--report` file may end in."""

CI_KINDS: Final = (*KINDS, ".xml")
"""The same of a command whose results are test cases."""

GRAPH_FORMATS: Final = (*FORMATS, "dot", "mermaid")
"""The same of a command whose results are graphs."""

GRAPH_KINDS: Final = (*KINDS, ".dot", ".mmd")
"""The same of a command whose results are graphs."""

_PICTURE: Final = FILE._replace(color=True)


_FORMS: Final = {
    ".json": "json",
    ".md": "markdown",
    ".txt": "table",
    ".xml": "junit",
    ".dot": "dot",
    ".mmd": "mermaid",
}
"""What is written into a file whose name ends so; an SVG is the table as a picture."""


def document(report: Report, seconds: float | None = None) -> dict[str, Any]:
    """The report's envelope, with the time it took where that is asked for."""
    timing = {} if seconds is None else {"seconds": round(seconds, 3)}
    return report.to_dict() | timing


def problems(report: Report) -> tuple[SpecProblem, ...]:
    """The spec errors that a report holds; a card, say, has none."""
    return tuple(problem for result in report.results for problem in getattr(result, "errors", ()))


def _kind(report: Report) -> str:
    """What the modules that draw it begin with: its command, or what a report has instead."""
    return getattr(report, "drawn_as", report.command)


def text_report(
    report: Report, surface: Surface, *, seconds: float | None = None, **drawing: bool
) -> str:
    """The report as text on this surface; `drawing` is what its command's `draw_report` takes."""
    from gradcli.report.layout import draw

    return draw(_drawn(report, surface, seconds, **drawing), surface)


def _drawn(
    report: Report, surface: Surface, seconds: float | None, **drawing: bool
) -> list[RenderableType]:
    from gradcli.report.layout import text

    draw_report = import_module(f"gradcli.report.{_kind(report)}_table").draw_report
    drawn: list[RenderableType] = draw_report(report, surface, **drawing)
    took = [] if seconds is None else [text(surface, (f"took {seconds:.2f} s", "faint"))]
    return [*drawn, *took]


def render(
    report: Report,
    form: str,
    surface: Surface,
    *,
    seconds: float | None = None,
    **drawing: bool,
) -> str:
    """The report in one of `FORMATS`, or of further ones where its command has them."""
    if form == "json":
        from gradcli.report.json import encode

        return encode(document(report, seconds))
    if form == "markdown":
        module = import_module(f"gradcli.report.{_kind(report)}_markdown")
        text: str = module.markdown_report(report, quiet=drawing.get("quiet", False))
        return text if seconds is None else f"{text}\ntook {seconds:.2f} s\n"
    if form == "junit":
        module = import_module(f"gradcli.report.{report.command}_junit")
        xml: str = module.junit_report(report, seconds=seconds)
        return xml
    if form == "github":
        module = import_module(f"gradcli.report.{report.command}_github")
        root = os.environ.get("GITHUB_WORKSPACE", "")
        said: str = module.github_report(report, root=root, quiet=drawing.get("quiet", False))
        return said if seconds is None else f"{said}took {seconds:.2f} s\n"
    if form in GRAPH_FORMATS and form not in FORMATS:
        module = import_module(f"gradcli.report.{report.command}_{form}")
        drawn: str = getattr(module, f"{form}_report")(report)
        return drawn
    return text_report(report, surface, seconds=seconds, **drawing)


def render_file(report: Report, suffix: str, *, seconds: float | None = None) -> str:
    """The whole report for a file whose name ends in one of the kinds that its command has."""
    if suffix == ".svg":
        from gradcli.report.svg import terminal_svg

        drawn = _drawn(report, _PICTURE, seconds, with_frames=True)
        return terminal_svg(drawn, _PICTURE, title=f"gradcli {report.command}")
    form = _FORMS[suffix]
    return render(report, form, FILE, seconds=seconds, with_frames=True)


def save_plot(report: Report, path: Path) -> None:
    """Write the figure of a report whose command has one; UsageError where that cannot be."""
    import_module(f"gradcli.report.{report.command}_plot").save_plot(report, path)
