"""A progress bar for work that takes long, where somebody watches."""

from __future__ import annotations

import math
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

_PAUSE: Final = 0.1
"""Seconds between two drawings of the bar."""

ProgressReport = Callable[[str, float, float], None]
"""(what is being done, how much is done, how much there is), in any unit."""

_THOUSANDS: Final = ("", " k", " M", " G", " T", " P")


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
    drawn = -math.inf

    def report(what: str, done: float, total: float) -> None:
        nonlocal bar, drawn
        spent = clock() - start
        if spent - drawn < _PAUSE:
            return
        if bar is None and spent > PATIENCE:
            bar = _bar(stream, surface)
            bar.add_task("", total=total)
            bar.start()
        if bar is not None:
            drawn = spent
            said = f"{_figures(done, total, spent)}  {surface.shown(what)}"
            bar.update(bar.task_ids[0], completed=done, total=total, description=said, refresh=True)

    try:
        yield report
    finally:
        if bar is not None:
            bar.stop()


def _figures(done: float, total: float, seconds: float) -> str:
    """How much of how much, how fast, and how long it will go on: `1.2 of 8 G, 310 M/s, 22 s left`.

    What is counted in ones has no rate worth telling.
    """
    if not 0 < done < total or total < 1000:
        return f"{_short(done)}/{_short(total)}"
    rate = done / seconds
    return f"{_short(done)}/{_short(total)}, {_short(rate)}/s, {(total - done) / rate:.0f} s left"


def _short(number: float) -> str:
    """Three digits and a power of a thousand: `1.24 G`."""
    power = 0
    while number >= 999.5 and power < len(_THOUSANDS) - 1:
        number, power = number / 1000, power + 1
    return f"{number:.3g}{_THOUSANDS[power]}"


def _bar(stream: IO[str], surface: Surface) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn

    from gradcli.report.layout import console_on

    # Drawn when there is news and by no thread: the interpreter is busy with the work itself.
    return Progress(
        BarColumn(),
        TextColumn("{task.description}", markup=False),
        console=console_on(surface, stream, live=True),
        transient=True,
        auto_refresh=False,
    )
