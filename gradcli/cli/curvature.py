"""`gradcli curvature`."""

from __future__ import annotations

from typing import Any

import click

from gradcli.cli.finish import Output, read_sources
from gradcli.cli.group import Command
from gradcli.cli.options import output_options, run_options
from gradcli.errors import ExitCode

__all__ = ["command"]


@click.command(
    "curvature",
    cls=Command,
    examples=(
        "gradcli curvature specs/quickstart.yaml",
        "gradcli curvature specs/digits.yaml --method lanczos --probes 100",
        "gradcli curvature specs/quickstart.yaml --format json",
    ),
)
@click.argument("spec", metavar="SPEC")
@click.option(
    "--method",
    type=click.Choice(["exact", "lanczos"]),
    help="All eigenvalues of assembled matrices, or the outermost from products alone.  [default: "
    "exact where that is a matter of seconds]",
)
@click.option(
    "--probes",
    type=click.IntRange(min=2),
    metavar="N",
    help="Random vectors behind a trace, without --method exact.  [default: 32]",
)
@click.option(
    "--iterations",
    type=click.IntRange(min=2),
    metavar="N",
    help="Most steps of Lanczos' method.  [default: 300]",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="NUMBER",
    help="Where Lanczos stops, relative to the largest eigenvalue.  [default: 1e-8]",
)
@run_options
@output_options
def command(spec: str, out: Output, **options: Any) -> ExitCode:
    """Show how a loss curves at its parameters: Hessian, Gauss-Newton, Fisher.

    SPEC is a file, or - for standard input.

    Exit codes: 0 the Hessian is right, 1 that of a definition is not, 2 invalid input, 4 a bug.
    """
    from gradcli import api

    sources, text = read_sources((spec,))
    return out.run(api.curvature, *sources, text=text, **options)
