"""A curvature analysis as Markdown for a pull request or an issue."""

from __future__ import annotations

from gradcli.analysis.curvature.report import CurvatureReport, CurvatureResult
from gradcli.report import curvature_words as words
from gradcli.report.curvature_table import draw_spectrum
from gradcli.report.layout import draw
from gradcli.report.markdown import code, document, escaped, fenced, table
from gradcli.report.surface import PAGE

__all__ = ["markdown_report"]


def markdown_report(report: CurvatureReport, *, quiet: bool = False) -> str:
    """The same content as the table; `quiet` leaves out all but the verdict where all is well."""
    parts = [part for result in report.results for part in _result(result, quiet)]
    return document(parts, words.exit_line(report))


def _result(result: CurvatureResult, quiet: bool) -> list[str]:
    parts = [f"### {words.curvature_status(result)}: {code(result.name)}"]
    if result.verdict == "invalid":
        return [*parts, "\n".join(f"- {escaped(str(problem))}" for problem in result.errors)]
    if quiet and result.verdict == "pass":
        return parts
    parts.append(escaped(words.makeup(result)))
    parts.append(fenced(draw(draw_spectrum(result.spectra["hessian"], PAGE), PAGE)))
    figures = [[heading, escaped(said)] for heading, said in words.summary(result)]
    parts.append(table(["figure", "value"], figures))
    rows = [
        list(map(escaped, words.matrix_cells(each)))
        for each in result.spectra.values()
        if not each.undefined
    ]
    parts.append(table(words.MATRIX_HEADINGS, rows, range(1, len(words.MATRIX_HEADINGS))))
    parts += [escaped(line) for line in words.undefined_lines(result)]
    parts += [escaped(words.relation_words(relation)) for relation in result.relations]
    blocks = [
        [code(layer), *map(escaped, numbers)]
        for layer, *numbers in map(words.block_cells, result.blocks)
    ]
    parts.append(table(words.BLOCK_HEADINGS, blocks, range(1, len(words.BLOCK_HEADINGS))))
    parts.append(escaped(words.block_words(result)))
    if result.steps:
        cells = [words.step_cells(step) for step in result.steps if not step.undefined]
        steps = [list(map(escaped, row)) for row in cells]
        parts.append(table(words.STEP_HEADINGS, steps, range(1, len(words.STEP_HEADINGS))))
        parts.append(escaped(words.STEP_LEGEND))
        parts += [escaped(line) for line in words.step_notes(result)]
    return parts
