"""Whatever the command is run in, on and with: a clear message, the right exit code, and no more.

Each through the real command, as a process.
"""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from process import COMMAND, ENVIRONMENT, run

RIGHT = """\
gradcli: 1
data: {inputs: {shape: [4, 3]}, targets: auto}
network: [dense: 2, tanh]
loss: mse
"""
WRONG = "gradcli: 1\ndefine:\n  own: {kind: activation, forward: x**2, derivative: 3 * x}\n"
FULL = Path("/dev/full")
needs_devices = pytest.mark.skipif(not FULL.exists(), reason="needs the devices of Linux")
MORTAL = [
    *(["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []),
    *COMMAND,
]
"""The command for which permissions count: not for root, unless it can give that up."""
needs_permissions = pytest.mark.skipif(
    MORTAL != COMMAND and shutil.which("setpriv") is None, reason="permissions do not bind root"
)
LONG = "a" * 300
"""More letters than the name of a file may have."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "right.yaml").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(WRONG, encoding="utf-8")
    return tmp_path


def said(result: subprocess.CompletedProcess[bytes]) -> str:
    """All that was said, without a traceback in it."""
    text = (result.stdout or b"") + (result.stderr or b"")
    assert b"Traceback" not in text, text
    return " ".join(text.decode().split())


@needs_devices
@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "right.yaml"], ["check", "right.yaml", "--format", "json"], ["--help"],
        ["check", "--help"], ["--version"], ["schema"], ["new"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_full_disk(folder: Path, arguments: list[str]) -> None:
    with FULL.open("wb") as full:
        result = run(*arguments, stdout=full, cwd=folder)
    assert result.returncode == 2
    assert said(result).startswith("gradcli: standard output cannot be written: No space left")


@needs_devices
def test_a_completion_on_a_full_disk(folder: Path) -> None:
    with FULL.open("wb") as full:
        result = run(stdout=full, cwd=folder, env={"_GRADCLI_COMPLETE": "bash_source"})
    assert result.returncode == 2
    assert said(result).startswith("gradcli: standard output cannot be written: No space left")


@needs_devices
def test_both_streams_on_a_full_disk(folder: Path) -> None:
    with FULL.open("wb") as full:
        assert run("check", "wrong.yaml", stdout=full, stderr=full, cwd=folder).returncode == 2


@pytest.mark.parametrize(
    ("option", "why"),
    [
        (["--report", "none/x.md"], "there is no such folder"),
        (["--report", "right.yaml/x.md"], "there is no such folder"),
        (["--report", f"{LONG}/x.md"], "there is no such folder"),
        (["--report", f"{LONG}.md"], "cannot be written: File name too long"),
        (["--report", "folder.md"], "cannot be written: it is no ordinary file"),
        (["--report", "pipe.md"], "cannot be written: it is no ordinary file"),
        (["--report", "one.md", "--report", "./one.md"], "written twice"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_report_that_cannot_be_written(folder: Path, option: list[str], why: str) -> None:
    (folder / "folder.md").mkdir()
    os.mkfifo(folder / "pipe.md")
    before = sorted(folder.iterdir())
    result = run("check", "right.yaml", *option, cwd=folder)
    assert result.returncode == 2
    assert why in said(result)
    assert sorted(folder.iterdir()) == before


def test_a_report_takes_the_place_of_a_link_that_leads_in_circles(folder: Path) -> None:
    (folder / "loop.md").symlink_to("loop.md")
    result = run("check", "right.yaml", "--report", "loop.md", cwd=folder)
    assert result.returncode == 0, said(result)
    assert (folder / "loop.md").read_text(encoding="utf-8").startswith("#")


@needs_permissions
def test_a_folder_that_cannot_be_written_to(folder: Path) -> None:
    folder.chmod(0o555)
    try:
        result = run("check", "right.yaml", "--report", "x.md", command=MORTAL, cwd=folder)
    finally:
        folder.chmod(0o755)
    assert result.returncode == 2
    assert "x.md cannot be written: Permission denied" in said(result)
    assert not (folder / "x.md").exists()


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("missing.yaml", "cannot read the spec: No such file"),
        ("", "the path of a spec is empty"),
        (f"{LONG}.yaml", "cannot read the spec: File name too long"),
        ("right.yaml/x.yaml", "cannot read the spec: Not a directory"),
        ("empty", "there are no specs (*.yaml) in empty"),
        ("pipe.yaml", "cannot read the spec: it is a pipe that nobody writes to"),
        ("loop.yaml", "cannot read the spec: Too many levels of symbolic links"),
        ("nowhere.yaml", "cannot read the spec: No such file"),
        pytest.param("/dev/zero", "it is a device, not a file", marks=needs_devices),
        pytest.param("/dev/null", "it is a device, not a file", marks=needs_devices),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_spec_that_is_no_file(folder: Path, spec: str, why: str) -> None:
    (folder / "empty").mkdir()
    os.mkfifo(folder / "pipe.yaml")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    (folder / "nowhere.yaml").symlink_to("gone.yaml")
    result = run("check", spec, cwd=folder, timeout=20)
    assert result.returncode == 2
    assert why in said(result)


def test_a_folder_of_whatever_there_is_hides_no_result(folder: Path) -> None:
    """Links to folders above are not followed, and what is no spec is said to be none."""
    os.mkfifo(folder / "pipe.yaml")
    (folder / "gone.yaml").symlink_to("missing.yaml")
    (folder / "inner").mkdir()
    (folder / "inner" / "above").symlink_to("..")
    (folder / "inner" / "also.yaml").write_text(RIGHT, encoding="utf-8")
    (folder / "folder.yaml").mkdir()
    result = run("check", ".", cwd=folder, timeout=30)
    text = said(result)
    assert result.returncode == 2
    assert "5 specs: 2 ok, 1 wrong, 2 invalid" in text.replace(" ·", ",")
    assert "pipe.yaml: SP001" in text
    assert "gone.yaml: SP001" in text


@needs_permissions
def test_a_folder_that_cannot_be_searched_is_not_passed_over(folder: Path) -> None:
    (folder / "shut").mkdir(mode=0o000)
    result = run("check", ".", command=MORTAL, cwd=folder)
    assert result.returncode == 2
    assert "shut: Permission denied" in said(result)


@pytest.mark.parametrize("spec", ["/dev/stdin", "/dev/fd/0", "-"])
def test_a_pipe_somebody_writes_to_is_a_spec(spec: str) -> None:
    """As a shell's `<(...)` makes one; the writer may take its time."""
    process = subprocess.Popen(
        [*COMMAND, "check", spec], env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(RIGHT[:30].encode())
    process.stdin.flush()
    time.sleep(0.3)
    stdout, _ = process.communicate(RIGHT[30:].encode(), timeout=60)
    assert process.returncode == 0
    assert b"1 ok" in stdout


def test_standard_input_may_be_closed(folder: Path) -> None:
    shell = ["sh", "-c", 'exec "$@" <&-', "sh", *COMMAND]
    result = run("flow", "-", command=shell, cwd=folder)
    assert result.returncode == 2
    assert "there is no standard input to read a spec from" in said(result)
    assert run("check", "right.yaml", command=shell, cwd=folder).returncode == 0


def test_standard_input_may_be_a_terminal(folder: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "check", "-"], env=ENVIRONMENT, stdin=theirs, stdout=-1, stderr=-1
    )
    os.close(theirs)
    os.write(ours, RIGHT.encode() + b"\x04")
    stdout, stderr = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert b"1 ok" in stdout
    assert stderr == b"reading a spec from the terminal: Ctrl-D on a line of its own ends it\n"


@needs_devices
def test_standard_input_may_never_end() -> None:
    with open("/dev/zero", "rb") as endless:
        result = run("check", "-", stdin=endless)
    assert result.returncode == 2
    assert "the spec is larger than 1 MiB" in said(result)


@pytest.mark.parametrize("width", ["20", "0", "-3", "100000"])
def test_a_terminal_of_any_width(folder: Path, width: str) -> None:
    result = run("check", ".", env={"COLUMNS": width}, cwd=folder)
    assert result.returncode == 1
    assert "GC102" in said(result)
    longest = max(map(len, result.stdout.decode().splitlines()))
    if width == "20":
        assert longest <= 40  # the narrowest that is drawn for


@pytest.mark.parametrize("terminal", ["dumb", "", "no-such-terminal"])
def test_any_terminal(folder: Path, terminal: str) -> None:
    """Colour is for terminals that have it; on a dumb one nothing but text is written."""
    ours, theirs = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": terminal, "COLUMNS": "60"}
    process = subprocess.Popen(
        [*COMMAND, "check", "."], env=environment, stdout=theirs, stderr=theirs, cwd=folder
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # Linux says so at the end
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 1
    assert b"GC102" in shown
    assert (b"\x1b" in shown) == (terminal != "dumb")


NO_UTF_8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check", "."], 1), (["flow", "--depth", "4", "--width", "4"], 0), (["loss", "huber"], 0),
        (["explain", "vanishing gradient"], 0), (["schema"], 0), (["check", "größe-∂.yaml"], 2),
    ],
    ids=str,
)  # fmt: skip
def test_an_encoding_of_nothing_but_ascii(folder: Path, arguments: list[str], code: int) -> None:
    """What it lacks is spelled in what it has, or shown as a question mark."""
    result = run(*arguments, env={**NO_UTF_8, "PYTHONIOENCODING": "ascii:strict"}, cwd=folder)
    assert result.returncode == code
    assert b"Traceback" not in result.stdout + result.stderr
    assert (result.stdout + result.stderr).isascii()


@pytest.mark.parametrize(
    "environment",
    [
        NO_UTF_8,
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "utf-16"},
        {"LC_ALL": "no_such_LOCALE"},
    ],
    ids=str,
)
def test_any_encoding(folder: Path, environment: dict[str, str]) -> None:
    result = run("check", "wrong.yaml", env=environment, cwd=folder)
    assert result.returncode == 1
    assert b"Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_a_spec_saved_by_another_system(folder: Path, end: str) -> None:
    (folder / "theirs.yaml").write_bytes(b"\xef\xbb\xbf" + WRONG.replace("\n", end).encode())
    result, expected = (run("check", name, cwd=folder) for name in ("theirs.yaml", "wrong.yaml"))
    assert result.stdout.replace(b"theirs", b"wrong") == expected.stdout


