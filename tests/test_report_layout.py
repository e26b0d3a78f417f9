"""Text layout: widths, wrapping, colour, foreign characters."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from rich.cells import cell_len
from rich.text import Text

from gradcli.errors import SpecProblem
from gradcli.report.characters import printable
from gradcli.report.frames import frame, frames
from gradcli.report.layout import console_on, draw, end_of, paragraph, table, text, unbroken
from gradcli.report.markdown import code, escaped, fenced
from gradcli.report.markdown import table as markdown_table
from gradcli.report.progress import PATIENCE, progress_on
from gradcli.report.surface import DEFAULT_WIDTH, Surface, surface_of

PROSE = "a gradient of the second layer is wrong in 17 of 2048 entries " * 3
NARROW = Surface(20)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def lines_of(lines: list[Text], surface: Surface) -> list[str]:
    return draw(lines, surface).splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
@pytest.mark.parametrize("hanging", [True, False])
def test_a_paragraph_keeps_its_words_and_its_width(width: int, hanging: bool) -> None:
    surface = Surface(width)
    pieces = ("note ", "strong"), PROSE
    lines = lines_of(paragraph(surface, *pieces, indent=4, hanging=hanging), surface)
    assert max(map(len, lines)) <= width
    assert " ".join(lines).split() == ["note", *PROSE.split()]
    assert [line[:4].isspace() for line in lines] == [not hanging, *[True] * (len(lines) - 1)]
    # Greedy: no line has room for the first word of the next.
    for line, following in pairwise(lines):
        assert len(line) + 1 + len(following.split()[0]) > min(width, 100)


def test_prose_is_not_wider_than_is_good_to_read() -> None:
    assert max(map(len, lines_of(paragraph(Surface(300), PROSE), Surface(300)))) <= 100


def test_a_label_stands_in_the_indent_of_the_first_line() -> None:
    lines = lines_of(paragraph(NARROW, PROSE[:27], label="  sum", indent=7), NARROW)
    assert lines == ["  sum  a gradient of", "       the second la"]


def test_a_word_longer_than_the_line_stays_whole() -> None:
    path = "a/very/long/path/to/a/spec.yaml:17:3"
    lines = paragraph(NARROW, f"see {path} there", indent=2, hanging=True)
    assert lines_of(lines, NARROW) == ["see", f"  {path}", "  there"]
    assert lines_of(paragraph(NARROW, path, indent=2, hanging=True), NARROW) == [path]
    assert lines_of([unbroken(NARROW, f"see {path} there")], NARROW) == [f"see {path} there"]


def test_line_breaks_of_the_source_are_blanks_in_prose() -> None:
    lines = paragraph(Surface(), ("one\n  two", "faint"), "\nthree")
    assert lines_of(lines, Surface()) == ["one two three"]


def test_a_table_aligns_its_columns_or_says_that_it_is_too_wide() -> None:
    surface = Surface(15)
    rows = [[text(surface, cell) for cell in row] for row in (("weight", "1e-9"), ("重み", "0"))]
    drawn = table(surface, ("name", "error"), rows, right=(1,), indent=1)
    assert drawn is not None
    assert draw([drawn], surface) == " name    error\n weight   1e-9\n 重み        0\n"
    assert table(Surface(13), ("name", "error"), rows, right=(1,), indent=1) is None


def test_nothing_in_a_table_is_cut_off_at_the_width_that_just_fits() -> None:
    cells = ["[b]bold[/b]", "e\u0301" * 5, "重み" * 3, ":smile:", "1/2\t3"]
    rows = [[text(Surface(), cell) for cell in cells]]
    width = next(w for w in range(200) if table(Surface(w), ["a"] * 5, rows) is not None)
    drawn = table(Surface(width), ["a"] * 5, rows)
    assert drawn is not None
    last = draw([drawn], Surface(width)).splitlines()[-1]
    assert last.split("  ", 4) == [printable(cell) for cell in cells]
    assert cell_len(last) == width


def test_control_characters_of_a_spec_do_not_reach_the_terminal() -> None:
    shown = printable("\x1b[2Jred\x07\u202e\n\ttab")
    assert shown == "\\x1b[2Jred\\x07\\x202e\\x0a    tab"
    surface = Surface(color=True)
    for line in (text(surface, "\x1b[31mname"), *paragraph(surface, "\x1b[31mname\r\x0b")):
        assert "\x1b" not in draw([line], surface)
    assert draw([text(surface, "a\rb\nc")], surface) == "a\\x0db\\x0ac\n"


@pytest.mark.parametrize("name", ["[bold]x[/bold]", "[/]", ":warning:", "https://a.b 3.14 'q'"])
def test_text_is_no_markup_and_is_not_highlighted(name: str) -> None:
    surface = Surface(color=True)
    assert draw([text(surface, name)], surface) == f"{name}\n"
    assert draw(paragraph(surface, name), surface) == f"{name}\n"


def test_colour_is_added_to_the_same_text() -> None:
    line = [text(Surface(), ("✗ FAIL", "bad"), "  name  ")]
    assert draw(line, Surface()) == "✗ FAIL  name\n"
    assert draw(line, Surface(color=True)) == "\x1b[1;31m✗ FAIL\x1b[0m  name\n"


def test_the_console_asks_nobody_but_the_surface(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("COLUMNS", "33"), ("FORCE_COLOR", "1"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
    plain = console_on(Surface(70), io.StringIO())
    assert (plain.width, plain.color_system, plain.is_terminal) == (70, None, False)
    monkeypatch.setenv("NO_COLOR", "1")
    colored = console_on(Surface(70, color=True), io.StringIO())
    assert (colored.width, colored.color_system, colored.no_color) == (70, "standard", False)


@pytest.mark.parametrize(
    ("string", "room", "end"),
    [("dense_1", 7, "dense_1"), ("dense_12", 7, "…nse_12"), ("重み付き", 6, "… 付き")],
)
def test_the_end_of_a_long_name_is_shown(string: str, room: int, end: str) -> None:
    assert end_of(string, room, Surface()) == end
    assert cell_len(end) <= room


def test_without_unicode_symbols_are_spelled_in_ascii() -> None:
    surface = Surface(unicode=False)
    drawn = draw([text(surface, "✓ 3×4 ± 1 … │ –")], surface)
    assert drawn == "+ 3x4 +/- 1 ... | -\n"
    formulas = [text(surface, "θ − H⁻¹∇L, Σ x̂² ≈ ½, Müller, 重")]
    assert draw(formulas, surface) == "theta - H^-1grad L, sum x^2 ~ 1/2, Muller, 重\n"


@pytest.mark.parametrize(
    ("terminal", "environment", "no_color", "color"),
    [
        (True, {"TERM": "xterm"}, False, True),
        (True, {}, False, True),
        (True, {"TERM": "dumb"}, False, False),
        (True, {"NO_COLOR": "1"}, False, False),
        (True, {"NO_COLOR": ""}, False, True),
        (True, {}, True, False),
        (False, {}, False, False),
        (False, {"FORCE_COLOR": "1"}, False, True),
        (False, {"FORCE_COLOR": "0"}, False, False),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        (False, {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_when_there_is_colour(
    terminal: bool, environment: dict[str, str], no_color: bool, color: bool
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    assert surface_of(stream, environment, no_color=no_color).color is color


@pytest.mark.parametrize(
    ("columns", "width"),
    [
        ("120", 120),
        ("60", 60),
        ("3", 40),
        ("", DEFAULT_WIDTH),
        ("0", DEFAULT_WIDTH),
        ("wide", DEFAULT_WIDTH),
        ("-5", DEFAULT_WIDTH),
        ("9" * 5000, DEFAULT_WIDTH),
    ],
)
def test_width_comes_from_the_environment(columns: str, width: int) -> None:
    assert surface_of(io.StringIO(), {"COLUMNS": columns}).width == width


@pytest.mark.parametrize(
    ("encoding", "unicode"), [("utf-8", True), ("ascii", False), ("cp1252", False), (None, False)]
)
def test_symbols_need_an_encoding_that_has_them(encoding: str | None, unicode: bool) -> None:
    stream = Terminal()
    stream.encoding = encoding  # type: ignore[assignment]
    assert surface_of(stream, {}).unicode is unicode


def test_no_stream_is_a_surface_too() -> None:
    assert surface_of(None, {}) == Surface(DEFAULT_WIDTH, color=False, unicode=False)


PROBLEM = SpecProblem(
    code="SP007",
    message="no layer is called denze",
    file="specs/broken.yaml",
    line=7,
    column=5,
    key="network[0]",
    hint="did you mean dense?",
    source_line="  - denze: 16",
    length=5,
)


def test_a_frame_shows_place_line_caret_key_and_hint() -> None:
    assert draw(frame(PROBLEM, Surface()), Surface()).splitlines() == [
        "specs/broken.yaml:7:5: SP007 no layer is called denze",
        " 7 │   - denze: 16",
        "   │     ^^^^^",
        "   in network[0]",
        "   → did you mean dense?",
    ]


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("column", [1, 70, 150, 290])
@pytest.mark.parametrize("unicode", [True, False])
def test_the_caret_stays_under_its_text_in_long_lines(
    width: int, column: int, unicode: bool
) -> None:
    source = "".join(f"{i:03d}, " for i in range(60))
    start = (column - 1) // 5 * 5
    problem = SpecProblem("SP009", "no", "s.yaml", 3, start + 1, source_line=source, length=3)
    surface = Surface(width, unicode=unicode)
    place, shown, caret = lines_of(frame(problem, surface), surface)
    assert max(map(len, (place, shown, caret))) <= width
    at = caret.index("^")
    assert shown[at : at + 3] == source[start : start + 3]
    assert caret.count("^") == 3


@pytest.mark.parametrize(
    ("source", "column", "under"),
    [("\t- denze: 16", 4, "denze"), ("  重み: denze", 7, "denze"), ("é: denze", 4, "denze")],
)
def test_the_caret_stands_right_after_tabs_and_wide_letters(
    source: str, column: int, under: str
) -> None:
    problem = SpecProblem("SP007", "no", "s.yaml", 1, column, source_line=source, length=len(under))
    _, shown, caret = lines_of(frame(problem, Surface()), Surface())
    before = shown[: shown.index(under)]
    assert cell_len(caret[: caret.index("^")]) == cell_len(before)


def test_a_problem_without_a_place_is_its_message() -> None:
    problem = SpecProblem("SP001", "the file does not exist", "missing.yaml")
    assert (
        draw(frame(problem, Surface()), Surface())
        == "missing.yaml: SP001 the file does not exist\n"
    )


def test_frames_stand_apart() -> None:
    drawn = draw(frames([PROBLEM, PROBLEM], Surface()), Surface())
    assert drawn.count("\n\n") == 1
    assert drawn.count("SP007") == 2


def test_the_place_of_a_problem_is_whole_on_a_narrow_terminal() -> None:
    lines = lines_of(frame(PROBLEM._replace(file="a/long/folder/broken.yaml"), NARROW), NARROW)
    assert lines[0].startswith("a/long/folder/broken.yaml:7:5:")
    assert " ".join(lines[:3]).split()[1:] == ["SP007", *PROBLEM.message.split()]


def test_a_bar_appears_when_work_takes_long_and_is_wiped_off() -> None:
    stream = Terminal()
    times = iter([0.0, PATIENCE / 2, 2 * PATIENCE])
    with progress_on(stream, {"TERM": "xterm"}, no_color=True, clock=times.__next__) as progress:
        assert progress is not None
        progress("dense_1", 1, 3)
        assert stream.getvalue() == ""
        progress("[b]\x1b[31m", 2, 3)
        assert "2/3" in stream.getvalue()
        assert "[b]\\x1b[31m" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")


@pytest.mark.parametrize(
    ("stream", "environment"),
    [(None, {}), (io.StringIO(), {}), (Terminal(), {"TERM": "dumb"})],
    ids=["none", "pipe", "dumb"],
)
def test_there_is_a_bar_only_where_a_line_can_be_taken_back(
    stream: io.StringIO | None, environment: dict[str, str]
) -> None:
    with progress_on(stream, environment) as progress:
        assert progress is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a|b", "`a\\|b`"), ("a`b", "`` a`b ``"), ("x\x1b", "`x\\x1b`")],
)
def test_markdown_code_spans(name: str, expected: str) -> None:
    assert code(name) == expected


def test_foreign_text_is_no_markup() -> None:
    assert escaped("a*b <img> | `c`") == "a\\*b &lt;img> \\| \\`c\\`"
    assert fenced("```\nx").startswith("````text\n")
    assert markdown_table(("a", "b"), [("1", "2")], right=(1,)).splitlines() == [
        "| a | b |",
        "| --- | --: |",
        "| 1 | 2 |",
    ]
