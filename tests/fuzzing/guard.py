"""Runs a case in this process, watched: time, memory, files, code, and what it says."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import resource
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from fuzzing.case import Case

__all__ = ["ALLOWED_CODES", "CANARY", "Guard", "Outcome"]

ALLOWED_CODES: Final = (0, 1, 2, 3)
CANARY: Final = "canary.py"
"""Python that specs name, which has to stay unread."""

DATA: Final = Path(__file__).parents[2] / "specs" / "data"
"""What the repository's own specs read."""

_SECONDS: Final = 10
"""Of the processor; waiting, for something that never comes, may take a few times as long."""

_SELF_TEST: Final = 12
"""Times as many for a check of every mistake that can be planted, which says how far it is."""

_NOT_DONE: Final = "not done after"

_HANGING: Final = 12
"""Times as many after which a case that does not even hear the clock ends the process."""


class Late(BaseException):
    """The time is over."""


class Outcome(NamedTuple):
    """The exit code, what is wrong with how the case ended (nothing, or it is a bug), and output.

    `seconds` are the processor's.
    """

    code: int
    wrong: str
    stdout: str
    stderr: str
    seconds: float

    @property
    def is_late(self) -> bool:
        return self.wrong.startswith(_NOT_DONE)


class Guard:
    """Runs cases in one folder. Once made, it watches what the whole process opens for writing."""

    def __init__(self, folder: Path, seconds: int = _SECONDS) -> None:
        self.folder = folder
        shutil.copytree(DATA, folder / "data")
        self.seconds = seconds
        self._asked: frozenset[str] = frozenset()
        self._breaches: list[str] = []
        self._on = False
        sys.dont_write_bytecode = True
        sys.addaudithook(self._audit)

    def run(self, case: Case) -> Outcome:
        """What becomes of the case; its files are gone afterwards."""
        faulthandler.dump_traceback_later(_HANGING * self._allowed(case), exit=True)
        for name, data in case.files.items():
            (self.folder / name).write_bytes(data)
        self._asked = case.written
        self._breaches = []
        try:
            code, error, stdout, stderr, seconds = self._called(case)
        finally:
            faulthandler.cancel_dump_traceback_later()
            left = self._cleared(case)
        said = _what_is_wrong(code, stdout, stderr, case)
        wrong = error or "; ".join([*self._breaches, *left][:3]) or said
        return Outcome(code, wrong, stdout, stderr, seconds)

    def _allowed(self, case: Case) -> int:
        return self.seconds * (_SELF_TEST if "--self-test" in case.arguments else 1)

    def _cleared(self, case: Case) -> list[str]:
        """Empty the folder; returns what should not have been in it."""
        left = []
        for path in sorted(self.folder.iterdir()):
            if path.name == DATA.name:
                continue
            if path.name not in {*case.files, *case.written}:
                left.append(f"leaves {path.name}")
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        return left

    def _called(self, case: Case) -> tuple[int, str, str, str, float]:
        from gradcli.cli.main import main

        code, error = -1, ""
        seconds = self._allowed(case)
        start = time.process_time()
        with self._streams(case) as (out, err), _surroundings(self.folder, case.environment):
            self._on = True
            try:
                with _alarm(seconds), warnings.catch_warnings():
                    warnings.simplefilter("error")
                    code = main(list(case.arguments), prog_name="gradcli", standalone_mode=False)
            except Late:
                error = f"{_NOT_DONE} {seconds} s"
            except BaseException as escaped:
                error = f"{type(escaped).__name__} escapes: {escaped}"
            finally:
                self._on = False
            texts = [_text_of(stream) for stream in (out, err)]
        return code, error, texts[0], texts[1], time.process_time() - start

    @contextlib.contextmanager
    def _streams(self, case: Case) -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper]]:
        encoding = case.environment.get("PYTHONIOENCODING", "utf-8")
        before = sys.stdin, sys.stdout, sys.stderr
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
        stdin = io.TextIOWrapper(io.BytesIO(case.stdin), encoding="utf-8")
        sys.stdin, sys.stdout, sys.stderr = stdin, out, err
        try:
            yield out, err
        finally:
            sys.stdin, sys.stdout, sys.stderr = before

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Python's own reports of what is done (PEP 578); what may not be is noted."""
        if not self._on:
            return
        if event == "open":
            path, mode, flags = arguments
            self._opened(path, mode, flags)
        elif event.startswith(("os.system", "os.exec", "os.posix_spawn", "subprocess", "socket.")):
            self._breaches.append(f"runs or reaches something else: {event}")
        elif event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod"):
            if not self._may_write(arguments[0]):
                self._breaches.append(f"{event} of {arguments[0]}")
        elif event == "pickle.find_class":
            self._breaches.append(f"unpickles {arguments}")

    def _opened(self, path: Any, mode: Any, flags: Any) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        name = os.fsdecode(path)
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC)
        if os.path.basename(name) == CANARY:
            self._breaches.append("opens Python that was not allowed")
        elif writes and not self._may_write(name):
            self._breaches.append(f"writes {name}")

    def _may_write(self, path: Any) -> bool:
        """The files asked for, and what is put beside them before it takes their place."""
        name = os.path.basename(os.fsdecode(path))
        if os.fsdecode(path) == os.devnull or name in self._asked:
            return True
        return bool(self._asked) and name.startswith(".gradcli-")


def limit_memory(size: int) -> None:
    """Let this process have so many bytes of addresses, besides what it has by now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + size
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _what_is_wrong(code: int, stdout: str, stderr: str, case: Case) -> str:
    if code not in ALLOWED_CODES:
        return f"exit code {code}: {stderr.strip()[-300:] or stdout.strip()[-300:]}"
    if "Traceback" in stdout + stderr and "--traceback" not in case.arguments:
        return "a traceback"
    if code and not (stdout + stderr).strip():
        return f"exit code {code} without a word"
    if _form(case.arguments) == "json" and stdout and not stdout.startswith("Usage: "):
        try:
            found = json.loads(stdout, parse_constant=_no_json)
        except ValueError as error:
            return f"not JSON: {error}"
        if "exit_code" in found and found["exit_code"] != code and code != 2:
            return f"exit code {code}, in the report {found['exit_code']}"
    return ""


def _form(arguments: tuple[str, ...]) -> str:
    """What the last of several --format asks for."""
    forms = [value for flag, value in pairwise(arguments) if flag == "--format"]
    return forms[-1] if forms else ""


def _no_json(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _text_of(stream: io.TextIOWrapper) -> str:
    stream.flush()
    data: bytes = stream.buffer.getvalue()  # type: ignore[attr-defined]
    return data.decode(stream.encoding)


@contextlib.contextmanager
def _alarm(seconds: int) -> Iterator[None]:
    def late(number: int, frame: Any) -> None:
        raise Late

    before = [(number, signal.signal(number, late)) for number in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 6 * seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before:
            signal.signal(number, handler)


@contextlib.contextmanager
def _surroundings(folder: Path, environment: Any) -> Iterator[None]:
    """In that folder, with these variables and none that change what is printed."""
    kept, where = dict(os.environ), os.getcwd()
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TERM"):
        os.environ.pop(name, None)
    os.environ.update(environment)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(where)
        os.environ.clear()
        os.environ.update(kept)
