"""The command line: arguments to exit codes, streams and JSON keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import gradcli
from gradcli import api
from gradcli.cli import values
from gradcli.cli.main import main
from gradcli.errors import InternalError, SpecError, SpecProblem, UsageError

RIGHT = """\
gradcli: 1
define:
  square: {kind: activation, forward: x**2, derivative: 2 * x}
"""
WRONG = RIGHT.replace("2 * x}", "3 * x}")
EXPECTED = WRONG + "expect: {check: GC102}\n"
MISSED = RIGHT + "expect: fail\n"
VACUOUS = RIGHT.replace("x**2", "0 * x").replace("2 * x}", "0 * x}")
UNDECIDED = RIGHT.replace("x**2, ", "log(x), domain: {x: [-2, -1]}, ")
BROKEN = RIGHT.replace("activation", "aktivation")

ENVELOPE = ["schema", "command", "version", "exit_code", "seed", "results"]


@pytest.fixture
def folder(no_wishes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one spec of each kind, in an environment without wishes."""
    monkeypatch.chdir(tmp_path)
    specs = {
        "right": RIGHT,
        "wrong": WRONG,
        "expected": EXPECTED,
        "missed": MISSED,
        "vacuous": VACUOUS,
        "undecided": UNDECIDED,
        "broken": BROKEN,
    }
    for name, text in specs.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "a.yaml").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "good" / "b.yaml").write_text(EXPECTED, encoding="utf-8")
    (tmp_path / "empty").mkdir()
    return tmp_path


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("right.yaml", 0),
        ("wrong.yaml", 1),
        ("expected.yaml", 0),
        ("missed.yaml", 1),
        ("vacuous.yaml", 0),
        ("vacuous.yaml --strict", 3),
        ("undecided.yaml", 3),
        ("undecided.yaml --allow-inconclusive", 0),
        ("broken.yaml", 2),
        ("missing.yaml", 2),
        ("empty", 2),
        ("good", 0),
        ("good wrong.yaml", 1),
        ("good undecided.yaml", 3),
        ("wrong.yaml undecided.yaml", 1),
        ("broken.yaml wrong.yaml good", 2),
        ("wrong.yaml --skip square", 3),
        ("wrong.yaml --only s*", 1),
        ("wrong.yaml --require 0.9", 0),
        ("right.yaml --require excellent --seed 7 --wrt all --entries 3 --quiet", 0),
        ("right.yaml --oracle ladder --dtype float64 --max-memory 64MiB --timing", 0),
    ],
)
def test_check_exits_with_the_code_of_the_worst(folder: Path, arguments: str, code: int) -> None:
    result = run("check", *arguments.split())
    assert result.exit_code == code, result.output
    told = run("check", *arguments.split(), "--format", "json")
    assert told.exit_code == code
    if told.stdout:
        assert json.loads(told.stdout)["exit_code"] == code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "Usage: gradcli"),
        ("chek right.yaml", "Did you mean check?"),
        ("zzz", "There are check, flow, train, loss, curvature, graph,"),
        ("check", "Missing argument 'SPEC...'"),
        ("check right.yaml --formt json", "--format"),
        ("check right.yaml --format jsn", "'json'"),
        ("check right.yaml --require gud", "neither a grade (excellent, good, acceptable)"),
        ("check right.yaml --require 2", "nor a number from 0 to 1"),
        ("check right.yaml --require nan", "nor a number from 0 to 1"),
        ("check right.yaml --entries some", "neither all nor a number of entries"),
        ("check right.yaml --entries 0", "neither all nor a number of entries"),
        ("check right.yaml --max-memory lots", "write it as 2GiB, 512MiB or 1000000"),
        ("check right.yaml --max-memory 0", "is not a size"),
        ("check right.yaml --seed -1", "--seed"),
        ("check right.yaml --step 0", "--step"),
        ("flow --fail-on vanish", "'vanish' is none of vanishing, exploding"),
        ("flow --depth 0", "--depth"),
        ("explain", "Missing argument"),
    ],
)
def test_a_wrong_command_line_is_exit_2_and_says_why(
    folder: Path, arguments: str, message: str
) -> None:
    result = run(*arguments.split())
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["", *main.list_commands(click.Context(main))])
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"\n  gradcli {command}".rstrip() in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_the_list_of_commands_says_what_each_is_for() -> None:
    context = click.Context(main)
    listed = run("--help").stdout
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        assert f"  {name} " in listed


def test_version() -> None:
    assert run("--version").stdout == f"gradcli {gradcli.__version__}\n"


