"""Published numbers beside measured ones, as Markdown."""

from __future__ import annotations

from gradcli.analysis.flow.paper import PaperReport, PaperRow
from gradcli.report import paper_words as words
from gradcli.report.markdown import document, escaped, table

__all__ = ["markdown_report"]


def markdown_report(report: PaperReport, *, quiet: bool = False) -> str:
    """A table of every number, what there is to say of some, the literature, and the outcome.

    `quiet` leaves out what matches.
    """
    groups = list(words.groups(report, only_wrong=quiet))
    parts = []
    if groups:
        rows = [_cells(group, row) for group in groups for row in group.rows]
        headings = ("", "network", "quantity", *words.HEADINGS, "source")
        parts.append(table(headings, rows, range(3, 6)))
    notes = [
        f"- {escaped(f'{group.network}, {row.quantity}: {remark}')}"
        for group in groups
        for row in group.rows
        for remark in words.remarks(row)
    ]
    if notes:
        parts.append("\n".join(notes))
    if not quiet:
        cited = sorted({each for row in report.results for each in row.references})
        parts.append(escaped(words.LEGEND))
        parts.append("\n".join(f"- {escaped(reference)}" for reference in cited))
    return document(parts, words.exit_line(report))


def _cells(group: words.Group, row: PaperRow) -> list[str]:
    network = f"{group.network} ({group.makeup})"
    texts = [str(words.status_of(row)), network, row.quantity, *words.cells(row), row.source]
    return [escaped(each) for each in texts]
