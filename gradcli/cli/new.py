"""`gradcli new`."""

from __future__ import annotations

import click

from gradcli.cli import complete
from gradcli.cli.finish import Output
from gradcli.cli.group import Command
from gradcli.cli.streams import put, say
from gradcli.errors import ExitCode

__all__ = ["command"]


@click.command(
    "new",
    cls=Command,
    examples=(
        "gradcli new",
        "gradcli new activation",
        "gradcli new layer my_layer.yaml",
        "gradcli new flow - | gradcli flow -",
    ),
)
@click.argument("template", metavar="[TEMPLATE]", required=False, shell_complete=complete.templates)
@click.argument("file", metavar="[FILE]", required=False, shell_complete=complete.files)
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
def command(template: str | None, file: str | None, overwrite: bool) -> ExitCode:
    """Write a spec to start from, with comments that say what to put where.

    Without a TEMPLATE, say which there are. FILE is TEMPLATE.yaml unless it is named, or - for
    standard output; Python and data that the spec reads are written beside it, named like it.
    """
    from pathlib import Path

    from gradcli import api

    if template is None:
        code = Output().deliver(api.templates())
        put("\nwritten by `gradcli new TEMPLATE`\n")
        return code
    chosen = api.template(template)
    if file == "-":
        put(chosen.spec)
        _, *others = chosen.files
        if others:
            say(f"it reads {others[0]}, which `gradcli new {template} FILE` writes beside it")
    else:
        path = Path(file or chosen.files[0])
        written = chosen.write(path, overwrite=overwrite)
        put(f"written: {', '.join(map(str, written))}\nnext: {chosen.command(str(path))}\n")
    return ExitCode.OK
