"""`gradcli flow`."""

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
    "flow",
    cls=Command,
    examples=(
        "gradcli flow --depth 50 --activation tanh",
        "gradcli flow --arch lstm --depth 100",
        "gradcli flow --depth 50 --init pytorch_default --fail-on vanishing,exploding",
        "gradcli flow --critical --activation tanh",
        "gradcli flow --paper --report paper.md",
        "gradcli flow specs/deep_residual.yaml --report flow.svg",
    ),
)
@click.argument("spec", metavar="[SPEC]", required=False, shell_complete=complete.files)
@click.option(
    "--arch",
    metavar="NAME",
    help="What to build: mlp, or rnn, lstm or gru over --depth time steps.  [default: mlp]",
)
@click.option(
    "--depth",
    type=values.COUNT,
    metavar="N",
    help="Dense layers, or time steps, to build.  [default: 50]",
)
@click.option(
    "--width", type=values.COUNT, metavar="N", help="Units of each layer.  [default: 256]"
)
@click.option(
    "--activation",
    metavar="NAME",
    shell_complete=complete.activations,
    help="Activation of each layer.  [default: relu]",
)
@click.option(
    "--init",
    metavar="NAME",
    shell_complete=complete.initializers,
    help="Initializer of the weights.  [default: auto]",
)
@click.option(
    "--gain",
    type=values.POSITIVE,
    metavar="NUMBER",
    help="Factor on the weights as drawn.  [default: 1]",
)
@click.option(
    "--bias-std",
    type=click.FloatRange(min=0),
    metavar="NUMBER",
    help="Standard deviation of the biases.  [default: 0]",
)
@click.option(
    "--batch", type=values.COUNT, metavar="N", help="Examples in the batch.  [default: 128]"
)
@click.option(
    "--loss",
    metavar="NAME",
    shell_complete=complete.losses,
    help="Loss at the end.  [default: mse]",
)
@click.option("--residual", is_flag=True, help="Make each layer a residual block.")
@click.option(
    "--residual-scale", type=float, metavar="NUMBER", help="Scale of the blocks.  [default: 1]"
)
@click.option(
    "--norm",
    type=click.Choice(["none", "batch", "layer", "rms"]),
    help="Normalization in each layer.  [default: none]",
)
@click.option(
    "--norm-position",
    type=click.Choice(["pre", "post"]),
    help="Before or behind the activation; with --residual at the start of the branch, or behind "
    "the sum.  [default: pre]",
)
@click.option(
    "--dropout",
    type=click.FloatRange(min=0, max=1, max_open=True),
    metavar="P",
    help="Share of each layer's entries dropped.  [default: 0]",
)
@click.option(
    "--input",
    metavar="KIND|STD|KIND:STD",
    help="How the inputs are drawn: normal or uniform, and their standard deviation.  "
    "[default: normal:1]",
)
@click.option(
    "--write-spec",
    metavar="FILE",
    shell_complete=complete.files,
    help="Write the network that is built as a spec, too; an existing file is kept.",
)
@click.option("--overwrite", is_flag=True, help="Let --write-spec replace an existing file.")
@click.option(
    "--seeds",
    type=values.COUNT,
    metavar="N",
    help="Draws of the weights behind the band.  [default: 5]",
)
@click.option(
    "--threshold",
    type=values.POSITIVE,
    metavar="NUMBER",
    help="Decades from healthy to a verdict.  [default: 2]",
)
@click.option(
    "--fail-on",
    metavar="WHAT",
    multiple=True,
    callback=values.gates,
    shell_complete=complete.gates,
    help="Exit 1 if this is found, e.g. vanishing,dead. Repeatable.",
)
@click.option(
    "--remedies/--no-remedies",
    default=None,
    help="Measure what would mend the network.  [default: unless that takes long]",
)
@click.option(
    "--plot",
    metavar="FILE",
    callback=values.plot_file,
    shell_complete=complete.files,
    help="Draw the norms by layer into a .svg or .png file (needs matplotlib).",
)
@click.option(
    "--critical",
    is_flag=True,
    help="Compute instead the edge of chaos of --activation (or of SPEC's, or of all): weights and "
    "biases with which a deep network keeps gradients.",
)
@click.option(
    "--paper",
    is_flag=True,
    help="Measure published numbers again instead, on the networks that they are of; exit 1 if one "
    "is not matched.",
)
@click.option("--all", "all_layers", is_flag=True, help="Show every layer of a deep network.")
@run_options
@output_options
def command(
    spec: str | None,
    critical: bool,
    paper: bool,
    all_layers: bool,
    remedies: bool | None,
    plot: Path | None,
    out: Output,
    **options: Any,
) -> ExitCode:
    """Measure how the gradient's norm changes from layer to layer, and say why.

    The network is the one of SPEC (a file, or - for standard input), or is built from the options.

    Exit codes: 0 nothing asked for was found, 1 it was, 2 invalid input, 3 undetermined.
    """
    from gradcli import api

    elsewhere = {**options, "all": all_layers, "plot": plot}
    if paper:
        call: Any = partial(api.paper, remedies=remedies)
        return out.run(call, partial=True, spec=spec, critical=critical, **elsewhere)
    sources, text = read_sources(() if spec is None else (spec,))
    if critical:
        call = partial(api.critical, remedies=remedies)
        return out.run(call, *sources, text=text, **elsewhere)
    out = out.with_plot(plot)._replace(drawing=(("all_layers", all_layers),))
    call = partial(api.flow, remedies=remedies)  # False is meant, too
    return out.run(call, *sources, text=text, partial=True, **options)
