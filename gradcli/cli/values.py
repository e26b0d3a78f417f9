"""How the values of options are written: callbacks that read them or say what was expected."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "COUNT",
    "POSITIVE",
    "assignments",
    "choice",
    "choices_by_name",
    "clip",
    "entries",
    "gates",
    "log_file",
    "loss_scale",
    "memory",
    "numbers",
    "plot_file",
    "report_files",
    "require",
    "topics_and_specs",
    "training_gates",
]

COUNT = click.IntRange(min=1)
POSITIVE = click.FloatRange(min=0, min_open=True)

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

    from gradcli.report.figure import require_plotting

    path = Path(value)
    if path.suffix not in (".svg", ".png"):
        raise click.BadParameter(f"'{path}' must end in .svg or .png: that says the kind.")
    if not os.path.isdir(path.parent):
        raise click.BadParameter(f"'{path}' cannot be written: there is no such folder.")
    require_plotting()
    return path


def log_file(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A file to write lines of JSON to, which is not named as specs are: it would be replaced."""
    if value is not None and value.lower().endswith((".yaml", ".yml")):
        raise click.BadParameter(
            f"'{value}' is named as a spec is, which a log would replace; try steps.jsonl"
        )
    return value


def gates(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """What flow can fail on; several in one value are separated by commas."""
    if not value:
        return ()
    from gradcli.analysis.flow.report import GATES

    return _named(value, GATES)


def training_gates(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    """What a training run can fail on; several in one value are separated by commas."""
    if not value:
        return ()
    from gradcli.analysis.training.report import GATES

    return _named(value, GATES)


def _named(value: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(part.strip() for text in value for part in text.split(",") if part.strip())
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name!r} is none of {', '.join(known)}.")
    return names


def choice(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """The name of an op, with options behind a colon: `adam:beta1=0.8,eps=1e-6`."""
    return None if value is None else _choice(value)


def _choice(value: str) -> Any:
    name, colon, options = (piece.strip() for piece in value.partition(":"))
    if not colon:
        return name
    found = {}
    for part in options.split(","):
        key, equals, meant = (piece.strip() for piece in part.partition("="))
        if not (key and equals and meant):
            raise click.BadParameter(f"{part!r} is not PARAM=VALUE, such as end=0.1.")
        found[key] = _scalar(meant)
    return {name: found}


def _scalar(text: str) -> float | bool | str:
    """A number, true or false, or a word, as a spec has it."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text


def choices_by_name(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> dict[str, Any] | None:
    """WHAT=NAME:... by what each is for."""
    found: dict[str, Any] = {}
    for part in value:
        name, equals, meant = (piece.strip() for piece in part.partition("="))
        if not (name and equals and meant):
            raise click.BadParameter(f"{part!r} is not WHAT=NAME, such as temperature=cosine.")
        if name in found:
            raise click.BadParameter(f"{name} is given twice.")
        found[name] = _choice(meant)
    return found or None


def clip(ctx: click.Context, param: click.Parameter, value: str | None) -> dict[str, float] | None:
    """`norm=1` or `value=0.5`."""
    if value is None:
        return None
    kind, _, limit = (piece.strip() for piece in value.partition("="))
    number = _scalar(limit)
    if kind in ("norm", "value") and isinstance(number, float) and 0 < number < float("inf"):
        return {kind: number}
    raise click.BadParameter(f"{value!r} is neither norm=C nor value=C with a number above 0.")


def loss_scale(ctx: click.Context, param: click.Parameter, value: str | None) -> float | str | None:
    """`dynamic`, or a number above 0."""
    if value is None or value == "dynamic":
        return value
    number = _scalar(value)
    if isinstance(number, float) and 0 < number < float("inf"):
        return number
    raise click.BadParameter(f"{value!r} is neither dynamic nor a number above 0.")


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
