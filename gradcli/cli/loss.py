"""`gradcli loss`."""

from __future__ import annotations

from typing import Any

import click

from gradcli.cli import complete, values
from gradcli.cli.finish import Output, read_sources
from gradcli.cli.group import Command
from gradcli.cli.options import output_options, spec_options
from gradcli.errors import ExitCode

__all__ = ["command"]


@click.command(
    "loss",
    cls=Command,
    examples=(
        "gradcli loss huber --param delta=2",
        "gradcli loss huber:delta=1 huber:delta=3 mae mse --window -6 6",
        "gradcli loss cross_entropy --targets 0.7,0.2,0.1 --predictions 0.5,0.3,0.2",
        "gradcli loss specs/course-notes/huber.yaml",
    ),
)
@click.argument(
    "losses",
    metavar="NAME|SPEC...",
    nargs=-1,
    required=True,
    shell_complete=complete.losses_and_files,
)
@click.option(
    "--param",
    "params",
    metavar="NAME=VALUE",
    multiple=True,
    callback=values.assignments,
    help="A parameter of the losses named. Repeatable.",
)
@click.option(
    "--window",
    nargs=2,
    type=float,
    metavar="LOW HIGH",
    help="What to draw.  [default: as far as the losses bend]",
)
@click.option(
    "--targets",
    metavar="CHANCES",
    callback=values.numbers,
    help="Compare this distribution, 0.7,0.2,0.1, with a predicted one.",
)
@click.option(
    "--predictions", metavar="CHANCES", callback=values.numbers, help="The predicted distribution."
)
@click.option(
    "--logits", metavar="NUMBERS", callback=values.numbers, help="The same, as logits of it."
)
@spec_options
@output_options
def command(losses: tuple[str, ...], out: Output, **options: Any) -> ExitCode:
    """Show what a loss does: its curve, its gradient, and properties that are checked as you look.

    NAME is a loss of the catalogue, NAME:PARAM=VALUE,... at parameters of its own; several are
    compared. A SPEC is a file, or - for standard input, whose own losses are shown.

    Exit codes: 0 all that is claimed holds, 2 invalid input, 4 a claim of gradcli's is false.
    """
    from gradcli import api

    sources, text = read_sources(losses)
    return out.run(api.loss, *sources, text=text, **options)
