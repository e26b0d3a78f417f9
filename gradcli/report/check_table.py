"""A gradient check as text for a terminal or a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from gradcli.analysis.gradcheck.report import CheckReport, SpecResult, TensorResult
from gradcli.diagnostics.finding import Finding
from gradcli.errors import ExitCode
from gradcli.report import words
from gradcli.report.characters import NOTHING
from gradcli.report.frames import frames
from gradcli.report.layout import Piece, paragraph, table, text
from gradcli.report.surface import Style, Surface

__all__ = ["draw_report"]

_NARROW: Final = (0, 1, 2, 3, 4, 7)
"""The columns that have to be there."""
_REMARKS: Final = 8


def draw_report(
    report: CheckReport, surface: Surface, *, quiet: bool = False, with_frames: bool = False
) -> list[RenderableType]:
    """Each spec with its tensors and findings, a table of several specs, and the outcome.

    `quiet` leaves out all that is as it should be. `with_frames` shows spec errors in their source;
    without it they are counted, for a command that shows them elsewhere.
    """
    drawn: list[RenderableType] = []
    for result in report.results:
        if not quiet or result.exit_code != ExitCode.OK:
            drawn += [*_spec(result, surface, quiet=quiet, with_frames=with_frames), Text()]
    if len(report.results) > 1 and not quiet:
        drawn += [*_overview(report, surface), Text()]
    drawn += paragraph(surface, (words.summary(report), "strong"), indent=2, hanging=True)
    code = report.exit_code
    style: Style = "good" if code == ExitCode.OK else "bad"
    outcome = words.exit_line(report), "doubt" if code == ExitCode.UNDECIDED else style
    drawn += paragraph(surface, outcome)
    codes = sorted({f.code for r in report.results if not r.passed for f in _serious(r)})
    if codes:
        meaning = f"what they mean: gradcli explain {' '.join(codes)}"
        drawn += paragraph(surface, meaning, indent=2, hanging=True)
    return drawn


def _spec(
    result: SpecResult, surface: Surface, *, quiet: bool, with_frames: bool
) -> list[RenderableType]:
    status = words.spec_status(result)
    head: list[Piece] = [(f"{status}  ", status.style)]
    if result.name and result.name != result.spec:
        head.append((f"{result.name}  ", "strong"))
    drawn: list[RenderableType] = [*paragraph(surface, *head, result.spec, indent=2, hanging=True)]
    if result.verdict == "invalid":
        if with_frames:
            return [*drawn, Text(), *frames(result.errors, surface)]
        count = words.plural(len(result.errors), "error")
        return [*drawn, *paragraph(surface, f"{count}, printed to standard error", indent=2)]
    facts = [] if result.loss is None else [f"loss {result.loss:.6g}"]
    facts.append(f"requires {words.required(result)}")
    drawn += paragraph(surface, (" · ".join(facts), "faint"), indent=2)
    tensors = [t for t in result.tensors if not quiet or t.verdict != "pass" or t.vacuous]
    if tensors:
        drawn += [Text(), *_tensors(tensors, result, surface)]
    drawn += _what_was_found(result, surface, quiet=quiet)
    if result.self_test is not None:
        from gradcli.report.self_test import draw_self_test  # only where it was asked for

        drawn += draw_self_test(result.self_test, surface, quiet=quiet)
    return drawn


def _what_was_found(result: SpecResult, surface: Surface, *, quiet: bool) -> list[RenderableType]:
    """Findings, each with the worst entry of its tensor; then the entries that none speaks of."""
    shown, left = words.findings_to_show(result, only_wrong=quiet)
    worst = dict(words.worst_entries(result))
    drawn: list[RenderableType] = []
    before = ""
    for found in shown:
        # Errors and warnings stand apart, notes together.
        drawn += [Text()] if found.severity != "note" or before != "note" else []
        drawn += _finding(found, result, surface)
        if found.severity != "note" and found.where in worst:
            drawn += _entry(worst.pop(found.where), surface)
        before = found.severity
    for said in left:
        drawn += paragraph(surface, (f"· {said}", "faint"), indent=2)
    for name, entry in worst.items():
        drawn += [Text(), *paragraph(surface, name, indent=2), *_entry(entry, surface)]
    return drawn


def _entry(entry: str, surface: Surface) -> list[Text]:
    head: Piece = "    worst entry ", "faint"
    return paragraph(surface, head, entry, indent=6, hanging=True)


def _serious(result: SpecResult) -> list[Finding]:
    return [found for found in result.findings if found.severity != "note"]


def _tensors(
    tensors: Sequence[TensorResult], result: SpecResult, surface: Surface
) -> list[RenderableType]:
    """One row a tensor with as many columns as fit, or else two lines a tensor."""
    rows = [_row(tensor, result, surface) for tensor in tensors]
    last = [_REMARKS] if any(row[_REMARKS] for row in rows) else []
    below = [[*row[:1], _with_remarks(row), *row[2:]] for row in rows]
    for cells, columns in (
        (rows, [*range(_REMARKS), *last]),
        (rows, [*_NARROW, *last]),
        (below, _NARROW),
    ):
        drawn = table(
            surface,
            [words.TENSOR_HEADINGS[i] for i in columns],
            [[row[i] for i in columns] for row in cells],
            right={at for at, i in enumerate(columns) if i in words.TENSOR_NUMBERS},
            indent=2,
        )
        if drawn is not None:
            return [drawn]
    return [line for tensor in tensors for line in _record(tensor, result, surface)]


def _row(tensor: TensorResult, result: SpecResult, surface: Surface) -> list[Text]:
    verdict, *rest = words.tensor_cells(tensor, result)
    cells: list[Piece] = [(verdict, words.tensor_status(tensor, result).style), *rest]
    return [text(surface, cell) for cell in cells]


def _with_remarks(row: Sequence[Text]) -> Text:
    """A tensor's name with its remarks below."""
    name, remarks = row[1].copy(), row[_REMARKS].copy()
    remarks.stylize("faint")
    return name.append("\n").append_text(remarks) if remarks else name


