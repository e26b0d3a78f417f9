"""`gradcli check`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from gradcli.analysis.gradcheck.options import DEFAULT_BUDGET
from gradcli.cli import complete, values
from gradcli.cli.finish import Output, read_sources
from gradcli.cli.group import Command
from gradcli.cli.options import output_options, run_options
from gradcli.errors import ExitCode
from gradcli.report.render import CI_FORMATS, CI_KINDS

__all__ = ["command"]


@click.command(
    "check",
    cls=Command,
    examples=(
        "gradcli check specs/digits.yaml",
        "gradcli check specs/ --format json --report check.md",
        "gradcli check specs/ --format github --report check.xml",
        "gradcli check layer.yaml --allow-python --require excellent --only 'my_layer*'",
    ),
)
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, shell_complete=complete.files)
@click.option(
    "--require",
    metavar="GRADE|NUMBER",
    callback=values.require,
    shell_complete=complete.grades,
    help="Worst grade, or relative error, that passes.  [default: good; acceptable in float32]",
)
@click.option("--only", metavar="GLOB", multiple=True, help="Check these tensors only. Repeatable.")
@click.option("--skip", metavar="GLOB", multiple=True, help="Leave these tensors out. Repeatable.")
@click.option(
    "--wrt",
    type=click.Choice(["parameters", "inputs", "all"]),
    help="What to check.  [default: all]",
)
@click.option(
    "--entries",
    metavar="all|N",
    callback=values.entries,
    help="How many entries of each tensor to check.  [default: all that --budget allows]",
)
@click.option(
    "--budget",
    type=values.POSITIVE,
    metavar="NUMBER",
    help="Multiply-adds up to which every entry is checked; of larger tensors a sample is, and "
    f"random projections of the whole.  [default: {DEFAULT_BUDGET:.0e}]",
)
@click.option(
    "--oracle",
    type=click.Choice(["auto", "complex", "ladder", "central", "forward"]),
    help="Where the numeric values come from.  [default: auto]",
)
@click.option(
    "--step",
    type=values.POSITIVE,
    metavar="NUMBER",
    help="Step of the central or forward oracle.",
)
@click.option(
    "--order",
    type=click.IntRange(1, 2),
    metavar="1|2",
    help="Check products with the Hessian as well: 2.  [default: 1]",
)
@click.option("--strict", is_flag=True, help="Exit 3 if a tensor was checked vacuously.")
@click.option("--allow-inconclusive", is_flag=True, help="Exit 0 for what could not be decided.")
@click.option(
    "--self-test",
    is_flag=True,
    help="Plant mistakes of every kind in every pullback, and exit 1 if one goes unnoticed.",
)
@run_options
@partial(output_options, formats=CI_FORMATS, kinds=CI_KINDS)
def command(specs: tuple[str, ...], out: Output, **options: Any) -> ExitCode:
    """Compare every gradient of each SPEC, entry by entry, with a numeric one.

    A SPEC is a file, a folder that is searched for *.yaml, or - for standard input.

    Exit codes: 0 every gradient agrees, 1 one is wrong, 2 a spec is invalid, 3 undecided.
    """
    from gradcli import api

    sources, text = read_sources(specs)
    return out.run(api.check, *sources, text=text, partial=True, **options)
