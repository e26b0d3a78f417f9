"""Files that are written as a whole or not at all, and reports that cannot be written."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gradcli.cli.main import main
from gradcli.errors import UsageError
from gradcli.files import write_file

RIGHT = "gradcli: 1\ndefine:\n  square: {kind: activation, forward: x**2, derivative: 2 * x}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("right.yaml").write_text(RIGHT)
    return tmp_path


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", "right.yaml", *arguments])


def listed() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_what_is_written_is_there_with_the_usual_permissions(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    write_file(tmp_path / "a.txt", "zwei\nZeilen ×\n")
    write_file(tmp_path / "b.bin", b"\x00\xff")
    assert (tmp_path / "a.txt").read_bytes() == "zwei\nZeilen ×\n".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\xff"
    assert (tmp_path / "a.txt").stat().st_mode == usual.stat().st_mode
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_that_is_replaced_keeps_its_permissions_and_its_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "a.txt", tmp_path / "link.txt"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_file(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize("failing", ["chmod", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(UsageError, match=r"a\.txt cannot be written: No space left on device"):
        write_file(target, "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interrupt_leaves_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "a.txt", "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="files of another kind")
def test_what_is_no_file_or_may_not_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "mine").write_text("old")
    with pytest.raises(UsageError, match="folder cannot be written: it is no ordinary file"):
        write_file(tmp_path / "folder", "")
    with pytest.raises(UsageError, match="pipe cannot be written: it is no ordinary file"):
        write_file(tmp_path / "pipe", "")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everything
    with pytest.raises(UsageError, match="mine cannot be written: Permission denied"):
        write_file(tmp_path / "mine", "")
    assert (tmp_path / "mine").read_text() == "old"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[list[str]]:
    """What runs a command that may write no file of more than 512 bytes."""
    pytest.importorskip("resource", reason="limits of another kind")
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512)); "
        "from gradcli.__main__ import run; run()"
    )
    return [sys.executable, "-c", code]


def test_a_disk_that_is_full_keeps_the_old_report(folder: Path, small_disk: list[str]) -> None:
    Path("out.json").write_text("old")
    command = [*small_disk, "check", "right.yaml", "--report", "out.json"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert "✓ pass  right" in result.stdout
    assert "out.json cannot be written: File too large" in result.stderr
    assert "Traceback" not in result.stderr
    assert Path("out.json").read_text() == "old"
    assert listed() == ["out.json", "right.yaml"]


def test_a_folder_that_takes_no_files_keeps_the_old_report(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused by the system call, since a folder's permissions do not bind everybody."""
    Path("out.json").write_text("old")

    known = os.open

    def refuse(path: str, flags: int, *arguments: int) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return known(path, flags, *arguments)

    monkeypatch.setattr(os, "open", refuse)
    result = check("--report", "out.json")
    assert result.exit_code == 2
    assert "✓ pass  right" in result.stdout
    assert result.stderr == "gradcli: out.json cannot be written: Permission denied\n"
    assert Path("out.json").read_text() == "old"


def test_a_report_that_cannot_be_written_does_not_keep_the_others(folder: Path) -> None:
    Path("taken.md").mkdir()
    Path("gone").mkdir()
    Path("gone/link.txt").symlink_to("nowhere/at/all.txt")
    names = ("taken.md", "gone/link.txt", "out.json", "out.xml")
    result = check(*(part for name in names for part in ("--report", name)))
    assert result.exit_code == 2
    assert "✓ pass  right" in result.stdout
    assert "taken.md cannot be written: it is no ordinary file" in result.stderr
    assert "gone/link.txt cannot be written: No such file or directory" in result.stderr
    assert json.loads(Path("out.json").read_text())["exit_code"] == 0
    assert Path("out.xml").read_text().startswith("<?xml")
    assert listed() == ["gone", "out.json", "out.xml", "right.yaml", "taken.md"]


@pytest.mark.parametrize(
    "twice", [("a.md", "a.md"), ("a.md", "./a.md"), ("a.md", "b/../a.md"), ("a.md", "link.md")]
)
def test_two_reports_in_one_file_are_refused(folder: Path, twice: tuple[str, str]) -> None:
    Path("b").mkdir()
    Path("link.md").symlink_to("a.md")
    result = check("--report", twice[0], "--report", twice[1])
    assert result.exit_code == 2
    assert "is written twice" in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert not Path("a.md").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--report", "a.pdf"), "'a.pdf' must end in one of .json, .md, .svg, .txt, .xml"),
        (("--report", "none/a.md"), "there is no such folder"),
    ],
)
def test_what_cannot_be_a_report_is_refused_before_the_check(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = check(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_a_plot_and_a_report_do_not_share_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradcli.report.figure.require_plotting", lambda: None)
    arguments = ["flow", "--depth", "2", "--plot", "a.svg", "--report", "./a.svg"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "a.svg is written twice" in result.stderr
    assert result.stdout == ""


def test_only_what_has_cases_is_written_as_cases(folder: Path) -> None:
    for arguments in (["flow", "--report", "a.xml"], ["list", "--format", "junit"]):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output
        assert "markdown" in result.stderr or "must end in one of" in result.stderr


@pytest.mark.parametrize("suffix", ["json", "md", "svg", "txt", "xml"])
def test_every_kind_is_the_same_twice(folder: Path, suffix: str) -> None:
    names = (f"a.{suffix}", f"b.{suffix}")
    for name in names:
        assert check("--report", name).exit_code == 0
    first, second = (Path(name).read_bytes() for name in names)
    assert first
    assert first == second
