"""What the README shows of the program, written anew by `python tests/readme.py`.

Three kinds of blocks: console blocks with the output of their first line, tables between
`<!-- gradcli list ... -->` and `<!-- end -->`, and pictures below `<!-- gradcli ... -->`, which are
what that command exports. `python tests/readme.py tables` does only the tables.

The console blocks of a section follow each other in one folder, where `specs` is at hand.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import gradcli

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
_BLOCK = re.compile(r"^```console\n\$ (?P<command>[^\n]+)\n(?P<output>.*?)^```$", re.M | re.S)
_TABLE = re.compile(
    r"^<!-- (?P<command>gradcli list [^\n]+) -->\n(?P<output>.*?)^<!-- end -->$", re.M | re.S
)
_PICTURE = re.compile(
    r"^<!-- (?P<command>gradcli [^\n]+) -->\n!\[[^]]*\]\((?P<path>[^)]+)\)$", re.M
)


class Shown(NamedTuple):
    """A command, the output that stands below it, and the commands that went before it."""

    command: str
    output: str
    before: tuple[str, ...] = ()


class Picture(NamedTuple):
    """A command, the file that holds what it exports, and the commands that went before it."""

    command: str
    path: str
    before: tuple[str, ...]


def consoles(text: str) -> list[Shown]:
    return [
        Shown(match["command"], match["output"], _before(text, match.start()))
        for match in _BLOCK.finditer(text)
    ]


def pictures(text: str) -> list[Picture]:
    return [
        Picture(match["command"], match["path"], _before(text, match.start()))
        for match in _PICTURE.finditer(text)
    ]


def _before(text: str, place: int) -> tuple[str, ...]:
    """The commands of the section up to a place in it."""
    section = text[text.rfind("\n## ", 0, place) + 1 : place]
    return tuple(match["command"] for match in _BLOCK.finditer(section))


def tables(text: str) -> list[Shown]:
    return [Shown(match["command"], match["output"]) for match in _TABLE.finditer(text)]


def table(command: str) -> str:
    """A table of the catalogue, set off from its markers."""
    return f"\n{run(f'{command} --format markdown')}\n"


def run(command: str, before: Sequence[str] = ()) -> str:
    """What a terminal of 80 columns without colour would show, in a folder of its own."""
    script = "\n".join([*(f"{{\n{earlier}\n}} >/dev/null 2>&1" for earlier in before), command])
    with tempfile.TemporaryDirectory() as place:
        program, folder = Path(place, "bin", "gradcli"), Path(place, "here")
        for made in (program.parent, folder):
            made.mkdir()
        program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m gradcli \"$@\"\n", "utf-8")
        program.chmod(0o755)
        (folder / "specs").symlink_to(ROOT / "specs")
        environment = {
            **{name: value for name, value in os.environ.items() if name != "FORCE_COLOR"},
            "COLUMNS": "80",
            "NO_COLOR": "1",
            "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(Path(gradcli.__file__).parents[1]),
            "PYTHONUTF8": "1",
        }
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
        )
    return done.stdout


def export(picture: Picture) -> str:
    """What the command exports as a picture."""
    command = f"{picture.command} --report picture.svg >/dev/null; cat picture.svg"
    return run(command, picture.before)


def with_tables(text: str) -> str:
    return _TABLE.sub(
        lambda match: f"<!-- {match['command']} -->\n{table(match['command'])}<!-- end -->", text
    )


def with_consoles(text: str) -> str:
    shown = iter(consoles(text))
    return _BLOCK.sub(lambda match: _block(next(shown)), text)


def _block(shown: Shown) -> str:
    return f"```console\n$ {shown.command}\n{run(shown.command, shown.before)}```"


if __name__ == "__main__":
    text = with_tables(README.read_text("utf-8"))
    if sys.argv[1:] != ["tables"]:
        text = with_consoles(text)
        for picture in pictures(text):
            (ROOT / picture.path).write_text(export(picture), "utf-8")
    README.write_text(text, "utf-8")
