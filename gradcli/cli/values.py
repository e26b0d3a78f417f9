"""How the values of options are written: callbacks that read them or say what was expected."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "assignments",
    "entries",
    "gates",
    "memory",
    "numbers",
    "report_files",
    "require",
    "topics_and_specs",
]

_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def memory(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """A size in bytes: `2GiB`, `512MiB` (powers of 1024), `1.5GB` (of 1000), `1000000`."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?) ?([kmgt]?)(i?)b?", value.strip().lower())
    if match:
        size = int(float(match[1]) * (1024 if match[3] else 1000) ** _POWERS[match[2]])
        if size > 0:
            return size
    raise click.BadParameter(f"{value!r} is not a size; write it as 2GiB, 512MiB or 1000000.")


def require(ctx: click.Context, param: click.Parameter, value: str | None) -> str | float | None:
    """A grade's name, or the largest relative error that passes."""
    from gradcli.analysis.verdict import GRADES

    if value is None or value in GRADES:
        return value
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if 0 < number < 1:
        return number
    grades = ", ".join(GRADES)
    raise click.BadParameter(f"{value!r} is neither a grade ({grades}) nor a number from 0 to 1.")


def entries(ctx: click.Context, param: click.Parameter, value: str | None) -> str | int | None:
    """`all`, or how many entries."""
    if value is None or value == "all":
        return value
    if re.fullmatch("[0-9]{1,15}", value) and int(value) > 0:
        return int(value)
    raise click.BadParameter(f"{value!r} is neither all nor a number of entries.")


def topics_and_specs(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Topics, and the specs among them: `-`, and whatever ends as a spec's file does."""
    specs = tuple(word for word in words if word == "-" or word.endswith((".yaml", ".yml")))
    return tuple(word for word in words if word not in specs), specs


def report_files(
    kinds: Sequence[str], ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[Path, ...]:
    """Files to write, each of its own, whose suffixes say in which form."""
    if not value:
        return ()
    from pathlib import Path

    taken: set[str] = set()
    for path in map(Path, value):
        if path.suffix not in kinds:
            listed = ", ".join(kinds)
            raise click.BadParameter(f"'{path}' must end in one of {listed}: that says the kind.")
        if not os.path.isdir(path.parent):
            raise click.BadParameter(f"'{path}' cannot be written: there is no such folder.")
        place = os.path.realpath(path)
        if place in taken:
            raise click.BadParameter(f"'{path}' is written twice.")
        taken.add(place)
    return tuple(map(Path, value))


def plot_file(ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:
    """A file for a figure, before anything is measured for it."""
    if value is None:
        return None
    from pathlib import Path

    from gradcli.report.flow_plot import require_plotting

    path = Path(value)
    if path.suffix not in (".svg", ".png"):
        raise click.BadParameter(f"'{path}' must end in .svg or .png: that says the kind.")
    if not os.path.isdir(path.parent):
        raise click.BadParameter(f"'{path}' cannot be written: there is no such folder.")
    require_plotting()
    return path


def gates(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """What flow can fail on; several in one value are separated by commas."""
    names = tuple(part.strip() for text in value for part in text.split(",") if part.strip())
    if not names:
        return ()
    from gradcli.analysis.flow.report import GATES

    for name in names:
        if name not in GATES:
            raise click.BadParameter(f"{name!r} is none of {', '.join(GATES)}.")
    return names


def assignments(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    """NAME=VALUE by name, several in one value separated by commas; values stay as written."""
    found: dict[str, str] = {}
    for part in (part for text in value for part in text.split(",")):
        name, equals, meant = (piece.strip() for piece in part.partition("="))
        if not (name and equals and meant):
            raise click.BadParameter(f"{part!r} is not NAME=VALUE, such as delta=2.")
        if name in found:
            raise click.BadParameter(f"{name} is given twice.")
        found[name] = meant
    return found


def numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, ...]:
    """Numbers separated by commas."""
    try:
        return tuple(float(part) for part in value.split(",")) if value else ()
    except ValueError:
        raise click.BadParameter(f"{value!r} are not numbers, such as 0.7,0.2,0.1.") from None
