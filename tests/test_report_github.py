"""Annotations of GitHub Actions: read back as the runner reads them, on the lines of the spec."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from click.testing import CliRunner

import gradcli
from gradcli.analysis.gradcheck.report import CheckReport
from gradcli.cli.main import main
from gradcli.report.check_github import command, github_report

SPECS: Final = {
    "right.yaml": "gradcli: 1\ndefine:\n"
    "  square: {kind: activation, forward: x**2, derivative: 2 * x}\n",
    "wrong.yaml": "gradcli: 1\ndefine:\n"
    "  square: {kind: activation, forward: x**2, derivative: 3 * x}\n",
    "expected.yaml": "gradcli: 1\nexpect: fail\ndefine:\n"
    "  square: {kind: activation, forward: x**2, derivative: 3 * x}\n",
    "missed.yaml": "gradcli: 1\nexpect: fail\ndefine:\n"
    "  square: {kind: activation, forward: x**2, derivative: 2 * x}\n",
    "undecided.yaml": "gradcli: 1\ndefine:\n"
    "  f: {kind: activation, forward: log(x), domain: {x: [-2, -1]}, derivative: 2 * x}\n",
    "broken.yaml": "gradcli: 1\ndefine:\n  f: {kind: aktivation, forward: x**2}\n",
    "kinked.yaml": "gradcli: 1\ndefine:\n"
    "  f: {kind: activation, forward: abs(x), derivative: sign(x)}\n",
    "smelly.yaml": "gradcli: 1\ndata: {inputs: {shape: [4, 3]}, targets: auto}\n"
    "network:\n  - dense: 3\n  - softmax\nloss: cross_entropy\n",
}


class Annotation(NamedTuple):
    """What the runner makes of a line."""

    level: str
    properties: dict[str, str]
    message: str


def read(line: str) -> Annotation:
    """A workflow command, split as the runner splits it: at the first `::` behind the head."""
    match = re.fullmatch(r"::(\w+)(?: (.*?))?::(.*)", line)
    assert match, line
    given = dict(part.split("=", 1) for part in (match[2] or "").split(",") if part)
    return Annotation(
        match[1], {key: unescaped(value) for key, value in given.items()}, unescaped(match[3])
    )


def unescaped(text: str) -> str:
    for code, letter in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, letter)
    return text


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    for name, text in SPECS.items():
        Path(name).write_text(text, encoding="utf-8")
    return tmp_path


def annotations(text: str) -> list[Annotation]:
    return [read(line) for line in text.splitlines() if line.startswith("::")]


def of(*names: str) -> list[Annotation]:
    return annotations(github_report(gradcli.check(*names)))


@pytest.mark.parametrize(
    ("name", "level", "line", "title"),
    [
        ("wrong.yaml", "error", "3", "GC102 constant-factor in square"),
        ("expected.yaml", "notice", "4", "GC102 constant-factor in square"),
        ("kinked.yaml", "notice", "3", "GC201 kink in f"),
        ("undecided.yaml", "warning", "3", "GC203 inconclusive in f"),
        ("smelly.yaml", "warning", "5", "SP101 softmax-before-logits in softmax_1"),
        ("broken.yaml", "error", "3", "SP009 define.f.kind"),
    ],
)
def test_a_finding_is_an_annotation_on_its_line(
    folder: Path, name: str, level: str, line: str, title: str
) -> None:
    first = of(name)[0]
    assert first.level == level
    assert first.properties["file"] == name
    assert first.properties["line"] == line
    assert first.properties["title"] == title


def test_the_message_has_the_diagnosis_and_the_worst_entry(folder: Path) -> None:
    (wrong,) = of("wrong.yaml")
    said, worst = wrong.message.split("\n")
    assert said.startswith("exactly 1.5 times what it should be")
    assert re.fullmatch(r"worst entry \[\d+\] at x = .*: analytic .*, numeric .* ± .*", worst)


def test_an_invalid_spec_is_marked_from_its_column_to_the_end_of_the_word(folder: Path) -> None:
    (broken,) = of("broken.yaml")
    start, end = (int(broken.properties[key]) for key in ("col", "endColumn"))
    assert SPECS["broken.yaml"].splitlines()[2][start - 1 : end] == "aktivation"
    assert broken.message.endswith("\ndid you mean activation?")


@pytest.mark.parametrize("name", SPECS)
def test_there_is_an_error_exactly_where_the_exit_code_is_not_0(folder: Path, name: str) -> None:
    report = gradcli.check(name)
    for quiet in (False, True):
        found = annotations(github_report(report, quiet=quiet))
        assert any(each.level == "error" for each in found) == (report.exit_code != 0)


def test_the_outcome_is_said_in_plain_lines(folder: Path) -> None:
    result = CliRunner().invoke(main, ["check", ".", "--format", "github"])
    assert result.exit_code == 2
    plain = [line for line in result.stdout.splitlines() if not line.startswith("::")]
    assert plain[0].startswith("8 specs: ")
    assert plain[1].startswith("exit 2: a spec is invalid")
    assert result.stderr == ""
    quiet = CliRunner().invoke(main, ["check", "kinked.yaml", "-q", "--format", "github"])
    assert "::" not in quiet.stdout


def test_paths_are_those_of_the_repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("deep/er").mkdir(parents=True)
    Path("deep/er/wrong.yaml").write_text(SPECS["wrong.yaml"])
    monkeypatch.chdir("deep")
    arguments = ["check", "er/wrong.yaml", str(folder / "wrong.yaml"), "--format", "github"]
    here = annotations(CliRunner().invoke(main, arguments).stdout)
    assert [each.properties["file"] for each in here] == [
        "er/wrong.yaml", (folder / "wrong.yaml").as_posix()
    ]  # fmt: skip
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder))
    found = annotations(CliRunner().invoke(main, arguments).stdout)
    assert [each.properties["file"] for each in found] == ["deep/er/wrong.yaml", "wrong.yaml"]
    piped = CliRunner().invoke(
        main, ["check", "-", "--format", "github"], input=SPECS["wrong.yaml"]
    )
    assert "file" not in annotations(piped.stdout)[0].properties


def test_foreign_text_cannot_end_a_command_or_begin_another() -> None:
    awkward = "50%, a:b\r\n::error::x"
    line = command("notice", awkward, title=awkward, file="a,b:c%.yaml", line=0)
    assert len(line.splitlines()) == 1
    told = read(line)
    assert told.properties.keys() == {"title", "file"}
    assert told.properties["file"] == "a,b:c%.yaml"
    assert told.message == "50%, a:b\\x0d\n::error::x"
    assert told.properties["title"] == told.message
    named = gradcli.check({**_named("::stop-commands::x\n::error::y"), "expect": "fail"})
    for line in github_report(named).splitlines():
        assert line.startswith(("::error ", "::notice ", "1 spec", "exit 1"))


def _named(name: str) -> dict[str, object]:
    definition = {"kind": "activation", "forward": "x**2", "derivative": "2 * x"}
    return {"gradcli": 1, "name": name, "define": {"square": definition}}


def test_commands_without_properties_and_reports_without_specs() -> None:
    assert command("error", "oh") == "::error::oh"
    assert annotations(github_report(CheckReport((), None))) == []
