"""How long the command takes to start, beside the libraries that it cannot do without.

Run by hand, with the interpreter that gradcli is installed for (not in editable mode, which is
slower): python tests/benchmarks/startup.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

REPEATS: Final = 25
SPEC: Final = Path(__file__).parents[2] / "specs" / "quickstart.yaml"
GRADCLI: Final = str(Path(sysconfig.get_path("scripts"), "gradcli"))
PAIRS: Final = (
    ("gradcli --help", [GRADCLI, "--help"], "click", 1.5),
    ("gradcli check specs/quickstart.yaml", [GRADCLI, "check", str(SPEC)], "numpy", 2.0),
)
"""What is shown, the command, the import that it is compared with, and the largest ratio."""


def seconds(command: list[str], folder: str) -> float:
    """Wall time of a process, with the bytecode that an installed package has."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Each command and its import in turn: what slows the machine down slows both."""
    with tempfile.TemporaryDirectory() as folder:
        for shown, command, library, target in PAIRS:
            imported = [sys.executable, "-c", f"import {library}"]
            for warm_up in (command, imported):
                seconds(warm_up, folder)
            pairs = [(seconds(command, folder), seconds(imported, folder)) for _ in range(REPEATS)]
            own, other = (median(each) for each in zip(*pairs, strict=True))
            ratio = median(a / b for a, b in pairs)
            print(
                f"{shown:<36} {1e3 * own:5.0f} ms   import {library} {1e3 * other:5.0f} ms   "
                f"{ratio:.2f} times   (target: at most {target})"
            )


if __name__ == "__main__":
    main()
