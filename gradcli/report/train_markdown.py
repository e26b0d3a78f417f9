"""A training run as Markdown for a pull request or an issue."""

from __future__ import annotations

from gradcli.analysis.training.report import TrainReport, TrainResult
from gradcli.report import train_words as words
from gradcli.report.markdown import code, document, escaped, table

__all__ = ["markdown_report"]


def markdown_report(report: TrainReport, *, quiet: bool = False) -> str:
    """The run with its verdict, figures, layers, steps and findings; the outcome.

    `quiet` leaves out the tables of layers and steps.
    """
    parts = [part for result in report.results for part in _run(result, quiet)]
    return document(parts, words.exit_line(report))


def _run(result: TrainResult, quiet: bool) -> list[str]:
    parts = [f"### {words.train_status(result)}: {code(result.name)}"]
    if result.verdict == "invalid":
        return [*parts, "\n".join(f"- {escaped(str(problem))}" for problem in result.errors)]
    figures = [[heading, escaped(text)] for heading, text in words.summary(result)]
    parts += [escaped(words.makeup(result)), table(["figure", "value"], figures)]
    if not quiet:
        columns = words.step_columns(result)
        steps = [[escaped(each.text(step)) for each in columns] for step in words.step_rows(result)]
        tables = (
            (words.LAYER_HEADINGS, words.layer_rows(result), 2),
            ([each.heading for each in columns], steps, 0),
            (words.APPROXIMATION_HEADINGS, words.approximation_rows(result), 1),
            (words.HARDEST_HEADINGS, words.hardest_rows(result), 0),
        )
        parts += [
            table(
                [escaped(each) for each in headings],
                [[escaped(cell) for cell in row] for row in rows],
                range(first_number, len(headings)),
            )
            for headings, rows, first_number in tables
            if rows
        ]
    if result.findings:
        parts.append(
            "\n".join(
                f"- **{found.code} {found.name}** in {code(found.where)}: {escaped(found.message)}"
                for found in result.findings
            )
        )
    return parts
