"""Specs that can be computed and are hardly meant: rules SP1xx, all of them warnings.

Each docstring is what `gradcli explain CODE` prints; its example is a spec in which check and flow
find exactly this.
"""

from __future__ import annotations

from gradcli.diagnostics.rules import Rule, rule

__all__: list[str] = []


@rule
class SoftmaxBeforeLogits(Rule):
    """The network ends in a softmax, and the loss applies one itself.

    Meaning:
        The loss reads logits, numbers of any size, and gets probabilities. At temperature 1 a
        softmax of numbers between 0 and 1 makes no class more than e times as likely as another,
        so the loss cannot become small however well the network has learned. Its gradient is that
        of this flattened loss: correct, and weak.

    Likely cause:
        The softmax that other libraries want at the end of a network. Here, as in PyTorch,
        `cross_entropy` contains it, which is also what keeps it exact for large logits.

    What to look at:
        Leave the softmax out. If the network has to give probabilities, train it on logits and
        apply the softmax afterwards; or end it in `log_softmax` and use a loss that reads
        log-probabilities.

    Example:
        gradcli: 1
        data: {inputs: {shape: [8, 4]}, targets: auto}
        network: [{dense: 6}, tanh, {dense: 3}, softmax]
        loss: cross_entropy
    """

    code = "SP101"
    name = "softmax-before-logits"
    severity = "warning"


@rule
class SigmoidBeforeLogits(Rule):
    """The network ends in a sigmoid, and the loss applies one itself.

    Meaning:
        The loss reads logits, numbers of any size, and gets numbers between 0 and 1. It makes
        probabilities between 0.5 and 0.731 of them: the network can never say that an event is
        unlikely, and the gradient passes through a sigmoid that nobody wanted, which takes
        another three quarters of it.

    Likely cause:
        The sigmoid that other libraries want at the end of a network. Here, as in PyTorch's loss
        with logits, the loss contains it, which is also what keeps it exact for large logits.

    What to look at:
        Leave the sigmoid out, or tell the loss that it gets probabilities:
        `binary_cross_entropy: {input: probabilities}`.

    Example:
        gradcli: 1
        data: {inputs: {shape: [8, 4]}, targets: auto}
        network: [{dense: 6}, tanh, {dense: 1}, sigmoid]
        loss: binary_cross_entropy
    """

    code = "SP102"
    name = "sigmoid-before-logits"
    severity = "warning"


@rule
class NothingBetween(Rule):
    """Linear layers follow each other with nothing between them.

    Meaning:
        A linear map of a linear map is a linear map: together the layers can do no more than a
        single one, with more weights, a gradient that is a product of matrices, and a harder
        problem for the optimiser. Where a layer between is narrower than both ends, the product
        has a low rank, which is the one thing that a single layer does not have.

    Likely cause:
        An activation that was forgotten, or lost when a layer was added behind another one.

    What to look at:
        Whether an activation belongs between them. A deliberate factorisation of low rank, or a
        linear network to study, is fine: write `identity` between the layers to say so.

    Example:
        gradcli: 1
        data: {inputs: {shape: [8, 4]}, targets: auto}
        network: [{dense: 6}, {dense: 3}]
        loss: mse
    """

    code = "SP103"
    name = "nothing-between"
    severity = "warning"


@rule
class DropoutOnOutput(Rule):
    """The predictions themselves are dropped at random.

    Meaning:
        No layer that mixes units follows the dropout, so nothing can make up for what is missing:
        the loss compares zeros, and the rest of the outputs scaled up, with the targets. That is
        noise on the loss, not a regularised network.

    Likely cause:
        A dropout after each layer of a list, the last one included; or an output layer that was
        removed from behind it.

    What to look at:
        Put the dropout before the last layer, or leave it out.

    Example:
        gradcli: 1
        data: {inputs: {shape: [8, 4]}, targets: auto}
        network: [{dense: 6}, tanh, {dense: 3}, {dropout: 0.5}]
        loss: mse
    """

    code = "SP104"
    name = "dropout-on-output"
    severity = "warning"


@rule
class TargetsOutOfReach(Rule):
    """Targets lie outside what the last activation can give.

    Meaning:
        The loss wants predictions equal to targets that the network cannot produce. Training
        drives the last activation into its end, where its slope vanishes, and stays there with a
        loss that is not noise but a bound.

    Likely cause:
        Targets in their own unit behind a sigmoid or tanh that suits scaled ones; targets that
        may be negative behind a relu; labels of -1 and 1 behind an activation that ends at 0.

    What to look at:
        `range` and `worst` in the finding. For numbers of any size leave the last activation
        out; or scale the targets into its range.

    Example:
        gradcli: 1
        data:
          inputs: {shape: [4, 3]}
          targets: {values: [12, 151, 75, 206]}
        network: [{dense: 6}, tanh, {dense: 1}, sigmoid]
        loss: mse
    """

    code = "SP105"
    name = "targets-out-of-reach"
    severity = "warning"


@rule
class PenaltyDrownsLoss(Rule):
    """The penalties on the weights outweigh the loss by far.

    Meaning:
        At this point the penalties are more than ten times the rest of the loss, and so is their
        gradient with respect to the weights that they penalise. A step shrinks the weights and
        hardly looks at the data; and the gradients of the network itself are small terms of sums
        that are checked.

    Likely cause:
        A weight of the penalty for another loss: a mean there, a sum over all weights here; a
        weight with its sign or exponent mistyped; weights that start far too large.

    What to look at:
        `penalty`, `loss` and `gradient_ratio` in the finding. Weights of 1e-5 to 1e-3 are usual.

    Example:
        gradcli: 1
        data: {inputs: {shape: [8, 4]}, targets: auto}
        network: [{dense: 6}, tanh, {dense: 3}]
        loss: {sum: [mse, {l2: {weight: 10}}]}
    """

    code = "SP106"
    name = "penalty-drowns-loss"
    severity = "warning"


@rule
class LossWithoutSlope(Rule):
    """The loss is constant but for its jumps, so that nothing can be trained on it.

    Meaning:
        Small changes of the predictions leave the loss as it is, until a class overtakes another
        and it jumps. Its gradient is zero wherever it has one: every entry of every parameter
        agrees, and no step follows from it. The check marks all of it as vacuous.

    Likely cause:
        The number of mistakes is what is to become small, and it was taken for the loss.

    What to look at:
        Train on a bound that has a slope, such as `cross_entropy` or `hinge`, and measure the
        mistakes beside it. In a sum, this term adds nothing to the gradient.

    Example:
        gradcli: 1
        data: {inputs: {shape: [8, 4]}, targets: auto}
        network: [{dense: 6}, tanh, {dense: 3}]
        loss: zero_one
    """

    code = "SP107"
    name = "loss-without-slope"
    severity = "warning"