def test_json_has_the_envelope_and_the_report_of_the_api(folder: Path) -> None:
    result = run("check", "wrong.yaml", "right.yaml", "broken.yaml", "--format", "json")
    told = json.loads(result.stdout)
    assert list(told) == ENVELOPE
    assert told["schema"] == "gradcli/1"
    assert told["command"] == "check"
    assert [each["verdict"] for each in told["results"]] == ["fail", "pass", "invalid"]
    assert told == api.check("wrong.yaml", "right.yaml", "broken.yaml").to_dict()
    assert told["results"][2]["errors"][0]["line"] == 3
    assert result.stdout.endswith("}\n")
    assert run("check", "wrong.yaml", "right.yaml", "broken.yaml", "--format", "json").stdout == (
        result.stdout
    )


def test_the_table_is_on_stdout_and_frames_are_on_stderr(folder: Path) -> None:
    result = run("check", "broken.yaml", "wrong.yaml")
    assert "✗ FAIL  wrong  wrong.yaml" in result.stdout
    assert "✗ INVALID  broken.yaml" in result.stdout
    assert "GC102" in result.stdout
    assert "^" not in result.stdout
    assert result.stderr.startswith("broken.yaml:3:")
    assert "^^^^^^^^^^" in result.stderr
    assert "did you mean activation?" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("form", ["json", "markdown"])
def test_other_formats_hold_the_spec_errors_themselves(folder: Path, form: str) -> None:
    result = run("check", "broken.yaml", "--format", form)
    assert "did you mean activation?" in result.stdout
    assert result.stderr == ""


def test_quiet_is_silent_about_what_is_right(folder: Path) -> None:
    result = run("check", "good", "--quiet")
    assert len(result.stdout.splitlines()) == 2
    result = run("check", "good", "wrong.yaml", "-q")
    assert "✗ FAIL  wrong" in result.stdout
    assert "a.yaml" not in result.stdout


def test_standard_input_is_a_spec(folder: Path) -> None:
    result = run("check", "-", "--format", "json", stdin=WRONG)
    assert result.exit_code == 1
    assert [each["spec"] for each in json.loads(result.stdout)["results"]] == ["<stdin>"]
    both = run("check", "right.yaml", "-", "--format", "json", stdin=WRONG)
    assert len(json.loads(both.stdout)["results"]) == 2
    broken = run("check", "-", stdin=BROKEN)
    assert broken.exit_code == 2
    assert broken.stderr.startswith("<stdin>:3:")


@pytest.mark.parametrize(
    ("data", "code"), [(b"\xef\xbb\xbf" + RIGHT.encode(), 0), (b"\xff\xfe", 2), (b"", 2)]
)
def test_standard_input_may_hold_anything(folder: Path, data: bytes, code: int) -> None:
    result = run("check", "-", stdin=data)
    assert result.exit_code == code
    assert "Traceback" not in result.output


def test_report_files_are_written_by_their_suffix(folder: Path) -> None:
    names = ("out.json", "out.md", "out.svg", "out.txt", "out.xml")
    files = [part for name in names for part in ("--report", name)]
    result = run("check", "wrong.yaml", "broken.yaml", *files)
    assert result.exit_code == 2
    assert "✗ FAIL  wrong" in result.stdout
    assert json.loads(Path("out.json").read_text())["results"][0]["name"] == "wrong"
    assert "## ✗ FAIL: wrong" in Path("out.md").read_text(encoding="utf-8")
    assert Path("out.svg").read_text(encoding="utf-8").startswith("<svg")
    shown = Path("out.txt").read_text(encoding="utf-8")
    assert "\x1b" not in shown
    assert "did you mean activation?" in shown
    assert 'type="GC102"' in Path("out.xml").read_text(encoding="ascii")


