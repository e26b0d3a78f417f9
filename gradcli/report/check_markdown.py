"""A gradient check as Markdown, for a pull request or a job summary."""

from __future__ import annotations

from gradcli.analysis.gradcheck.report import CheckReport, SpecResult, TensorResult
from gradcli.errors import ExitCode
from gradcli.report import words
from gradcli.report.markdown import code, escaped, fenced, table

__all__ = ["markdown_report"]


def markdown_report(report: CheckReport, *, quiet: bool = False) -> str:
    """The same content as the table; `quiet` leaves out the specs that are as they should be."""
    blocks = ["# gradcli check", f"**{escaped(words.summary(report))}**", words.exit_line(report)]
    if len(report.results) > 1 and not quiet:
        blocks.append(
            table(
                ("outcome", "spec", "file"),
                [
                    (str(words.spec_status(r)), escaped(r.name), code(r.spec))
                    for r in report.results
                ],
            )
        )
    for result in report.results:
        if not quiet or result.exit_code != ExitCode.OK:
            blocks += _spec(result, quiet)
    return "\n\n".join(blocks) + "\n"


def _spec(result: SpecResult, quiet: bool) -> list[str]:
    blocks = [f"## {words.spec_status(result)}: {escaped(result.name or result.spec)}"]
    if result.verdict == "invalid":
        from gradcli.report.frames import framed

        return [*blocks, fenced(framed(result.errors))]
    loss = [] if result.loss is None else [f"loss {result.loss:.6g}"]
    blocks.append(" · ".join([code(result.spec), *loss, f"requires {words.required(result)}"]))
    tensors = [t for t in result.tensors if not quiet or t.verdict != "pass" or t.vacuous]
    if tensors:
        rows = [_row(tensor, result) for tensor in tensors]
        blocks.append(table(words.TENSOR_HEADINGS, rows, words.TENSOR_NUMBERS))
    shown, left = words.findings_to_show(result, only_wrong=quiet)
    points = []
    for found in shown:
        where = f" in {code(found.where)}" if found.where else ""
        place = f" ({code(f'{found.file or result.spec}:{found.line}')})" if found.line else ""
        head = f"- {found.severity} **{found.code} {found.name}**{where}{place}"
        points.append(f"{head}: {escaped(found.message)}")
    points += [f"- {text}" for text in left]
    points += [f"- worst entry {code(name + entry)}" for name, entry in words.worst_entries(result)]
    if points:
        blocks.append("\n".join(points))
    if result.self_test is not None:
        from gradcli.report.self_test import markdown_self_test  # only where it was asked for

        blocks += markdown_self_test(result.self_test)
    return blocks


def _row(tensor: TensorResult, result: SpecResult) -> list[str]:
    verdict, name, *rest = words.tensor_cells(tensor, result)
    return [verdict, code(name), *rest]
