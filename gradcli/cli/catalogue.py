"""`gradcli list`."""

from __future__ import annotations

import click

from gradcli.cli import complete
from gradcli.cli.finish import Output
from gradcli.cli.group import Command
from gradcli.cli.options import told_options
from gradcli.errors import ExitCode

__all__ = ["command"]


@click.command(
    "list",
    cls=Command,
    examples=(
        "gradcli list activations",
        "gradcli list losses --where convex --where not-kinked",
        "gradcli list --search gradient",
    ),
)
@click.argument("kind", metavar="[KIND]", required=False, shell_complete=complete.kinds)
@click.option(
    "--search", metavar="WORD", multiple=True, help="Only what names or says this. Repeatable."
)
@click.option(
    "--where",
    metavar="PROPERTY",
    multiple=True,
    help="Only what has this property, e.g. convex or not-kinked. Repeatable.",
)
@told_options
def command(
    kind: str | None, search: tuple[str, ...], where: tuple[str, ...], out: Output
) -> ExitCode:
    """List what there is of a KIND, or everything.

    Kinds: activations, layers, losses, terms, initializers, optimizers, schedules, curricula,
    rules, concepts. A property holds with the defaults; `gradcli explain NAME` shows all of them.
    """
    from gradcli import api

    return out.deliver(api.catalogue(kind, search=search, where=where))
