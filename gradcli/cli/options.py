"""Options that commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, Final

import click

from gradcli.cli import complete, values
from gradcli.cli.finish import Output
from gradcli.cli.group import TRACEBACK
from gradcli.report.render import FORMATS, KINDS

__all__ = ["output_options", "run_options", "spec_options", "told_options"]


def _want_traceback(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[TRACEBACK] = value


_DRAW: Final = (
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        metavar="N",
        help="Seed of everything drawn at random.",
    ),
    click.option(
        "--dtype",
        type=click.Choice(["float32", "float64"]),
        help="Precision of the network.  [default: the spec's, float64]",
    ),
)

_READ: Final = (
    click.option(
        "--max-memory",
        metavar="SIZE",
        callback=values.memory,
        help="Refuse a spec that would need more, e.g. 512MiB.  [default: 2GiB]",
    ),
    click.option("--allow-python", is_flag=True, help="Let specs run the Python they name."),
)

_OUTPUT: Final = (
    click.option("--no-color", is_flag=True, help="No colour; so does the variable NO_COLOR."),
    click.option(
        "--traceback",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_want_traceback,
        help="Show where an error was raised.",
    ),
)

_RUNNING: Final = (
    click.option("--quiet", "-q", is_flag=True, help="Only what is wrong, and one summary line."),
    click.option("--timing", is_flag=True, help="State in the reports how long it took."),
)

Function = Callable[..., Any]


def run_options(function: Function) -> Function:
    """The options of every command that runs a spec."""
    return _stacked(_DRAW + _READ, function)


def spec_options(function: Function) -> Function:
    """The options of a command that reads a spec without running it."""
    return _stacked(_READ, function)


def output_options(
    function: Function, formats: Sequence[str] = FORMATS, kinds: Sequence[str] = KINDS
) -> Function:
    """The options that say where the report of a run goes; the command gets one `Output`, `out`."""
    return _stacked(_RUNNING, told_options(function, formats, kinds))


def told_options(
    function: Function, formats: Sequence[str] = FORMATS, kinds: Sequence[str] = KINDS
) -> Function:
    """The same for a command that only tells what is known."""

    @wraps(function)
    def command(
        *,
        form: str,
        files: Any,
        no_color: bool,
        quiet: bool = False,
        timing: bool = False,
        **rest: Any,
    ) -> Any:
        return function(out=Output(form, files, quiet, no_color, timing), **rest)

    return _stacked((*_forms(formats, kinds), *_OUTPUT), command)


def _forms(
    formats: Sequence[str], kinds: Sequence[str]
) -> tuple[Callable[[Function], Function], ...]:
    return (
        click.option(
            "--format",
            "form",
            type=click.Choice(formats),
            default="table",
            show_default=True,
            help="What standard output gets.",
        ),
        click.option(
            "--report",
            "files",
            metavar="FILE",
            multiple=True,
            callback=partial(values.report_files, kinds),
            shell_complete=complete.files,
            help="Write the report to a file too, of the kind its suffix says: "
            f"{', '.join(kinds)}. Repeatable.",
        ),
    )


def _stacked(options: tuple[Callable[[Function], Function], ...], function: Function) -> Function:
    for option in reversed(options):
        function = option(function)
    return function
