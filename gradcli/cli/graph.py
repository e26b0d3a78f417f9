"""`gradcli graph`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from gradcli.cli import complete
from gradcli.cli.finish import Output, read_sources
from gradcli.cli.group import Command
from gradcli.cli.options import output_options, run_options
from gradcli.errors import ExitCode
from gradcli.report.render import GRAPH_FORMATS, GRAPH_KINDS

__all__ = ["command"]


@click.command(
    "graph",
    cls=Command,
    examples=(
        "gradcli graph specs/digits.yaml",
        "gradcli graph specs/deep_residual.yaml --run",
        "gradcli graph specs/lstm_last.yaml --format dot | dot -Tsvg > graph.svg",
        "gradcli graph specs/residual_tanh.yaml --format mermaid",
    ),
)
@click.argument("spec", metavar="SPEC", shell_complete=complete.files)
@click.option(
    "--run",
    is_flag=True,
    help="Run backpropagation both ways, and measure the memory that it takes.",
)
@click.option("--all", "all_nodes", is_flag=True, help="Show every node of a large graph.")
@run_options
@partial(output_options, formats=GRAPH_FORMATS, kinds=GRAPH_KINDS)
def command(spec: str, all_nodes: bool, out: Output, **options: Any) -> ExitCode:
    """Show the graph of a network, and what backpropagation through it costs.

    Nodes in topological order, operations forward and backward, memory with checkpoints and
    without. Everything is worked out from shapes alone, unless --run is given. SPEC is a file, or -
    for standard input.

    Exit codes: 0 all is well, 1 a part that is run again gives something else, 2 invalid input.
    """
    from gradcli import api

    sources, text = read_sources((spec,))
    out = out._replace(drawing=(("all_nodes", all_nodes),))
    return out.run(api.graph, *sources, text=text, **options)
