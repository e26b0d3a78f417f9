"""Text layout: widths, wrapping, colour, foreign characters."""

from __future__ import annotations

import io

import pytest

from gradcli.errors import SpecProblem
from gradcli.report.frames import frame, frames
from gradcli.report.layout import (
    Cell,
    Column,
    Surface,
    cells,
    draw,
    paragraph,
    plain,
    printable,
    table,
)
from gradcli.report.markdown import code, escaped, fenced
from gradcli.report.markdown import table as markdown_table
from gradcli.report.surface import DEFAULT_WIDTH, surface_of

PROSE = "a gradient of the second layer is wrong in 17 of 2048 entries " * 3


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_a_paragraph_keeps_its_words_and_its_width(width: int) -> None:
    lines = paragraph(PROSE, width, first=[Cell("  note  ", "strong")], indent=4)
    texts = [plain(line) for line in lines]
    assert all(len(text) <= width for text in texts)
    assert " ".join(texts).split() == ["note", *PROSE.split()]
    assert all(text.startswith("    ") for text in texts[1:])


def test_a_word_longer_than_the_line_stays_whole() -> None:
    path = "a/very/long/path/to/a/spec.yaml:17:3"
    lines = paragraph(f"see {path} there", 20, indent=2)
    assert [plain(line) for line in lines] == ["see", f"  {path}", "  there"]


def test_a_table_aligns_its_columns_or_says_that_it_is_too_wide() -> None:
    columns = [Column("name"), Column("error", right=True)]
    rows = [[Cell("weight"), Cell("1e-9")], [Cell("重み"), Cell("0")]]
    lines = table(columns, rows, width=40, indent=1)
    assert lines is not None
    assert draw(lines, Surface()) == " name    error\n weight   1e-9\n 重み        0\n"
    assert table(columns, rows, width=13, indent=1) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("abc", 3), ("", 0), ("重み", 4), ("e\u0301", 1), ("×±✓", 3)],
)
def test_cells(text: str, expected: int) -> None:
    assert cells(text) == expected


def test_control_characters_of_a_spec_do_not_reach_the_terminal() -> None:
    text = printable("\x1b[2Jred\x07\u202e\n\ttab")
    assert text == "\\x1b[2Jred\\x07\\x202e\\x0a    tab"
    drawn = draw([[Cell("\x1b[31mname")]], Surface(color=True))
    assert "\x1b" not in drawn


def test_colour_is_added_to_the_same_text() -> None:
    line = [Cell("✗ FAIL", "bad"), Cell("  name  ")]
    plainly = draw([line], Surface())
    colored = draw([line], Surface(color=True))
    assert plainly == "✗ FAIL  name\n"
    assert colored == "\x1b[1;31m✗ FAIL\x1b[0m  name\n"


def test_without_unicode_symbols_are_spelled_in_ascii() -> None:
    drawn = draw([[Cell("✓ 3×4 ± 1 … │ –")]], Surface(unicode=False))
    assert drawn == "+ 3x4 +/- 1 ... | -\n"


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
    assert draw(frame(PROBLEM, 80), Surface()).splitlines() == [
        "specs/broken.yaml:7:5: SP007 no layer is called denze",
        " 7 │   - denze: 16",
        "   │     ^^^^^",
        "   in network[0]",
        "   → did you mean dense?",
    ]


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("column", [1, 70, 150, 290])
def test_the_caret_stays_under_its_text_in_long_lines(width: int, column: int) -> None:
    source = "".join(f"{i:03d}, " for i in range(60))
    start = (column - 1) // 5 * 5
    problem = SpecProblem("SP009", "no", "s.yaml", 3, start + 1, source_line=source, length=3)
    place, text, caret = (plain(line) for line in frame(problem, width))
    assert max(map(len, (place, text, caret))) <= width
    at = caret.index("^")
    assert text[at : at + 3] == source[start : start + 3]
    assert caret.count("^") == 3


@pytest.mark.parametrize(
    ("source", "column", "under"),
    [("\t- denze: 16", 4, "denze"), ("  重み: denze", 7, "denze"), ("é: denze", 4, "denze")],
)
def test_the_caret_stands_right_after_tabs_and_wide_letters(
    source: str, column: int, under: str
) -> None:
    problem = SpecProblem("SP007", "no", "s.yaml", 1, column, source_line=source, length=len(under))
    _, text, caret = (plain(line) for line in frame(problem, 80))
    before = printable(text)[: printable(text).index(under)]
    assert cells(caret[: caret.index("^")]) == cells(before)


def test_a_problem_without_a_place_is_its_message() -> None:
    problem = SpecProblem("SP001", "the file does not exist", "missing.yaml")
    assert draw(frame(problem, 80), Surface()) == "missing.yaml: SP001 the file does not exist\n"


def test_frames_stand_apart() -> None:
    drawn = draw(frames([PROBLEM, PROBLEM], 80), Surface())
    assert drawn.count("\n\n") == 1
    assert drawn.count("SP007") == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a|b", "`a\\|b`"), ("a`b", "`` a`b ``"), ("x\x1b", "`x\\x1b`")],
)
def test_markdown_code_spans(text: str, expected: str) -> None:
    assert code(text) == expected


def test_foreign_text_is_no_markup() -> None:
    assert escaped("a*b <img> | `c`") == "a\\*b &lt;img> \\| \\`c\\`"
    assert fenced("```\nx").startswith("````text\n")
    assert markdown_table(("a", "b"), [("1", "2")], right=(1,)).splitlines() == [
        "| a | b |",
        "| --- | --: |",
        "| 1 | 2 |",
    ]
