"""`gradcli train`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import click

from gradcli.cli import complete, values
from gradcli.cli.finish import Output, read_sources
from gradcli.cli.group import Command
from gradcli.cli.options import output_options, run_options
from gradcli.errors import ExitCode

__all__ = ["command"]

_CHOICE = "NAME[:PARAM=VALUE,...]"


@click.command(
    "train",
    cls=Command,
    examples=(
        "gradcli train specs/digits.yaml --steps 200 --optimizer adam",
        "gradcli train specs/digits.yaml --lr 0.5 --clip norm=1 --schedule cosine",
        "gradcli train specs/digits.yaml --steps 50 --check-every 25 --log steps.jsonl",
        "gradcli train specs/digits.yaml --precision mixed --fail-on non-finite",
    ),
)
@click.argument("spec", metavar="SPEC", shell_complete=complete.files)
@click.option("--steps", type=values.COUNT, metavar="N", help="Steps of the run.  [default: 100]")
@click.option(
    "--batch",
    metavar="N|all",
    callback=values.entries,
    help="Examples in a batch.  [default: what the spec's data say, or 32]",
)
@click.option(
    "--optimizer",
    metavar=_CHOICE,
    callback=values.choice,
    shell_complete=complete.optimizers,
    help="Rule of the steps; see gradcli list optimizers.  [default: sgd]",
)
@click.option(
    "--lr",
    type=values.POSITIVE,
    metavar="NUMBER",
    help="Learning rate.  [default: the optimizer's own]",
)
@click.option(
    "--schedule",
    metavar=_CHOICE,
    callback=values.choice,
    shell_complete=complete.schedules,
    help="How the learning rate changes; see gradcli list schedules.  [default: constant]",
)
@click.option(
    "--anneal",
    metavar=f"WHAT={_CHOICE}",
    multiple=True,
    callback=values.choices_by_name,
    help="A schedule for a number of the loss, such as temperature, or for the weight of a "
    "summand. Repeatable.",
)
@click.option(
    "--clip",
    metavar="norm=C|value=C",
    callback=values.clip,
    help="Clip the gradient before each step, by its norm or by its entries.",
)
@click.option(
    "--accumulate",
    type=values.COUNT,
    metavar="N",
    help="Batches whose mean gradient makes a step.  [default: 1]",
)
@click.option(
    "--precision",
    type=click.Choice(["float64", "float32", "mixed"]),
    help="Of the network; mixed is float16 with weights in float32.  [default: the spec's dtype]",
)
@click.option(
    "--loss-scale",
    metavar="NUMBER|dynamic",
    callback=values.loss_scale,
    help="Factor on the loss in mixed precision.  [default: dynamic]",
)
@click.option(
    "--curriculum",
    metavar=_CHOICE,
    callback=values.choice,
    shell_complete=complete.curricula,
    help="Which examples are trained on when; see gradcli list curricula.",
)
@click.option(
    "--check-every", type=values.COUNT, metavar="N", help="Check the gradients after every N steps."
)
@click.option(
    "--approximations",
    is_flag=True,
    help="Compare sparse, quantised, sampled and float16 gradients with the exact one.",
)
@click.option(
    "--fail-on",
    metavar="WHAT",
    multiple=True,
    callback=values.training_gates,
    shell_complete=complete.training_gates,
    help="Exit 1 if this is found, e.g. diverged,non-finite. Repeatable.",
)
@click.option(
    "--log",
    metavar="FILE",
    callback=values.log_file,
    shell_complete=complete.files,
    help="Write every step to a file as it is done.",
)
@click.option(
    "--save-weights",
    metavar="FILE.npz",
    shell_complete=complete.files,
    help="Keep the weights at the end of the run.",
)
@click.option(
    "--resume",
    metavar="FILE.npz",
    shell_complete=complete.files,
    help="Go on with a run that was kept.",
)
@run_options
@output_options
def command(spec: str, log: str | None, out: Output, **options: Any) -> ExitCode:
    """Train for some steps, and watch the gradients: a diagnosis, not a training framework.

    SPEC is a file, or - for standard input; its whole data are used. A section `train:` holds the
    same options.

    Exit codes: 0 nothing asked for was found, 1 it was or a check on the way failed, 2 invalid
    input, 3 a check on the way could not decide.
    """
    from gradcli import api

    sources, text = read_sources((spec,))
    with ExitStack() as stack:
        if log is not None:
            from gradcli.cli.step_log import step_log

            options["on_step"] = stack.enter_context(step_log(log))
        return out.run(api.train, *sources, text=text, partial=True, **options)
