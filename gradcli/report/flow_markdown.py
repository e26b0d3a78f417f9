"""A flow analysis as Markdown for a pull request or an issue."""

from __future__ import annotations

from gradcli.analysis.flow.report import FlowReport, FlowResult
from gradcli.errors import ExitCode
from gradcli.report import flow_words as words
from gradcli.report.markdown import code, document, escaped, table
from gradcli.report.remedy_words import REMEDY_HEADINGS, UNTRIED, clipping_lines, remedy_cells

__all__ = ["markdown_report"]


def markdown_report(report: FlowReport, *, quiet: bool = False) -> str:
    """Each network with its verdict, figures, findings and layers; the outcome.

    `quiet` leaves out the tables, and networks that are as they should be.
    """
    parts = [
        part
        for result in report.results
        if not quiet or result.exit_code != ExitCode.OK
        for part in _network(result, quiet)
    ]
    return document(parts, words.exit_line(report))


def _network(result: FlowResult, quiet: bool) -> list[str]:
    parts = [f"### {words.flow_status(result)}: {code(result.title)}"]
    if result.verdict == "invalid":
        return [*parts, "\n".join(f"- {escaped(str(problem))}" for problem in result.errors)]
    parts.append(escaped(words.makeup(result)))
    figures = [[heading, escaped(text)] for heading, text in words.summary(result)]
    parts.append(table(["figure", "value"], figures))
    if result.clipping is not None:
        parts += [escaped(f"{head}: {said}") for head, said in clipping_lines(result.clipping)]
    if result.remedies and not quiet:
        cells = [remedy_cells(result, remedy) for remedy in result.remedies]
        rows = [[code(change), *map(escaped, rest)] for change, *rest in cells]
        parts.append(table([*REMEDY_HEADINGS[:-1], "verdict"], rows, (1, 2)))
    if result.remedies_untried:
        parts.append(f"remedies: {UNTRIED}")
    if result.findings:
        parts.append(
            "\n".join(
                f"- **{found.code} {found.name}** in {code(found.where)}: {escaped(found.message)}"
                for found in result.findings
            )
        )
    if not quiet:
        shown = words.folded(result.layers, all_layers=False)
        measures = words.measures_of(result)
        rows = [
            [
                str(layer.index),
                code(layer.name),
                *(escaped(measure.text(layer)) for measure in measures),
            ]
            for layer in shown
        ]
        headings = [
            "",
            words.ladder_of(result).rung,
            *(measure.heading for measure in measures),
        ]
        parts += [
            table(headings, rows, range(2, len(headings))),
            escaped(words.ladder_of(result).legend),
        ]
    return parts
