"""The README's console blocks: `python tests/readme.py` writes their output anew."""

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


class Console(NamedTuple):
    """A command and the output that stands below it."""

    command: str
    output: str


def consoles(text: str) -> list[Console]:
    return [Console(match["command"], match["output"]) for match in _BLOCK.finditer(text)]


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


def refreshed(text: str) -> str:
    return _BLOCK.sub(
        lambda match: f"```console\n$ {match['command']}\n{run(match['command'])}```", text
    )


if __name__ == "__main__":
    README.write_text(refreshed(README.read_text("utf-8")), "utf-8")
