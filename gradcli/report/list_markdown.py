"""The catalogue as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from gradcli.analysis.catalogue import ListReport, Row
from gradcli.report.markdown import code, escaped, prose, table

__all__ = ["markdown_report", "markdown_table"]


def markdown_report(report: ListReport, *, quiet: bool = False) -> str:
    """A table of each kind."""
    tables = [
        markdown_table(list(rows)) for _, rows in groupby(report.results, key=lambda row: row.kind)
    ]
    return "\n\n".join(tables or ["nothing of that kind"]) + "\n"


def markdown_table(rows: Sequence[Row]) -> str:
    """Rows of one kind; columns that would be empty are left out."""
    headings = (rows[0].kind, "parameters", "what it is", "properties")
    cells = [
        [
            " ".join([code(row.name), *(f"({code(alias)})" for alias in row.aliases)]),
            code(row.parameters) if row.parameters else "",
            prose(row.summary),
            escaped(", ".join(row.properties)),
        ]
        for row in rows
    ]
    filled = [i for i in range(len(headings)) if any(row[i] for row in cells)]
    return table([headings[i] for i in filled], [[row[i] for i in filled] for row in cells])
