"""`gradcli explain`."""

from __future__ import annotations

import click

from gradcli.cli import complete, values
from gradcli.cli.finish import Output, read_sources
from gradcli.cli.group import Command
from gradcli.cli.options import told_options
from gradcli.errors import ExitCode

__all__ = ["command"]


@click.command(
    "explain",
    cls=Command,
    examples=(
        "gradcli explain GC102",
        "gradcli explain huber he_normal",
        "gradcli explain vanishing gradient",
        "gradcli explain lipschitz --format markdown",
        "gradcli explain step-size specs/quickstart.yaml",
    ),
)
@click.argument(
    "topics",
    metavar="TOPIC... [SPEC...]",
    nargs=-1,
    required=True,
    shell_complete=complete.topics_and_files,
)
@told_options
def command(topics: tuple[str, ...], out: Output) -> ExitCode:
    """Explain a TOPIC: an op of the catalogue, the code of a finding, or a term of the field.

    An op's card has its formula, derivative, parameters and checked properties; a term's card what
    it means, what is often written wrongly of it, and what gradcli offers for it. `gradcli list`
    shows all topics. With a SPEC, step-size measures on it how the error of differences depends on
    their step.
    """
    from gradcli import api

    names, specs = values.topics_and_specs(topics)
    sources, text = read_sources(specs)
    return out.deliver(api.explain(*names, sources=sources, text=text))
