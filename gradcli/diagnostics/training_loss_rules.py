"""What a training run can find in the course of its loss: GT rules.

Each docstring is what `gradcli explain CODE` prints; its example is a command or a spec in which
the run finds this.
"""

from __future__ import annotations

from gradcli.diagnostics.rules import Rule, rule

__all__: list[str] = []


@rule
class NotFinite(Rule):
    """A value or a gradient stops being a finite number.

    Meaning:
        At the step named, the output of the place named is infinite or no number; every gradient
        below is lost, and so would be every parameter after the step. The run ends there.

    Likely cause:
        A learning rate that lets the weights grow; a logarithm or a quotient at zero; float16 or
        float32 beyond its range.

    What to look at:
        The steps before: did the loss and the updates grow (see GT102)? If it is the first step,
        `gradcli flow` says in which layer numbers leave their range.

    Example:
        gradcli: 1
        data: {inputs: {shape: [16, 4], distribution: normal, std: 1.0e200}, targets: auto}
        network: [dense: 1]
        loss: mse
    """

    code = "GT101"
    name = "non-finite"


@rule
class Diverged(Rule):
    """The loss has left its first size for good.

    Meaning:
        From the step named on the loss stays above eleven times its first value, and so does that
        of all data; or it ends in infinity. The layer named is the one that changed most there, in
        terms of its own weights.

    Likely cause:
        A learning rate above 2/λ_max of the Hessian; gradients that explode with depth.

    What to look at:
        A smaller learning rate, a warm-up, `clip: {norm: 1}`. `gradcli curvature` gives the
        largest stable step, `gradcli flow` says whether gradients explode.

    Example:
        gradcli: 1
        data: {inputs: {shape: [16, 4], distribution: normal}, targets: auto}
        network: [dense: 16, tanh, dense: 1]
        loss: mse
        train: {lr: 100}
    """

    code = "GT102"
    name = "diverged"


@rule
class LossSpike(Rule):
    """The loss jumps from one step to the next, and comes back.

    Meaning:
        At the steps listed the loss of the batch is more than twice the median of the twenty
        before, and more than eight of their median deviations above it.

    Likely cause:
        A batch with outliers or wrong labels, or of very few examples; a step that was too large
        (Adam after a quiet stretch, whose small denominators make large steps); a learning rate
        near the stable limit.

    What to look at:
        The layer named, whose gradient grows the most there. Clipping by norm bounds the step;
        `--log` has every step.

    Example:
        gradcli: 1
        data: {inputs: {shape: [64, 4], distribution: normal}, targets: auto}
        network: [dense: 1]
        loss: mse
        train: {batch: 1, lr: 1.0e-4, steps: 60}
    """

    code = "GT103"
    name = "loss-spike"
    severity = "warning"


@rule
class Plateau(Rule):
    """The loss does not fall.

    Meaning:
        The loss of all data after the run is within 2 % of what it was before: nothing is learned.

    Likely cause:
        A learning rate that is too small, or far too large; gradients that vanish; dead units;
        zero weights, whose units never differ.

    What to look at:
        The update ratios: a healthy layer changes by about a thousandth of its weights a step.
        `gradcli flow` says whether a gradient reaches the first layer.

    Example:
        gradcli: 1
        data: {inputs: {shape: [16, 4], distribution: normal}, targets: auto}
        network: [dense: 8, tanh, dense: 1]
        loss: mse
        train: {lr: 1.0e-9}
    """

    code = "GT104"
    name = "plateau"
    severity = "warning"


@rule
class Settled(Rule):
    """The loss has fallen, and has stopped.

    Meaning:
        From the step named on the loss stays within a hundredth of its first size. That may be the
        minimum, or the end of what this learning rate can do.

    Likely cause:
        The model has learned what it can; or the noise of the batches keeps it where it is.

    What to look at:
        A larger batch or a decaying schedule, if the gradient's norm is far from zero there; a
        larger model, if it is not.

    Example:
        gradcli: 1
        data: {inputs: {shape: [64, 4], distribution: normal}, targets: auto}
        network: [dense: 1]
        loss: mse
        train: {batch: all, lr: 0.2}
    """

    code = "GT113"
    name = "settled"
    severity = "note"


@rule
class Rising(Rule):
    """The loss is higher after the run than before it.

    Meaning:
        The loss of all data has risen by more than 2 %, short of divergence, which takes steps.
        What the steps have gained on their batches, if anything, is lost on the whole.

    Likely cause:
        A learning rate that is too large; very few steps, as with a momentum that has yet to turn;
        batches that are not like the whole; a wrong gradient, which leads uphill.

    What to look at:
        `gradcli check` first, if an operation is your own; then a smaller learning rate.
        `gradcli curvature` gives the largest stable step.

    Example:
        gradcli: 1
        data: {inputs: {shape: [16, 4], distribution: normal}, targets: auto}
        network: [dense: 8, tanh, dense: 1]
        loss: mse
        train: {lr: 1.5, batch: all, steps: 4}
    """

    code = "GT114"
    name = "rising"
    severity = "warning"
