"""From an API call to standard output, files and an exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gradcli.analysis.verdict import Report
from gradcli.cli.streams import put, say
from gradcli.errors import ExitCode, GradcliError, SpecError, SpecProblem, UsageError
from gradcli.files import write_file
from gradcli.report.render import SAYS_NO_PROBLEMS, problems, render, render_file, save_plot
from gradcli.report.surface import is_terminal, surface_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Output", "put_document", "read_sources", "say_error"]

_ENOUGH: Final = 1 << 24
"""Bytes of standard input that are read: far more than any spec, so that an endless one ends."""


class Output(NamedTuple):
    """Where a report goes, and how much of it; `drawing` is what one table offers besides.

    `plot` is a file for a figure, of commands that draw one.
    """

    form: str = "table"
    files: tuple[Path, ...] = ()
    quiet: bool = False
    no_color: bool = False
    timing: bool = False
    drawing: tuple[tuple[str, bool], ...] = ()
    plot: Path | None = None

    def with_plot(self, plot: Path | None) -> Output:
        """The same with a figure; UsageError where a report is written to its file."""
        if plot is not None and os.path.realpath(plot) in map(os.path.realpath, self.files):
            raise UsageError(f"{plot} is written twice: as the plot, and as the report")
        return self._replace(plot=plot)

    def run(self, call: Callable[..., Report], *sources: Any, **options: Any) -> ExitCode:
        """Call the API with the options that were given, and deliver its report.

        An option that was not given is left to the API's default, or to the spec.
        """
        from gradcli.report.progress import progress_on

        given = {
            name: value
            for name, value in options.items()
            if value is not None and value is not False and value != ()
        }
        start = time.perf_counter()
        watched = None if self.quiet else sys.stderr
        with progress_on(watched, os.environ, no_color=self.no_color) as progress:
            report = call(*sources, progress=progress, **given)
        return self.deliver(report, time.perf_counter() - start)

    def deliver(self, report: Report, seconds: float | None = None) -> ExitCode:
        """Print the report and write its files; returns the exit code.

        The time it took is said to whoever watches, where it is given.

        Raises UsageError if a file cannot be written.
        """
        timing = seconds if self.timing else None
        apart = self.form in SAYS_NO_PROBLEMS
        found = problems(report)
        if found and apart:
            _say_frames(found, no_color=self.no_color)
            say("")
        surface = surface_of(sys.stdout, os.environ, no_color=self.no_color)
        drawing = {"quiet": self.quiet, "with_frames": not apart, **dict(self.drawing)}
        put(render(report, self.form, surface, seconds=timing, **drawing))
        self._write(report, timing, plotted=not found)
        if seconds is not None and not (self.timing or self.quiet) and is_terminal(sys.stderr):
            say(f"took {seconds:.2f} s")
        return report.exit_code

    def _write(self, report: Report, timing: float | None, *, plotted: bool) -> None:
        """Write every file that can be written; UsageError for those that cannot."""
        refused = []
        for path in self.files:
            try:
                write_file(path, render_file(report, path.suffix, seconds=timing))
            except UsageError as error:
                refused.append(str(error))
        if self.plot is not None and plotted:
            try:
                save_plot(report, self.plot)
            except UsageError as error:
                refused.append(str(error))
        if refused:
            raise UsageError("; ".join(refused))


def say_error(error: GradcliError) -> None:
    """An error of our own on standard error: spec errors in their source, others as a line."""
    if isinstance(error, SpecError):
        _say_frames(error.errors)
    else:
        say(f"gradcli: {error}")


def _say_frames(found: tuple[SpecProblem, ...], *, no_color: bool = False) -> None:
    from gradcli.report.frames import frames
    from gradcli.report.layout import draw

    surface = surface_of(sys.stderr, os.environ, no_color=no_color)
    say(draw(frames(found, surface), surface))


def put_document(document: Mapping[str, Any]) -> ExitCode:
    """Print a document that is JSON itself."""
    from gradcli.report.json import encode

    put(encode(document))
    return ExitCode.OK


def read_sources(specs: tuple[str, ...]) -> tuple[list[str], tuple[str, str] | None]:
    """The specs that are paths, and the text of standard input where one of them is `-`.

    Raises UsageError for an empty path, which is not the folder here, and for no input to read.
    """
    if "" in specs:
        raise UsageError("the path of a spec is empty: is a variable not set?")
    if "-" not in specs:
        return list(specs), None
    if sys.stdin is None:
        raise UsageError("there is no standard input to read a spec from: it is closed")
    if is_terminal(sys.stdin):
        say("reading a spec from the terminal: Ctrl-D on a line of its own ends it")
    try:
        data = sys.stdin.buffer.read(_ENOUGH)
    except OSError as error:
        raise UsageError(f"standard input cannot be read: {error.strerror}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = f"byte {error.start} is {data[error.start]:#x}"
        raise UsageError(f"<stdin> is not UTF-8 text: {byte}") from None
    return [spec for spec in specs if spec != "-"], (text, "<stdin>")
