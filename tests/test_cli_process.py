"""The command line as a process: pipes, encodings, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from process import COMMAND, ENVIRONMENT, run

WRONG = "gradcli: 1\ndefine:\n  größe: {kind: activation, forward: x**2, derivative: 3 * x}\n"
SLOW = """\
gradcli: 1
define:
  endless:
    kind: function
    python: slow.py
    forward: forward
    backward: backward
    inputs: {x: {shape: [2]}}
"""
SLOW_PYTHON = """\
import pathlib, time

def forward(x):
    pathlib.Path("started").touch()
    time.sleep(60)
    return x

def backward(inputs, output, cotangent):
    return {"x": cotangent}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.yaml"
    path.write_text(WRONG.replace("größe", "size"), encoding="utf-8")
    return path


@pytest.mark.parametrize("command", [COMMAND, [sys.executable, "-m", "gradcli"]])
def test_the_module_is_the_command(spec: Path, command: list[str]) -> None:
    result = run("check", spec, command=command)
    assert result.returncode == 1
    assert b"GC102" in result.stdout
    assert result.stderr == b""
    assert b"Usage: gradcli " in run("--help", command=command).stdout


def test_the_process_ends_at_once_but_not_before_what_asked_to_be_called(spec: Path) -> None:
    code = """
import atexit, sys, threading
from gradcli.__main__ import run
sys.stdout.write("before, ")
atexit.register(sys.stdout.write, "called")
threading.Thread(target=threading.Event().wait).start()  # would keep the interpreter for ever
sys.argv[1:] = ["--version"]
run()
"""
    result = run(command=[sys.executable, "-c", code])
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"before, gradcli ")
    assert result.stdout.endswith(b"\ncalled")


@pytest.mark.skipif(os.name == "nt", reason="a shell of another kind")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_may_be_closed_from_the_start(spec: Path, closed: str) -> None:
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND]
    assert run("check", spec, command=command).returncode == 1


@pytest.mark.parametrize("arguments", [["check"], ["check", "--format", "json"], ["--help"]])
def test_a_reader_that_closes_the_pipe_changes_nothing(spec: Path, arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        result = run(*arguments, *([spec] if arguments[0] == "check" else []), stdout=write)
    finally:
        os.close(write)
    assert result.returncode == (1 if arguments[0] == "check" else 0)
    assert result.stderr == b""


def test_both_streams_may_be_closed_pipes(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        result = run("check", tmp_path / "missing.yaml", stdout=write, stderr=write)
    finally:
        os.close(write)
    assert result.returncode == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_exit_2(spec: Path) -> None:
    with open("/dev/full", "wb") as full:
        result = run("check", spec, stdout=full)
    assert result.returncode == 2
    assert result.stderr.startswith(b"gradcli: standard output cannot be written: ")
    assert b"Traceback" not in result.stderr


def test_an_ascii_terminal_gets_ascii(tmp_path: Path) -> None:
    path = tmp_path / "größe.yaml"
    path.write_text(WRONG, encoding="utf-8")
    result = run("check", path, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert result.returncode == 2  # a definition's name is written in ASCII
    assert (result.stdout + result.stderr).isascii()
    assert b"Traceback" not in result.stderr


def test_a_name_that_is_no_text_is_shown_somehow(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.yaml"
    result = run("check", os.fsdecode(path))
    assert result.returncode == 2
    assert b"Traceback" not in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
def test_ctrl_c_is_exit_130_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW, encoding="utf-8")
    (tmp_path / "slow.py").write_text(SLOW_PYTHON, encoding="utf-8")
    command = [*COMMAND, "check", "slow.yaml", "--allow-python"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in stdout + stderr
    assert b"interrupted" in stdout + stderr
