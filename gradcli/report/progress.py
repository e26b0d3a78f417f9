"""A progress bar for work that takes long, where somebody watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

from gradcli.report.surface import Surface, is_terminal, surface_of

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["PATIENCE", "ProgressReport", "progress_on"]

PATIENCE: Final = 1.0
"""Seconds of work after which a bar appears."""

ProgressReport = Callable[[str, int, int], None]
"""(what is being done, how much is done, how much there is)."""


@contextmanager
def progress_on(
    stream: IO[str] | None,
    environment: Mapping[str, str],
    *,
    no_color: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[ProgressReport | None]:
    """What to tell progress to: None unless the stream is a terminal that can take back a line.

    The bar is drawn once work has taken longer than `PATIENCE`, and wiped off when it ends.
    """
    if stream is None or not is_terminal(stream) or environment.get("TERM") == "dumb":
        yield None
        return
    surface = surface_of(stream, environment, no_color=no_color)
    start = clock()
    bar: Progress | None = None

    def report(what: str, done: int, total: int) -> None:
        nonlocal bar
        if bar is None and clock() - start > PATIENCE:
            bar = _bar(stream, surface)
            bar.add_task("", total=total)
            bar.start()
        if bar is not None:
            task = bar.task_ids[0]
            bar.update(
                task, completed=done, total=total, description=surface.shown(what), refresh=True
            )

    try:
        yield report
    finally:
        if bar is not None:
            bar.stop()


def _bar(stream: IO[str], surface: Surface) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from gradcli.report.layout import console_on

    # Drawn when there is news and by no thread: the interpreter is busy with the work itself.
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        console=console_on(surface, stream, live=True),
        transient=True,
        auto_refresh=False,
    )
