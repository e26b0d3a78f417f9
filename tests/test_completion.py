"""What the shell completes: of the command, as Click's scripts for each shell ask for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

import gradcli
from gradcli.cli.main import main
from gradcli.templates import template_names

FILE = "file"
"""Stands for whatever files there are, which the shell finds itself."""


def offered(line: str) -> set[str]:
    """What completes the last word of a line that begins with `gradcli`; it may be empty."""
    _, *words, last = line.split(" ")
    completion = ShellComplete(main, {}, "gradcli", "_GRADCLI_COMPLETE")
    items = completion.get_completions(words, last)
    return {FILE if item.type == "file" else item.value for item in items}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("gradcli ch", {"check"}),
        ("gradcli check sp", {FILE}),
        ("gradcli check a.yaml b", {FILE}),
        ("gradcli check --wrt in", {"inputs"}),
        ("gradcli check --require ", {"excellent", "good", "acceptable"}),
        ("gradcli check a.yaml --report ", {FILE}),
        ("gradcli flow ", {FILE}),
        ("gradcli flow --activation sig", {"sigmoid"}),
        ("gradcli flow --init he", {"he_normal", "he_uniform"}),
        ("gradcli flow --loss hu", {"huber"}),
        ("gradcli flow --fail-on van", {"vanishing"}),
        ("gradcli flow --write-spec a", {FILE}),
        ("gradcli curvature a", {FILE}),
        ("gradcli loss mae hu", {"huber", FILE}),
        ("gradcli explain hub", {"huber", FILE}),
        ("gradcli explain huber gc10", {*(f"GC10{number}" for number in range(10)), FILE}),
        ("gradcli list lo", {"losses"}),
        ("gradcli train --optimizer ada", {"adam", "adamw"}),
        ("gradcli train --schedule cos", {"cosine"}),
        ("gradcli train --curriculum self", {"self_paced"}),
        ("gradcli train --fail-on div", {"diverged"}),
        ("gradcli new ", set(template_names())),
        ("gradcli new layer my", {FILE}),
    ],
)
def test_the_shell_completes(line: str, expected: set[str]) -> None:
    assert offered(line) == expected


def ask(shell: str, what: str, **variables: str) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(gradcli.__file__).parents[1]),
        "_GRADCLI_COMPLETE": f"{shell}_{what}",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-c", "from gradcli.__main__ import run; run()"],
        env=environment, capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_answered(shell: str) -> None:
    script = ask(shell, "source")
    assert f"_GRADCLI_COMPLETE={shell}_complete" in script
    answer = ask(shell, "complete", COMP_WORDS="gradcli new lay", COMP_CWORD="2")
    if shell == "fish":
        answer = ask(shell, "complete", COMP_WORDS="gradcli new lay", COMP_CWORD="lay")
    assert answer.replace(",", "\n").split()[:2] == ["plain", "layer"]


@pytest.mark.parametrize("words", ["explain hub", "loss mae hub", "loss hub"])
def test_bash_is_left_names_where_there_could_be_files(words: str) -> None:
    position = str(1 + words.count(" "))
    answer = ask("bash", "complete", COMP_WORDS=f"gradcli {words}", COMP_CWORD=position)
    script = ask("bash", "source").replace("$(env ", '$(echo "$ANSWER"; : ')
    play = f"compopt() {{ :; }}\n{script}\n_gradcli_completion gradcli; echo $COMPREPLY"
    played = subprocess.run(
        ["bash", "-c", play],
        env={**os.environ, "ANSWER": answer},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert played.stdout == "huber\n"


def takes_a_file(param: click.Parameter) -> bool:
    return isinstance(param.metavar, str) and bool(
        {"FILE", "SPEC"} & set(re.findall(r"[A-Z]+", param.metavar))
    )


@pytest.mark.parametrize("name", main.list_commands(click.Context(main)))
def test_whatever_takes_a_file_has_files_completed(name: str) -> None:
    context = click.Context(main)
    command = main.get_command(context, name)
    assert command is not None
    for param in filter(takes_a_file, command.params):
        items = param.shell_complete(click.Context(command), "x")
        assert "file" in [item.type for item in items], param.name
