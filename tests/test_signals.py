"""The command told to end, from its first moment on: it ends, and says so once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from process import COMMAND, ENVIRONMENT, run


def _started(moment: float, number: signal.Signals) -> tuple[int, bytes]:
    """What a long run of flow says when it gets a signal at that moment.

    Once more if that does not end it: where C code looks for an attribute, CPython drops one.
    """
    arguments = ["flow", "--depth", "2000", "--width", "300", "--seeds", "50"]
    process = subprocess.Popen([*COMMAND, *arguments], env=ENVIRONMENT, stdout=-1, stderr=-1)
    time.sleep(moment)
    process.send_signal(number)
    try:
        stdout, stderr = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=40)
    return process.returncode, stdout + stderr


@pytest.mark.parametrize("moment", [0.15, 0.25, 0.4, 1.5])
def test_ctrl_c_at_any_moment(moment: float) -> None:
    code, text = _started(moment, signal.SIGINT)
    assert code == 130
    assert b"interrupted" in text
    assert b"Traceback" not in text


def test_a_request_to_end_is_followed_at_once() -> None:
    assert _started(1.0, signal.SIGTERM) == (-signal.SIGTERM, b"")


def test_ctrl_c_before_anything_is_loaded() -> None:
    """The very first that the command does, once Python has started."""
    code = "import sys, signal\nimport gradcli.__main__\n"
    code += "class Stop:\n    def find_spec(self, name, path, target=None):\n"
    code += "        if name == 'gradcli.cli': raise KeyboardInterrupt\n"
    code += "sys.meta_path.insert(0, Stop())\ngradcli.__main__.run()"
    result = run(command=[sys.executable, "-c", code])
    assert (result.returncode, result.stdout, result.stderr) == (130, b"", b"interrupted\n")