def test_a_data_file_saved_by_another_system(folder: Path) -> None:
    (folder / "data.csv").write_bytes(b"\xef\xbb\xbfa,b,y\r\n1,2,3\r\n4,5,6\r\n")
    spec = "gradcli: 1\ndata: {file: data.csv, inputs: [a, b], targets: [y]}\n"
    (folder / "own.yaml").write_text(spec + "network: [dense: 1]\nloss: mse\n", encoding="utf-8")
    assert run("check", "own.yaml", cwd=folder).returncode == 0


def test_no_home(folder: Path) -> None:
    environment = {k: v for k, v in ENVIRONMENT.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    for home in ({}, {"HOME": "/nonexistent"}):
        result = subprocess.run(
            [*COMMAND, "check", "right.yaml"],
            env={**environment, **home},
            cwd=folder,
            capture_output=True,
            timeout=60,
        )
        assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("spec", "code"), [("{}/right.yaml", 0), ("right.yaml", 2), (".", 2), ("-", 0)]
)
def test_a_working_folder_that_is_gone(folder: Path, spec: str, code: int) -> None:
    (folder / "gone").mkdir()
    shell = ["sh", "-c", f'cd "{folder}/gone" && rmdir "{folder}/gone" && exec "$@"', "sh"]
    result = run(
        "check", spec.format(folder), command=[*shell, *COMMAND], input=RIGHT.encode(), cwd=folder
    )
    assert result.returncode == code, said(result)
    said(result)


