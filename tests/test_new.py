"""Specs to start from: each passes as written, and fails as its comments say when broken so."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner, Result

from gradcli.cli.main import main
from gradcli.templates import all_templates, template_names

NAMES = template_names()
BREAK = re.compile(
    r"^(?P<right>[^\n]+)\n"
    r"(?P<pad> *)# Break it on purpose: with this line instead, gradcli (?P<command>check|flow)"
    r" exits 1 with (?P<code>G[CF]\d+)\.\n"
    r"(?P=pad)# (?P<wrong>[^\n]+)$",
    re.M,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(line: str, stdin: str | None = None) -> Result:
    program, *arguments = shlex.split(line)
    assert program == "gradcli"
    return CliRunner().invoke(main, arguments, input=stdin)


def written(line: str) -> tuple[list[str], str]:
    """The files that a command writes, as it says, and what it says to do next."""
    result = run(line)
    assert result.exit_code == 0, result.output
    told = re.fullmatch(r"written: ([^\n]+)\nnext: ([^\n]+)\n", result.stdout)
    assert told, result.stdout
    files = told[1].split(", ")
    assert all(Path(file).is_file() for file in files)
    return files, told[2]


class Broken(NamedTuple):
    """What the comments of a file say: its text with the mistake, and what finds that."""

    path: Path
    text: str
    command: str
    code: str


def broken(files: list[str]) -> list[Broken]:
    found = []
    for path in map(Path, files):
        text = path.read_text("utf-8")
        for match in BREAK.finditer(text):
            right, wrong = match["right"], match["pad"] + match["wrong"]
            changed = text.replace(f"{right}\n", f"{wrong}\n", 1)
            found.append(Broken(path, changed, match["command"], match["code"]))
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", [None, "sub/of my-own.grad.yaml"], ids=["", "renamed"])
def test_a_template_is_green_until_it_is_broken_as_it_says(name: str, file: str | None) -> None:
    Path("sub").mkdir()
    files, then = written(f"gradcli new {name} {shlex.quote(file) if file else ''}")
    assert files[0] == (file or f"{name}.yaml")
    for command in (then, then.replace(" flow ", " check ")):
        assert run(command).exit_code == 0, run(command).output
    (one,) = broken(files)
    assert then.startswith(f"gradcli {one.command} ")
    one.path.write_text(one.text, "utf-8")
    result = run(then)
    assert result.exit_code == 1, result.output
    errors = re.findall(r"✗ (G[CF]\d+)", result.stdout)
    assert set(errors) == {one.code}


@pytest.mark.parametrize("name", NAMES)
def test_a_template_says_on_its_first_lines_what_it_is_and_what_runs_it(name: str) -> None:
    files, then = written(f"gradcli new {name}")
    first, second, *_ = Path(files[0]).read_text("utf-8").splitlines()
    (template,) = (each for each in all_templates() if each.name == name)
    assert first == f"# {template.summary}"
    assert second == f"#   {then}"
    for file in files:
        text = Path(file).read_text("utf-8")
        assert max(map(len, text.splitlines())) <= 100
        if file.endswith(".py"):
            assert ast.get_docstring(ast.parse(text))


def test_the_kinds_of_definitions_are_all_there() -> None:
    kinds = {kind for each in all_templates() for kind in re.findall(r"kind: (\w+)", each.spec)}
    assert kinds == {"activation", "loss", "function", "layer"}


def test_without_a_template_all_are_listed() -> None:
    result = run("gradcli new")
    assert result.exit_code == 0
    told = " ".join(result.stdout.split())
    for each in all_templates():
        assert f"{each.name} {each.summary} {', '.join(each.files)}" in told
    assert not list(Path().iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_standard_output_gets_the_spec_alone(name: str) -> None:
    result = run(f"gradcli new {name} -")
    (template,) = (each for each in all_templates() if each.name == name)
    assert result.stdout == template.spec
    assert result.stderr.startswith("it reads ") == (len(template.files) > 1)
    assert not list(Path().iterdir())


@pytest.mark.parametrize("there", ["layer.yaml", "layer.py"])
def test_what_exists_is_kept_unless_it_is_to_be_replaced(there: str) -> None:
    Path(there).write_text("mine", "utf-8")
    result = run("gradcli new layer")
    assert result.exit_code == 2
    assert result.stderr == f"gradcli: {there} exists already: --overwrite replaces it\n"
    assert [path.name for path in Path().iterdir()] == [there]
    assert Path(there).read_text("utf-8") == "mine"
    written("gradcli new layer --overwrite")
    assert "mine" not in Path(there).read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("laier", "there is no template 'laier'; did you mean layer?"),
        ("zzz", f"there is no template 'zzz'; there are {', '.join(NAMES)}"),
        ("../layer", "there is no template '../layer'"),
        ("layer layer.txt", "layer.txt must end in .yaml or .yml, as a spec does"),
        ("layer none/layer.yaml", "none/layer.yaml cannot be written: No such file or directory"),
        ("layer folder.yaml", "folder.yaml exists already"),
        ("layer folder.yaml --overwrite", "folder.yaml cannot be written: it is no ordinary file"),
        ("layer 'a\nb.yaml'", r"'a\nb.yaml' cannot be written in a spec"),
    ],
)
def test_what_cannot_be_written_is_refused(arguments: str, message: str) -> None:
    Path("folder.yaml").mkdir()
    result = run(f"gradcli new {arguments}")
    assert result.exit_code == 2
    assert message in result.stderr
    assert [path.name for path in Path().iterdir()] == ["folder.yaml"]
