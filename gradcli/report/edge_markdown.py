"""An activation's edge of chaos as Markdown, for notes or an issue."""

from __future__ import annotations

from gradcli.analysis.flow.edge_report import EdgeReport, EdgeResult
from gradcli.report import edge_words as words
from gradcli.report.edge_table import draw_edge
from gradcli.report.layout import draw
from gradcli.report.markdown import code, document, escaped, fenced, table
from gradcli.report.surface import PAGE

__all__ = ["markdown_report"]


def markdown_report(report: EdgeReport, *, quiet: bool = False) -> str:
    """The same content as the table; `quiet` leaves a line of each activation."""
    blocks = ["# gradcli flow: the edge of chaos"]
    valid = [result for result in report.results if result.kind != "invalid"]
    for result in report.results:
        if result.kind == "invalid":
            problems = "\n".join(f"- {escaped(str(problem))}" for problem in result.errors)
            blocks += [f"## INVALID: {code(result.spec)}", problems]
    if quiet:
        blocks += [f"- {code(each.name)}: {escaped(words.in_short(each))}" for each in valid]
    elif words.is_overview(report):
        rows = [[code(name), *rest] for name, *rest in map(words.overview_cells, valid)]
        blocks.append(table(words.OVERVIEW_HEADINGS, rows, (1, 2, 3, 5)))
    else:
        for result in valid:
            blocks += _one(result)
    return document(blocks, words.exit_line(report))


def _one(result: EdgeResult) -> list[str]:
    blocks = [f"## {code(result.name)}", escaped(words.introduction(result))]
    rows = words.point_rows(result)
    if rows:
        blocks.append(table(words.HEADINGS, rows, range(len(words.HEADINGS))))
        blocks.append(escaped(words.LEGEND))
    drawn = draw_edge(result, PAGE)
    if drawn:
        blocks.append(fenced(draw(drawn, PAGE)))
    written = ("in a spec", "measure it")
    said = [
        [heading, code(text) if heading in written else escaped(text)]
        for heading, text in words.lines(result)
    ]
    return [*blocks, table(("", ""), said)] if said else blocks
