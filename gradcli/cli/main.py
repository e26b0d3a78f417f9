"""The command line's entry."""

from __future__ import annotations

import click

from gradcli import __version__
from gradcli.cli.group import LazyGroup
from gradcli.cli.streams import put

__all__ = ["main"]


def _put_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        put(f"gradcli {__version__}\n")
        ctx.exit()


@click.group(
    "gradcli",
    cls=LazyGroup,
    commands_in={
        "check": ("gradcli.cli.check", "Compare every gradient of specs with a numeric one."),
        "flow": ("gradcli.cli.flow", "Gradient norms layer by layer: will this network train?"),
        "train": ("gradcli.cli.train", "A short run: gradients over steps, clipping, schedules."),
        "loss": ("gradcli.cli.loss", "A loss: curve, gradient, and properties that are checked."),
        "curvature": ("gradcli.cli.curvature", "How a loss curves: Hessian, Fisher, and steps."),
        "graph": ("gradcli.cli.graph", "A network as a graph: operations, memory, checkpoints."),
        "explain": ("gradcli.cli.explain", "What an op, a code or a term means."),
        "list": ("gradcli.cli.catalogue", "What there is: ops, initializers, rules, terms."),
        "new": ("gradcli.cli.new", "A commented spec to start from."),
        "schema": ("gradcli.cli.schema", "JSON Schema of a spec, for editors."),
    },
    examples=(
        "gradcli check specs/        all specs of a folder; exit 1 if one is wrong",
        "gradcli flow --depth 50     gradient norms by layer, and the verdict",
        "gradcli loss huber mae      curves, gradients, and properties that are checked",
        "gradcli explain GC102       what the code of a finding means",
        "gradcli list losses         what a spec can name",
        "gradcli new layer           a spec to start from, and a layer with a backward",
    ),
    epilog="Exit codes: 0 all agrees, 1 a gradient is wrong, 2 invalid input, 3 undecided, "
    "4 a bug in gradcli, 130 interrupted.",
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_put_version,
    help="Show the version and exit.",
)
def main() -> None:
    """Check hand-written gradients, and diagnose how gradients flow through deep networks."""