def test_colour_only_where_it_is_wanted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in run("check", "wrong.yaml").stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1;31m✗ FAIL" in run("check", "wrong.yaml").stdout
    assert "\x1b[" not in run("check", "wrong.yaml", "--no-color").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("check", "wrong.yaml").stdout


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_the_width_is_kept(folder: Path, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    result = run("check", "wrong.yaml", "undecided.yaml", "broken.yaml")
    assert max(map(len, result.output.splitlines())) <= int(columns)


def test_times_are_in_the_report_only_with_timing(folder: Path) -> None:
    assert "seconds" not in json.loads(run("check", "right.yaml", "--format", "json").stdout)
    timed = json.loads(run("check", "right.yaml", "--format", "json", "--timing").stdout)
    assert timed["seconds"] >= 0
    assert "took" not in run("check", "right.yaml").output
    assert "took" in run("check", "right.yaml", "--timing").stdout


PROBLEM = SpecProblem("SP001", "it cannot be read", "x.yaml")


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (UsageError("that is not possible"), 2, "gradcli: that is not possible"),
        (SpecError([PROBLEM]), 2, "x.yaml: SP001 it cannot be read"),
        (InternalError("that cannot be"), 4, "gradcli: that cannot be"),
        (ValueError("oh"), 4, "gradcli: ValueError: oh"),
        (MemoryError("9 TiB"), 2, "gradcli: there is not enough memory: 9 TiB"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (RecursionError("deep"), 4, "gradcli: RecursionError: deep"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_become_exit_codes_and_messages(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, message: str
) -> None:
    def fail(*sources: Any, **options: Any) -> None:
        raise raised

    monkeypatch.setattr(api, "check", fail)
    result = run("check", "x.yaml")
    assert result.exit_code == code
    assert result.stderr.startswith(message)
    assert "Traceback" not in result.output
    traced = run("check", "x.yaml", "--traceback")
    assert traced.exit_code == code
    assert ("Traceback" in traced.stderr) == isinstance(raised, Exception)


def test_options_reach_the_api_only_where_they_were_given(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def note(*sources: str, **options: Any) -> None:
        calls.append({"sources": sources, **options})
        raise UsageError("enough")

    monkeypatch.setattr(api, "check", note)
    run("check", "a", "b")
    run("check", "a", "--seed", "0", "--require", "1e-4", "--entries", "5", "--strict")
    plain, full = calls
    assert plain == {"sources": ("a", "b"), "partial": True, "progress": None}
    assert full.items() >= {
        "seed": 0, "require": 1e-4, "entries": 5, "strict": True
    }.items()  # fmt: skip


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GiB", 2 << 30),
        ("512 MiB", 512 << 20),
        ("1.5kib", 1536),
        ("1GB", 10**9),
        ("3M", 3 * 10**6),
        ("1000", 1000),
        ("7b", 7),
    ],
)
def test_sizes(text: str, size: int) -> None:
    parameter = click.Option(["--max-memory"])
    assert values.memory(click.Context(main), parameter, text) == size


def test_flow_takes_several_gates_at_once() -> None:
    parameter = click.Option(["--fail-on"])
    given = ("vanishing,exploding", " dead ")
    assert values.gates(click.Context(main), parameter, given) == ("vanishing", "exploding", "dead")


SMALL = ("flow", "--depth", "6", "--width", "16", "--batch", "8", "--seeds", "3")


@pytest.mark.parametrize(
    ("arguments", "code", "verdict"),
    [
        ("--threshold 20", 0, "healthy"),
        ("--activation sigmoid", 0, "vanishing"),
        ("--activation sigmoid --fail-on vanishing", 1, "vanishing"),
        ("--activation sigmoid --fail-on exploding,dead", 0, "vanishing"),
        ("--gain 8 --fail-on vanishing,exploding", 1, "exploding"),
        ("--activation sigmoid --threshold 50 --fail-on vanishing", 0, "healthy"),
        ("--activation tanh --residual --residual-scale 0.1 --seed 3", 0, "healthy"),
    ],
)
def test_flow_gates_on_what_it_finds(arguments: str, code: int, verdict: str) -> None:
    result = run(*SMALL, *arguments.split(), "--format", "json")
    assert result.exit_code == code, result.output
    told = json.loads(result.stdout)
    assert list(told) == ENVELOPE
    assert told["command"] == "flow"
    assert told["results"][0]["verdict"] == verdict
    assert len(told["results"][0]["layers"]) == 6
    assert run(*SMALL, *arguments.split()).exit_code == code


@pytest.mark.parametrize(
    "arguments", ["--activation tahn", "--init he", "--loss msee", "missing.yaml"]
)
def test_flow_refuses_what_it_does_not_know(folder: Path, arguments: str) -> None:
    result = run("flow", *arguments.split())
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert result.stderr


def test_flow_takes_a_spec_from_standard_input() -> None:
    spec = (
        "gradcli: 1\nname: piped\ndata: {inputs: {shape: [4, 3]}, targets: auto}\n"
        "network: [{dense: 3}, tanh, {dense: 1}]\nloss: mse\n"
    )
    result = run("flow", "-", "--seeds", "1", "--format", "json", stdin=spec)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["results"][0]["name"] == "piped"


def test_flow_shows_every_layer_on_request() -> None:
    deep = ("flow", "--depth", "60", "--width", "8", "--batch", "4", "--seeds", "1")
    assert "dense_32" not in run(*deep).stdout
    assert "dense_32" in run(*deep, "--all").stdout
