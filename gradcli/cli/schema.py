"""`gradcli schema`."""

from __future__ import annotations

import click

from gradcli.cli.finish import put_document
from gradcli.cli.group import Command
from gradcli.errors import ExitCode

__all__ = ["command"]


@click.command(
    "schema",
    cls=Command,
    examples=("gradcli schema > gradcli.schema.json",),
)
def command() -> ExitCode:
    """Print the JSON Schema (draft 2020-12) of a spec, with which editors complete and check it.

    For VS Code's YAML extension and other users of yaml-language-server, make this the first line
    of a spec:

      # yaml-language-server: $schema=gradcli.schema.json
    """
    from gradcli import api

    return put_document(api.schema())