def test_a_spec_that_disappears_while_it_runs(folder: Path) -> None:
    """It has been read by then; the next one, which goes first, is reported as missing."""
    (folder / "a.yaml").write_text(_RUNS_PYTHON, encoding="utf-8")
    code = "import pathlib, shutil\nhere = pathlib.Path(__file__).parent\n"
    code += "[path.unlink(missing_ok=True) for path in here.glob('*.yaml')]\n"
    code += "def forward(x):\n    return x * x\n"
    code += (
        "def backward(inputs, output, cotangent):\n    return {'x': 3 * inputs['x'] * cotangent}\n"
    )
    (folder / "own.py").write_text(code, encoding="utf-8")
    result = run("check", ".", "--allow-python", cwd=folder)
    text = said(result)
    assert result.returncode == 2
    assert "GC102" in text
    assert "right.yaml: SP001 cannot read the spec: No such file" in text


_RUNS_PYTHON = """\
gradcli: 1
define:
  own:
    kind: function
    python: own.py
    forward: forward
    backward: backward
    inputs: {x: {shape: [2]}}
"""


def test_a_spec_that_changes_while_it_runs_is_shown_as_it_was_read(folder: Path) -> None:
    (folder / "a.yaml").write_text(_RUNS_PYTHON, encoding="utf-8")
    code = "import pathlib\nhere = pathlib.Path(__file__).parent\n"
    code += "(here / 'a.yaml').write_text('gradcli: 2')\n"
    code += "def forward(x):\n    raise ValueError('on purpose')\n"
    code += "def backward(inputs, output, cotangent):\n    return {}\n"
    (folder / "own.py").write_text(code, encoding="utf-8")
    result = run("check", "a.yaml", "--allow-python", cwd=folder)
    assert result.returncode == 2
    assert "on purpose" in said(result)
    assert "own:" in said(result)
