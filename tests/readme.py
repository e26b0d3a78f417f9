"""What the README shows of the program, written anew by `python tests/readme.py`.

Two kinds of blocks: console blocks with the output of their first line, and tables between
`<!-- gradcli list ... -->` and `<!-- end -->`. `python tests/readme.py tables` does only these.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
_BLOCK = re.compile(r"^```console\n\$ (?P<command>[^\n]+)\n(?P<output>.*?)^```$", re.M | re.S)
_TABLE = re.compile(
    r"^<!-- (?P<command>gradcli list [^\n]+) -->\n(?P<output>.*?)^<!-- end -->$", re.M | re.S
)


class Shown(NamedTuple):
    """A command and the output that stands below it."""

    command: str
    output: str


def consoles(text: str) -> list[Shown]:
    return [Shown(match["command"], match["output"]) for match in _BLOCK.finditer(text)]


def tables(text: str) -> list[Shown]:
    return [Shown(match["command"], match["output"]) for match in _TABLE.finditer(text)]


def table(command: str) -> str:
    """A table of the catalogue, set off from its markers."""
    return f"\n{run(f'{command} --format markdown')}\n"


def run(command: str) -> str:
    """What a terminal of 80 columns without colour would show."""
    folder = Path(sys.executable).parent
    environment = {
        **{name: value for name, value in os.environ.items() if name != "FORCE_COLOR"},
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "PYTHONUTF8": "1",
    }
    done = subprocess.run(
        ["bash", "-c", f"gradcli() {{ '{sys.executable}' -m gradcli \"$@\"; }}; {command}"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.stdout


def with_tables(text: str) -> str:
    return _TABLE.sub(
        lambda match: f"<!-- {match['command']} -->\n{table(match['command'])}<!-- end -->", text
    )


def with_consoles(text: str) -> str:
    return _BLOCK.sub(
        lambda match: f"```console\n$ {match['command']}\n{run(match['command'])}```", text
    )


if __name__ == "__main__":
    text = with_tables(README.read_text("utf-8"))
    README.write_text(text if sys.argv[1:] == ["tables"] else with_consoles(text), "utf-8")
