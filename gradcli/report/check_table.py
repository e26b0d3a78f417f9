"""A gradient check as text for a terminal or a log."""

from __future__ import annotations

from typing import Final

from gradcli.analysis.gradcheck.report import CheckReport, SpecResult, TensorResult
from gradcli.diagnostics.finding import Finding
from gradcli.errors import ExitCode
from gradcli.report import words
from gradcli.report.frames import frames
from gradcli.report.layout import Cell, Column, Line, Style, paragraph, table

__all__ = ["draw_report"]

_PROSE: Final = 100
"""Columns after which prose is broken even where the terminal is wider."""

_SEVERITY: Final[dict[str, tuple[str, Style]]] = {
    "error": ("✗", "bad"),
    "warning": ("!", "doubt"),
    "note": ("·", "faint"),
}


def draw_report(
    report: CheckReport, width: int, *, quiet: bool = False, with_frames: bool = False
) -> list[Line]:
    """Each spec with its tensors and findings, a table of several specs, and the outcome.

    `quiet` leaves out all that is as it should be. `with_frames` shows spec errors in their source;
    without it they are counted, for a command that shows them elsewhere.
    """
    lines: list[Line] = []
    for result in report.results:
        if not quiet or result.exit_code != ExitCode.OK:
            lines += [*_spec(result, width, quiet=quiet, with_frames=with_frames), []]
    if len(report.results) > 1 and not quiet:
        lines += [*_overview(report, width), []]
    prose = min(width, _PROSE)
    lines += paragraph(words.summary(report), prose, indent=2, style="strong")
    code = report.exit_code
    style: Style = "good" if code == ExitCode.OK else "bad"
    lines += paragraph(
        words.exit_line(report), prose, style="doubt" if code == ExitCode.UNDECIDED else style
    )
    codes = sorted({f.code for r in report.results if not r.passed for f in _serious(r)})
    if codes:
        lines += paragraph(f"what they mean: gradcli explain {' '.join(codes)}", prose, indent=2)
    return lines


def _spec(result: SpecResult, width: int, *, quiet: bool, with_frames: bool) -> list[Line]:
    status = words.spec_status(result)
    head = [Cell(f"{status}  ", status.style)]
    if result.name and result.name != result.spec:
        head.append(Cell(f"{result.name}  ", "strong"))
    lines = paragraph(result.spec, width, first=head, indent=2)
    if result.verdict == "invalid":
        if with_frames:
            return [*lines, [], *frames(result.errors, width)]
        return [
            *lines,
            [Cell(f"  {words.plural(len(result.errors), 'error')}, printed to standard error")],
        ]
    facts = [] if result.loss is None else [f"loss {result.loss:.6g}"]
    facts.append(f"requires {words.required(result)}")
    lines.append([Cell(f"  {' · '.join(facts)}", "faint")])
    tensors = [t for t in result.tensors if not quiet or t.verdict != "pass" or t.vacuous]
    if tensors:
        lines += [[], *_tensors(tensors, result, width)]
    return lines + _what_was_found(result, width, quiet=quiet)


def _what_was_found(result: SpecResult, width: int, *, quiet: bool) -> list[Line]:
    """Findings, each with the worst entry of its tensor; then the entries that none speaks of."""
    shown, left = words.findings_to_show(result, only_wrong=quiet)
    worst = dict(words.worst_entries(result))
    lines: list[Line] = []
    before = ""
    for found in shown:
        # Errors and warnings stand apart, notes together.
        lines += [[]] if found.severity != "note" or before != "note" else []
        lines += _finding(found, result, width)
        if found.severity != "note" and found.where in worst:
            lines += _entry(worst.pop(found.where), width)
        before = found.severity
    lines += [[Cell(f"  · {text}", "faint")] for text in left]
    for name, entry in worst.items():
        lines += [[], [Cell(f"  {name}")], *_entry(entry, width)]
    return lines


def _entry(entry: str, width: int) -> list[Line]:
    head = [Cell("    worst entry ", "faint")]
    return paragraph(entry, min(width, _PROSE), first=head, indent=6)