def _record(tensor: TensorResult, result: SpecResult, surface: Surface) -> list[Text]:
    status = words.tensor_status(tensor, result)
    facts = [
        f"{tensor.checked}/{tensor.entries} checked",
        f"max rel error {words.error(tensor.max_rel_error, tensor.grade is not None)}",
        tensor.grade or "",
        words.remarks(tensor),
    ]
    head = f"  {status}  ", status.style
    name = f"{tensor.name} {words.shape(tensor)}"
    return [
        *paragraph(surface, head, name, indent=4, hanging=True),
        *paragraph(surface, ", ".join(fact for fact in facts if fact), indent=4),
    ]


def _finding(found: Finding, result: SpecResult, surface: Surface) -> list[Text]:
    symbol, style = words.SEVERITY[found.severity]
    where = f" in {found.where}" if found.where else ""
    head: list[Piece] = [(f"  {symbol} {found.code} {found.name}", style), where]
    if found.severity == "note":
        message = found.message, style
        return paragraph(surface, *head, ": ", message, indent=4, hanging=True)
    place = f"  {found.file or result.spec}:{found.line}" if found.line else ""
    return [
        *paragraph(surface, *head, place, indent=4, hanging=True),
        *paragraph(surface, found.message, indent=4),
    ]


def _overview(report: CheckReport, surface: Surface) -> list[RenderableType]:
    """One row a spec, by its name, or its file where several have the name."""
    own = Counter(result.name for result in report.results)
    rows: list[list[Text]] = []
    names: list[RenderableType] = []  # where there is no room for more
    for result in report.results:
        status = words.spec_status(result)
        called = result.name if own[result.name] == 1 and result.name else result.spec
        graded = [t.max_rel_error for t in result.tensors if t.grade is not None]
        cells: list[Piece] = [
            (str(status), status.style),
            called,
            str(len(result.tensors)) if result.tensors else NOTHING,
            words.error(max(graded)) if graded else NOTHING,
        ]
        rows.append([text(surface, cell) for cell in cells])
        head = f"{status}  ", status.style
        names += paragraph(surface, head, called, indent=2, hanging=True)
    headings = ("outcome", "spec", "tensors", "max rel error")
    drawn = table(surface, headings, rows, right=(2, 3))
    return [drawn] if drawn is not None else names
