"""The command as a process of its own, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import gradcli

__all__ = ["COMMAND", "ENVIRONMENT", "run"]

COMMAND = [sys.executable, "-c", "from gradcli.__main__ import run; run()"]
"""What the installed script does."""
ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR", "NO_COLOR")},
    "PYTHONPATH": str(Path(gradcli.__file__).parents[1]),  # in any folder, installed or not
}


def run(
    *arguments: object, command: Sequence[str] = COMMAND, **options: object
) -> subprocess.CompletedProcess[bytes]:
    """What becomes of `gradcli ARGUMENTS`; the options are those of `subprocess.run`."""
    environment = {**ENVIRONMENT, **options.pop("env", {})}  # type: ignore[dict-item]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60, **options}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [*command, *map(str, arguments)], env=environment, **options
    )
