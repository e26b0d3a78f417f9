"""pytest run in a process of its own, with the plugin and no other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import gradcli

__all__ = ["outcomes", "run_pytest"]

ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV_"))},
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # the same whether or not the plugin is installed
    "PYTHONPATH": str(Path(gradcli.__file__).parents[1]),
    "COLUMNS": "120",
    "NO_COLOR": "1",
}


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `pytest` prints in a folder."""
    plugins = ["-p", "gradcli.pytest_plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *plugins, *arguments]
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120
    )


def outcomes(printed: str) -> dict[str, str]:
    """Outcomes by node id, of a run with `-v`."""
    found = re.findall(r"^(\S+\.grad\.yaml::.*?) (PASSED|FAILED|SKIPPED|ERROR)", printed, re.M)
    return {name: outcome.lower() for name, outcome in found}
