"""`gradcli explain`."""

from __future__ import annotations

import click

from gradcli.cli.finish import show_cards
from gradcli.cli.group import Command
from gradcli.errors import ExitCode

__all__ = ["command"]


@click.command(
    "explain",
    cls=Command,
    examples=(
        "gradcli explain GC102",
        "gradcli explain vanishing",
    ),
)
@click.argument("codes", metavar="CODE...", nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(["table", "json", "markdown"]), default="table")
@click.option("--no-color", is_flag=True, help="No colour; so does the variable NO_COLOR.")
def command(codes: tuple[str, ...], form: str, no_color: bool) -> ExitCode:
    """Explain what the CODE of a finding means, where it comes from and what to look at."""
    return show_cards(codes, form, no_color=no_color)
