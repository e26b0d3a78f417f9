"""A graph as Markdown for a pull request or an issue."""

from __future__ import annotations

from gradcli.analysis.graph import GraphReport, GraphResult
from gradcli.report import graph_words as words
from gradcli.report.markdown import code, document, escaped, table

__all__ = ["markdown_report"]


def markdown_report(report: GraphReport, *, quiet: bool = False) -> str:
    """The same content as the table; `quiet` leaves out all but the verdict where all is well."""
    parts = [part for result in report.results for part in _result(result, quiet)]
    return document(parts, words.exit_line(report))


def _result(result: GraphResult, quiet: bool) -> list[str]:
    parts = [f"### {words.graph_status(result)}: {code(result.name)}"]
    if result.verdict == "invalid":
        return [*parts, "\n".join(f"- {escaped(str(problem))}" for problem in result.errors)]
    if quiet and result.passed:
        return parts
    parts.append(escaped(words.makeup(result)))
    lines = words.branches(result)
    first, last = words.folded(lines, whole=False)
    rows = [_row(line) for line in first]
    if last:
        left_out = len(lines) - len(first) - len(last)
        rows.append([f"… {left_out:,} left out", *([""] * len(words.HEADINGS))])
    rows += [_row(line) for line in last]
    rows.append(["**all**", *map(escaped, words.totals(result))])
    right = range(1, len(words.HEADINGS))
    parts.append(table(["node", *words.HEADINGS], rows, tuple(right)))
    figures = [[heading, escaped(said)] for heading, said in words.summary(result)]
    parts.append(table(["figure", "value"], figures))
    return parts


def _row(line: words.Branch) -> list[str]:
    return [code(words.own_name(line)), *map(escaped, words.cells(line))]
