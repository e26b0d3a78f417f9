"""A gradient check as text and Markdown: the same numbers as the JSON, at every width."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich.cells import cell_len

from gradcli.analysis.gradcheck.report import CheckReport, SpecResult, TensorResult, Worst
from gradcli.diagnostics.finding import Finding
from gradcli.errors import ExitCode, SpecProblem
from gradcli.report.check_markdown import markdown_report
from gradcli.report.check_table import draw_report
from gradcli.report.layout import draw
from gradcli.report.render import KINDS, document, problems, render, render_file
from gradcli.report.surface import Surface
from gradcli.report.words import SHOWN_OF_A_CODE, entry, exit_line, plural

WIDTHS = (40, 60, 80, 120)

PASSING = TensorResult(
    name="dense_1.weight",
    kind="parameter",
    shape=(32, 64),
    entries=2048,
    checked=2048,
    verdict="pass",
    grade="excellent",
    max_rel_error=1.24e-14,
    max_abs_error=3.5e-15,
    detectable_error=2e-12,
    kinks=0,
    below_resolution=0,
    vacuous=False,
    oracle="complex",
    worst=Worst((3, 5), 0.25, 0.25, 1e-16),
)
WRONG = PASSING.replace(
    name="swish_notes",
    kind="definition",
    shape=(161,),
    entries=161,
    checked=161,
    verdict="fail",
    grade="likely-bug",
    max_rel_error=1 / 3,
    worst=Worst((99,), 1.640123456, 1.093415637, 1e-15),
    wrong=160,
)
UNDECIDED = PASSING.replace(
    name="offset",
    shape=(),
    entries=1,
    checked=1,
    verdict="inconclusive",
    grade=None,
    max_rel_error=0.0,
    worst=Worst((), 1e-9, 3e-9, 1e-8),
)
FACTOR = Finding(
    "GC102",
    "constant-factor",
    "error",
    "swish_notes",
    "exactly 1.5 times what it should be; 1.5 is beta",
    "specs/swish.yaml",
    8,
    {"factor": 1.5, "is": "beta"},
)
KINK = Finding("GC201", "kink", "note", "dense_1.bias", "3 entries are at a kink")
PROBLEM = SpecProblem(
    "SP007", "no layer is called denze", "specs/broken.yaml", 7, 5, "network[0]",
    "did you mean dense?", "  - denze: 16", 5,
)  # fmt: skip

GOOD = SpecResult(
    "specs/digits.yaml",
    "digits",
    "pass",
    met=True,
    loss=2.5,
    tensors=(PASSING, PASSING.replace(name="dense_1.bias", shape=(32,), kinks=3)),
    findings=(KINK,),
    evaluations=1234,
)
BAD = SpecResult(
    "specs/swish.yaml",
    "swish",
    "fail",
    met=False,
    tensors=(WRONG, PASSING.replace(name="right")),
    findings=(FACTOR,),
    evaluations=325,
)
CAUGHT = BAD.replace(name="caught", expected="GC102", met=True)
MISSED = GOOD.replace(name="missed", spec="specs/missed.yaml", expected="fail", met=False)
OPEN = SpecResult("specs/open.yaml", "open", "inconclusive", tensors=(UNDECIDED,))
BROKEN = SpecResult("specs/broken.yaml", "specs/broken.yaml", "invalid", errors=(PROBLEM,))
ALL = CheckReport((GOOD, BAD, CAUGHT, MISSED, OPEN, BROKEN), seed=0)


def text(report: CheckReport, width: int = 80, **options: Any) -> str:
    return draw(draw_report(report, Surface(width), **options), Surface(width))


def drawn_on(surface: Surface) -> str:
    return draw(draw_report(ALL, surface, with_frames=True), surface)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for line in text(ALL, width, with_frames=True).splitlines():
        assert cell_len(line) <= width, line


@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_says_the_same_of_each_tensor(width: int) -> None:
    drawn = re.sub(r"\s+", " ", text(ALL, width))
    for result in ALL.results:
        for tensor in result.tensors:
            assert tensor.name in drawn
            assert f"{tensor.checked}/{tensor.entries}" in drawn
            assert tensor.grade is None or tensor.grade in drawn
    assert "✗ FAIL" in drawn
    assert "? inconclusive" in drawn
    assert "worst entry [99]: analytic 1.64012, numeric 1.09342 ± 1e-15" in drawn
    assert "offset worst entry []: analytic 1e-09, numeric 3e-09 ± 1e-08" in drawn
    assert "GC102 constant-factor in swish_notes specs/swish.yaml:8" in drawn
    assert "3 kinks" in drawn


def rows(drawn: str) -> dict[str, list[str]]:
    found = re.findall(r"^ +[✓✗?] (\w+) +(\S+)  +(\S+)  +(\d+)/(\d+)  +(\S+)(.*)$", drawn, re.M)
    return {row[1]: list(row) for row in found}


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("result", [GOOD, BAD, OPEN], ids=lambda result: result.name)
def test_the_table_holds_the_numbers_of_the_json(result: SpecResult, width: int) -> None:
    report = CheckReport((result,))
    drawn = rows(text(report, width))
    told = document(report)["results"][0]["tensors"]
    assert set(drawn) == {tensor["name"] for tensor in told}
    for tensor in told:
        verdict, _, shape, checked, entries, error, rest = drawn[tensor["name"]]
        assert verdict.lower() == tensor["verdict"]
        assert shape == ("×".join(map(str, tensor["shape"])) or "scalar")
        assert (int(checked), int(entries)) == (tensor["checked"], tensor["entries"])
        assert error == ("–" if tensor["grade"] is None else f"{tensor['max_rel_error']:.1e}")
        if width == 120 and tensor["grade"] is not None:
            absolute, detectable = rest.split()[:2]
            assert absolute == f"{tensor['max_abs_error']:.1e}"
            assert detectable == f"{tensor['detectable_error']:.1e}"


def test_long_names_fall_back_to_two_lines_a_tensor() -> None:
    long = ".".join(f"residual_{i}" for i in range(1, 6)) + ".dense_12.weight"
    report = CheckReport((GOOD.replace(tensors=(PASSING.replace(name=long),)),))
    drawn = text(report, 80)
    assert f"  ✓ pass  {long}" in drawn
    assert "    2048/2048 checked, max rel error 1.2e-14, excellent\n" in drawn


@pytest.mark.parametrize(
    ("result", "heading"),
    [
        (GOOD, "✓ pass  digits  specs/digits.yaml"),
        (BAD, "✗ FAIL  swish  specs/swish.yaml"),
        (CAUGHT, "✓ fail with GC102, as expected  caught"),
        (CAUGHT.replace(expected="fail"), "✓ fail, as expected  caught"),
        (MISSED, "✗ NOT AS EXPECTED: pass, expected fail  missed"),
        (OPEN, "? INCONCLUSIVE  open"),
        (OPEN.replace(allow_inconclusive=True), "? inconclusive (allowed)  open"),
        (BAD.replace(builtin_wrong=True), "✗ FAIL, a bug in gradcli  swish"),
        (BROKEN, "✗ INVALID  specs/broken.yaml\n"),
        (
            GOOD.replace(strict=True, tensors=(PASSING.replace(vacuous=True),)),
            "? VACUOUS  digits",
        ),
    ],
)
def test_headings_say_verdict_and_expectation(result: SpecResult, heading: str) -> None:
    assert text(CheckReport((result,))).startswith(heading)


@pytest.mark.parametrize(
    ("results", "line"),
    [
        ((GOOD,), "exit 0: every gradient agrees"),
        ((GOOD, CAUGHT), "exit 0: every spec came out as it expects"),
        ((GOOD, BAD), "exit 1: a gradient is proven wrong"),
        ((MISSED,), "exit 1: a spec did not come out as it expects"),
        ((OPEN,), "exit 3: something could not be decided"),
        (
            (OPEN, BROKEN, BAD),
            "exit 2: a spec is invalid; a gradient is proven wrong; something could not be decided",
        ),
        ((BAD.replace(builtin_wrong=True),), "exit 4: a gradient of gradcli's own is wrong"),
    ],
)
def test_the_last_line_gives_the_reason_of_the_exit_code(
    results: tuple[SpecResult, ...], line: str
) -> None:
    report = CheckReport(results)
    assert exit_line(report).startswith(line)
    assert int(report.exit_code) == int(line[5])


def test_an_interrupted_report_says_so() -> None:
    report = CheckReport((GOOD,), interrupted=True)
    assert report.exit_code == ExitCode.INTERRUPTED
    assert "exit 130: interrupted" in text(report)
    assert "✓ pass  digits" in text(report)


def test_quiet_leaves_only_what_is_wrong() -> None:
    drawn = text(ALL, quiet=True)
    assert "digits" not in drawn
    assert "caught" not in drawn
    assert "right" not in rows(drawn)
    assert "swish_notes" in rows(drawn)
    assert "GC102" in drawn
    assert "GC201" not in drawn
    assert "6 specs: 2 ok, 2 wrong, 1 undecided, 1 invalid" in drawn


def test_quiet_and_all_right_is_the_summary_alone() -> None:
    assert text(CheckReport((GOOD,)), quiet=True).splitlines() == [
        "1 spec: 1 ok · 2 tensors, 4,096 of 4,096 entries checked · 1,234 evaluations",
        "exit 0: every gradient agrees",
    ]


def test_specs_of_one_name_are_told_apart_by_their_files() -> None:
    twin = GOOD.replace(spec="elsewhere/good.yaml")
    rows = text(CheckReport((GOOD, twin, BROKEN))).split("outcome")[1].splitlines()[1:4]
    assert [row.split()[2] for row in rows] == [GOOD.spec, twin.spec, BROKEN.spec]
    (row,) = (line for line in text(CheckReport((GOOD, BROKEN))).splitlines() if "  2  " in line)
    assert row.split()[2] == GOOD.name


def test_spec_errors_are_counted_or_shown() -> None:
    report = CheckReport((BROKEN,))
    assert problems(report) == (PROBLEM,)
    assert "1 error, printed to standard error" in text(report)
    shown = text(report, with_frames=True)
    assert "specs/broken.yaml:7:5: SP007 no layer is called denze" in shown
    assert "    ^^^^^" in shown


def test_many_notes_of_one_code_are_counted_and_errors_are_all_shown() -> None:
    notes = tuple(KINK.replace(where=f"relu_{i}") for i in range(SHOWN_OF_A_CODE + 7))
    errors = tuple(FACTOR.replace(where=f"dense_{i}") for i in range(SHOWN_OF_A_CODE + 7))
    drawn = text(CheckReport((BAD.replace(findings=notes + errors),)))
    assert drawn.count("GC201 kink in") == SHOWN_OF_A_CODE
    assert "7 more of GC201, all in the JSON" in drawn
    assert drawn.count("GC102 constant-factor in") == len(errors)
    assert drawn.index("GC102") < drawn.index("GC201")


@pytest.mark.parametrize(
    ("worst", "shown"),
    [
        (Worst((3, 4), 1.0, -1.0, 1e-15), "[3, 4]: analytic 1, numeric -1 ± 1e-15"),
        (
            Worst((0,), 1.0, 1.0 + 2e-9, 1e-15),
            "[0]: analytic 1, numeric 1.000000002 ± 1e-15",
        ),
        (Worst((), float("nan"), 2.0, 0.0), "[]: analytic nan, numeric 2 ± 0"),
        (Worst((1,), float("inf"), 2.0, 0.0), "[1]: analytic inf, numeric 2 ± 0"),
    ],
)
def test_an_entry_is_shown_with_digits_enough_to_tell_its_values_apart(
    worst: Worst, shown: str
) -> None:
    assert entry(worst).startswith(shown)


def test_colour_changes_no_letter() -> None:
    colored = drawn_on(Surface(80, color=True))
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == drawn_on(Surface(80))


@pytest.mark.parametrize("width", WIDTHS)
def test_ascii_terminals_get_ascii_in_their_width(width: int) -> None:
    drawn = drawn_on(Surface(width, unicode=False))
    assert drawn.isascii()
    assert max(map(len, drawn.splitlines())) <= width


def test_markdown_has_the_content_of_the_table() -> None:
    document = markdown_report(ALL)
    assert "## ✗ FAIL: swish" in document
    row = "| ✗ FAIL | `swish_notes` | 161 | 161/161 | 3.3e-01 | 3.5e-15 | 2.0e-12 | likely-bug |"
    assert row in document
    assert "- error **GC102 constant-factor** in `swish_notes` (`specs/swish.yaml:8`): " in document
    assert "`swish_notes[99]: analytic 1.64012, numeric 1.09342 ± 1e-15`" in document
    assert "specs/broken.yaml:7:5: SP007 no layer is called denze" in document
    assert exit_line(ALL) in document
    assert "digits" not in markdown_report(ALL, quiet=True)


@pytest.mark.parametrize("suffix", KINDS)
def test_every_kind_of_file_holds_the_failing_tensor(suffix: str) -> None:
    first = render_file(ALL, suffix)
    assert "swish_notes" in first
    assert "SP007" in first
    assert render_file(ALL, suffix) == first


def test_times_are_in_reports_only_where_asked_for() -> None:
    assert "seconds" not in document(ALL)
    assert document(ALL, 0.25)["seconds"] == 0.25
    for form in ("table", "markdown"):
        assert "took" not in render(ALL, form, Surface())
        assert "took 0.25 s" in render(ALL, form, Surface(), seconds=0.25)


@pytest.mark.parametrize(
    ("count", "noun", "shown"),
    [(1, "spec", "1 spec"), (2, "spec", "2 specs"), (2048, "entry", "2,048 entries")],
)
def test_plurals(count: int, noun: str, shown: str) -> None:
    assert plural(count, noun) == shown


def test_an_empty_report_is_drawn() -> None:
    assert text(CheckReport(())).startswith("0 specs\nexit 0")
