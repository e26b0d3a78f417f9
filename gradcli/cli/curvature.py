"""`gradcli curvature`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from gradcli.cli import complete, values
from gradcli.cli.finish import Output, read_sources
from gradcli.cli.group import Command
from gradcli.cli.options import output_options, run_options
from gradcli.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command(
    "curvature",
    cls=Command,
    examples=(
        "gradcli curvature specs/quickstart.yaml",
        "gradcli curvature specs/digits.yaml --method lanczos --probes 100",
        "gradcli curvature specs/least_squares.yaml --report curvature.svg",
    ),
)
@click.argument("spec", metavar="SPEC", shell_complete=complete.files)
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
    help="Random vectors behind a trace, of --method lanczos.  [default: 32]",
)
@click.option(
    "--iterations",
    type=click.IntRange(min=2),
    metavar="N",
    help="Most steps of --method lanczos.  [default: 300, fewer where that would take long]",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="NUMBER",
    help="Where --method lanczos stops, relative to the largest eigenvalue.  [default: 1e-8]",
)
@click.option(
    "--steps/--no-steps",
    default=None,
    help="Try the steps of first and second order from here.  [default: yes]",
)
@click.option(
    "--damping",
    type=click.FloatRange(min=0),
    metavar="NUMBER",
    help="Add this to the matrices that steps are solved from.  [default: what a descent takes]",
)
@click.option(
    "--history",
    type=values.COUNT,
    metavar="N",
    help="Pairs that L-BFGS keeps, and steps that it takes.  [default: 10]",
)
@click.option(
    "--plot",
    metavar="FILE",
    callback=values.plot_file,
    shell_complete=complete.files,
    help="Draw the spectra into a .svg or .png file (needs matplotlib).",
)
@run_options
@output_options
def command(
    spec: str,
    steps: bool | None,
    damping: float | None,
    plot: Path | None,
    out: Output,
    **options: Any,
) -> ExitCode:
    """Show how a loss curves at its parameters: Hessian, Gauss-Newton, Fisher, and steps by them.

    SPEC is a file, or - for standard input.

    Exit codes: 0 the Hessian is right, 1 that of a definition is not, 2 invalid input, 4 a bug.
    """
    from gradcli import api

    sources, text = read_sources((spec,))
    call = partial(api.curvature, steps=steps is not False, damping=damping)  # 0 is meant, too
    return out.with_plot(plot).run(call, *sources, text=text, **options)
