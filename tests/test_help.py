"""The examples that every command's help gives, run as they stand."""

from __future__ import annotations

import click
import pytest
from readme import run

from gradcli.cli.group import Command, LazyGroup
from gradcli.cli.main import main

GROUP = click.Context(main)
MINUTES = {"gradcli flow --paper --report paper.md"}
"""What takes long: its own tests run it with less to do."""
EXAMPLES = {
    name: command.examples
    for name in ("", *main.list_commands(GROUP))
    if isinstance(command := main.get_command(GROUP, name) or main, Command | LazyGroup)
}
MADE_FOR = {"gradcli check layer.yaml": "gradcli new layer"}
"""How an example begins that speaks of a file of the reader's own -> what makes one."""
SMALLER = "--width 16 --batch 8 --seeds 2"
"""Of a network that is built: the same example, sooner. So is one folder of `specs/` for all."""
FAILS = {"gradcli flow --depth 50 --init pytorch_default --fail-on vanishing,exploding"}
"""What is there to show a gate that is hit."""
DRAWN = ("| dot -Tsvg", "| cat")
"""What is another program's, and need not be here."""


def line_of(example: str) -> str:
    """The command alone: the examples of the group say behind it what it is for."""
    return example.partition("   ")[0]


def test_every_command_has_an_example_of_itself() -> None:
    assert set(EXAMPLES) == {"", *main.list_commands(GROUP)}
    for name, examples in EXAMPLES.items():
        assert examples
        assert all(f"{each} ".startswith(f"gradcli {name}".rstrip() + " ") for each in examples)


@pytest.mark.parametrize(
    "example",
    sorted({line_of(each) for all_ in EXAMPLES.values() for each in all_} - MINUTES),
)
def test_an_example_runs(example: str) -> None:
    made = [command for start, command in MADE_FOR.items() if example.startswith(start)]
    builds = example.startswith("gradcli flow --") and "--critical" not in example
    line = f"{example} {SMALLER if builds else ''}".replace(" specs/ ", " specs/course-notes/ ")
    shown = run(f"{line.replace(*DRAWN)}\necho code $?", made)
    assert shown.splitlines()[-1] == f"code {int(example in FAILS)}", shown
