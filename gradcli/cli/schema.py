"""`gradcli schema`."""

from __future__ import annotations

from typing import Literal

import click

from gradcli.cli.finish import put_document
from gradcli.cli.group import Command
from gradcli.errors import ExitCode

__all__ = ["command"]


@click.command(
    "schema",
    cls=Command,
    examples=(
        "gradcli schema > gradcli.schema.json",
        "gradcli schema report > report.schema.json",
    ),
)
@click.argument(
    "of", metavar="[spec|report]", type=click.Choice(["spec", "report"]), default="spec"
)
def command(of: Literal["spec", "report"]) -> ExitCode:
    """Print the JSON Schema (draft 2020-12) of a spec, or of the JSON reports of all commands.

    With that of a spec editors complete and check it, with that of reports programs read them.

    For VS Code's YAML extension and other users of yaml-language-server, make this the first line
    of a spec:

      # yaml-language-server: $schema=gradcli.schema.json
    """
    from gradcli import api

    return put_document(api.schema(of))