def _serious(result: SpecResult) -> list[Finding]:
    return [found for found in result.findings if found.severity != "note"]


def _tensors(tensors: list[TensorResult], result: SpecResult, width: int) -> list[Line]:
    """One row a tensor with as many columns as fit, or else two lines a tensor."""
    remarks = any(words.remarks(tensor) for tensor in tensors)
    for wide, last in ((True, remarks), (False, remarks), (False, False)):
        columns = [Column("verdict"), Column("tensor"), Column("shape"), Column("checked", True)]
        columns += [Column("max rel error", True)]
        columns += [Column("max abs error", True), Column("detectable", True)] if wide else []
        columns += [Column("grade")] + ([Column("remarks")] if last else [])
        rows = [_row(tensor, result, wide) for tensor in tensors]
        drawn = table(columns, [row[: len(columns)] for row in rows], width=width)
        if drawn is not None:
            break
    else:
        return [line for tensor in tensors for line in _record(tensor, result, width)]
    if last or not remarks:
        return drawn
    lines = [drawn[0]]
    for line, row in zip(drawn[1:], rows, strict=True):
        under = [Cell(" " * 11), Cell(row[-1].text, "faint")]
        lines += [line, under] if row[-1].text else [line]
    return lines


def _row(tensor: TensorResult, result: SpecResult, wide: bool) -> list[Cell]:
    status = words.tensor_status(tensor, result)
    graded = tensor.grade is not None
    more = [words.error(tensor.max_abs_error, graded), words.error(tensor.detectable_error)]
    return [
        Cell(str(status), status.style),
        Cell(tensor.name),
        Cell(words.shape(tensor)),
        Cell(f"{tensor.checked}/{tensor.entries}"),
        Cell(words.error(tensor.max_rel_error, graded)),
        *(Cell(text) for text in (more if wide else ())),
        Cell(tensor.grade or "–"),
        Cell(words.remarks(tensor)),
    ]


def _record(tensor: TensorResult, result: SpecResult, width: int) -> list[Line]:
    status = words.tensor_status(tensor, result)
    graded = tensor.grade is not None
    facts = [
        f"{tensor.checked}/{tensor.entries} checked",
        f"max rel error {words.error(tensor.max_rel_error, graded)}",
        tensor.grade or "",
        words.remarks(tensor),
    ]
    head = [Cell(f"  {status}  ", status.style)]
    text = ", ".join(fact for fact in facts if fact)
    return [
        *paragraph(f"{tensor.name} {words.shape(tensor)}", width, first=head, indent=4),
        *paragraph(text, width, first=[Cell("    ")], indent=4),
    ]


def _finding(found: Finding, result: SpecResult, width: int) -> list[Line]:
    symbol, style = _SEVERITY[found.severity]
    where = f" in {found.where}" if found.where else ""
    head = [Cell(f"  {symbol} {found.code} {found.name}", style), Cell(where)]
    prose = min(width, _PROSE)
    if found.severity == "note":
        return paragraph(found.message, prose, first=[*head, Cell(": ")], indent=4, style="faint")
    place = f"{found.file or result.spec}:{found.line}" if found.line else ""
    lines = paragraph(place, width, first=[*head, Cell("  ")], indent=4)
    return lines + paragraph(found.message, prose, first=[Cell("    ")], indent=4)


def _overview(report: CheckReport, width: int) -> list[Line]:
    """One row a spec."""
    rows = []
    for result in report.results:
        status = words.spec_status(result)
        graded = [t.max_rel_error for t in result.tensors if t.grade is not None]
        rows.append(
            [
                Cell(str(status), status.style),
                Cell(result.name or result.spec),
                Cell(str(len(result.tensors)) if result.tensors else "–"),
                Cell(words.error(max(graded)) if graded else "–"),
            ]
        )
    columns = [Column("outcome"), Column("spec"), Column("tensors", True)]
    columns.append(Column("max rel error", True))
    drawn = table(columns, rows, width=width, indent=0)
    if drawn is not None:
        return drawn
    lines: list[Line] = []
    for outcome, name, *_ in rows:
        lines += paragraph(name.text, width, first=[outcome, Cell("  ")], indent=2)
    return lines
