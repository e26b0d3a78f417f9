"""Losses as Markdown, for notes or an issue."""

from __future__ import annotations

from collections.abc import Sequence

from gradcli.analysis.losses.report import LossReport, LossResult
from gradcli.report import loss_words as words
from gradcli.report.distribution_words import HEADINGS, share_rows, sum_words
from gradcli.report.layout import draw
from gradcli.report.loss_claims import CLAIM_LABELS, loss_claim_words
from gradcli.report.loss_curves import draw_curves
from gradcli.report.markdown import code, document, escaped, fenced, table
from gradcli.report.surface import PAGE

__all__ = ["markdown_report"]


def markdown_report(report: LossReport, *, quiet: bool = False) -> str:
    """The same content as the table; `quiet` leaves out all but false claims and the outcome."""
    valid = [result for result in report.results if result.verdict != "invalid"]
    blocks = ["# gradcli loss"]
    for result in report.results:
        if result.verdict == "invalid":
            problems = "\n".join(f"- {escaped(str(problem))}" for problem in result.errors)
            blocks += [f"## INVALID: {code(result.spec)}", problems]
    if quiet:
        blocks += [block for result in valid for block in _broken(result)]
    else:
        if len(valid) > 1 and any(result.curves for result in valid):
            blocks.append(fenced(draw(draw_curves(valid, PAGE), PAGE)))
        for result in valid:
            blocks += _loss(result, alone=len(valid) == 1)
    return document(blocks, words.exit_line(report))


def _loss(result: LossResult, *, alone: bool) -> list[str]:
    options = words.options_of(result)
    blocks = [f"## {code(result.name)}" + (f" with {escaped(options)}" if options else "")]
    blocks += [escaped(result.summary)] if result.summary else []
    if result.comparison is not None:
        rows = share_rows(result.comparison)
        sums = [[label, escaped(said)] for label, said in sum_words(result.comparison, result.op)]
        right = range(1, len(HEADINGS))
        return [*blocks, table(HEADINGS, rows, right), table(("", "in words"), sums)]
    if alone:
        blocks.append(fenced(draw(draw_curves([result], PAGE), PAGE)))
    blocks += [table(("", "property", ""), _properties(result)), escaped(words.how_known(result))]
    return blocks + [f"**!** {escaped(warning)}" for warning in words.warnings(result)]


def _properties(result: LossResult) -> list[Sequence[str]]:
    """Mark, name and words of everything that is known."""
    rows: list[Sequence[str]] = [
        (_mark(result, field), name, code(formula))
        for field, name, formula in words.formulas(result)
    ]
    for field, text in loss_claim_words(result.stated).items():
        against = words.why_not(result.claims[field], result)
        whole = f"{text} ({against})" if against else text
        rows.append((_mark(result, field), CLAIM_LABELS[field], escaped(whole)))
    rows += [("", label, escaped(text)) for label, text in words.seen(result)]
    return rows


def _mark(result: LossResult, field: str) -> str:
    claim = result.claims.get(field)
    return "" if claim is None else words.claim_status(claim).symbol


def _broken(result: LossResult) -> list[str]:
    return [
        f"- ✗ {code(result.name)} {field}: {escaped(claim.message)}"
        for field, claim in result.broken.items()
    ]
