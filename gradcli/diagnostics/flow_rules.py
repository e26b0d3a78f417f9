"""What an analysis of gradient flow can find: the GF rules.

Each docstring is what `gradcli explain CODE` prints; its example is a command or a spec in which
the analysis finds exactly this.
"""

from __future__ import annotations

from gradcli.diagnostics.rules import Rule, rule

__all__: list[str] = []


@rule
class Vanishing(Rule):
    """The gradient of the first layer is a vanishing part of the gradient of the last.

    Meaning:
        From the last layer's output back to the network's input the norm of the gradient shrinks
        by more than the threshold (default two decades, a factor of 100), on 95 % of all draws of
        the weights. The layers near the input hardly learn, whatever the learning rate of the
        others.

    Likely cause:
        Named in the finding: the activation's slopes (sigmoid's is at most 1/4), weights drawn too
        small (PyTorch's default before ReLU), their balance (the ordered phase), or dead units.
        Each layer multiplies the gradient by about rms f' · ‖W‖_F/√fan_out; depth does the rest.

    What to look at:
        The gain of a layer: it should be close to 1. An initialization that suits the activation
        (`init: auto`), an activation with a slope near 1, residual blocks, or normalization.

    Example:
        gradcli flow --depth 50 --activation sigmoid
    """

    code = "GF101"
    name = "vanishing"


@rule
class Exploding(Rule):
    """The gradient grows from the last layer back to the first.

    Meaning:
        From the last layer's output back to the network's input the norm of the gradient grows by
        more than the threshold (default two decades, a factor of 100), on 95 % of all draws of
        the weights. A learning rate that suits the last layers throws the first ones away.

    Likely cause:
        Named in the finding: weights drawn too large, slopes above 1, their balance (the chaotic
        phase), or (the rest) sums of residual blocks and normalization, which add to the gradient.

    What to look at:
        The gain of a layer: it should be close to 1. A smaller `gain`, an initialization that
        suits the activation, residual branches scaled by 1/√depth. Clipping the gradient saves
        the step, not the proportions between layers.

    Example:
        gradcli flow --depth 50 --gain 2
    """

    code = "GF102"
    name = "exploding"


@rule
class Dead(Rule):
    """More units than usual have no slope on any row of the batch.

    Meaning:
        These units pass no gradient and receive none, so that no step can change them. What is
        usual is stated: in a deep ReLU network about half of the units are off on the whole
        batch, since all rows have come to point the same way, and that is healthy.

    Likely cause:
        Biases far below zero; a learning rate that has thrown them there, if the weights are from
        a trained network; inputs that are all negative.

    What to look at:
        The biases of the layer named, and the scale of its inputs. leaky_relu or elu have a slope
        on both sides.

    Example:
        gradcli: 1
        data: {inputs: {shape: [64, 16], distribution: normal}, targets: auto}
        network:
          - dense: {units: 16, bias_init: {constant: -20}}
          - relu
          - dense: 1
        loss: mse
    """

    code = "GF103"
    name = "dead"
    severity = "warning"


@rule
class Saturated(Rule):
    """More units than usual sit where their activation is level, on every row of the batch.

    Meaning:
        On all rows the slope of these units is below a tenth of the activation's largest, because
        their values lie near an end of its range. They pass almost no gradient.

    Likely cause:
        Weights or biases drawn too large, or inputs that are not scaled: pre-activations far from
        zero.

    What to look at:
        The rms of the activations, the layer's weight norm and its biases. Scale the inputs to
        unit variance, draw the biases smaller, put a normalization before the activation.

    Example:
        gradcli flow --activation tanh --bias-std 10
    """

    code = "GF104"
    name = "saturated"
    severity = "warning"


@rule
class NonFinite(Rule):
    """A value or a gradient left the range of floating-point numbers.

    Meaning:
        At the node named, an activation, the loss, or a gradient became infinite or NaN. Values
        are carried with an exponent of their own where the network allows it, so this is not a
        matter of depth alone: a value grew beyond the largest number before an op that needs it
        as it is, or an op was used outside its domain. Everything measured beyond that point is
        not a number.

    Likely cause:
        Activations that grow from layer to layer (weights too large), a logarithm or a division
        at zero, weights or data with extreme values.

    What to look at:
        The rms of the activations up to the layer named: is it growing? Then the initialization
        is too large.

    Example:
        gradcli flow --depth 40 --width 16 --activation gelu --gain 1e9
    """

    code = "GF105"
    name = "non-finite"


@rule
class BoundViolated(Rule):
    """The gradient grew more than the product of norms allows: a mistake in gradcli.

    Meaning:
        ‖W‖₂ times the largest slope is an upper bound of what a layer can do to a gradient, and
        so is their product along the network. A measurement above it is impossible if both are
        right.

    Likely cause:
        A mistake in gradcli: in a norm, a slope, or what an operation claims of itself.

    What to look at:
        Report it, with the spec and the seed.

    Example:
        There is none.
    """

    code = "GF106"
    name = "bound-violated"


@rule
class FlatWeightGradients(Rule):
    """The weight gradients look even across the layers while the signal does not.

    Meaning:
        ‖∂L/∂W‖ is the signal times the layer's input. Where activations shrink toward the loss as
        the signal grows toward it (or the other way round), the two cancel, and a plot of
        weight-gradient norms shows a healthy network that is not one.

    Likely cause:
        An initialization that makes each layer scale both its values and its gradients by the
        same factor, such as Xavier before ReLU.

    What to look at:
        The three curves apart: the rms of the activations, the gradient norms, the
        weight-gradient norms.

    Example:
        gradcli flow --depth 50 --init xavier_normal
    """

    code = "GF107"
    name = "flat-weight-gradients"
    severity = "warning"


@rule
class Undetermined(Rule):
    """The draws of the weights do not agree on a verdict, or there is no number to judge by.

    Meaning:
        The interval in which 95 % of draws lie reaches across the threshold: with one seed the
        gradient stays within it, with another it does not. Or the signal is not a number, for the
        reason that another finding states.

    Likely cause:
        A total close to the threshold; a narrow and deep network, whose gradient varies from draw
        to draw by a factor that grows with depth over width.

    What to look at:
        The band and the total of each seed. More `--seeds` make the band more certain, not
        narrower than the draws are; a wider network does.

    Example:
        gradcli flow --depth 40 --width 8
    """

    code = "GF108"
    name = "undetermined"
    severity = "warning"


@rule
class NoSignal(Rule):
    """The gradient is already zero at the last layer's output.

    Meaning:
        The loss sends no gradient back, so that there is nothing whose flow could be measured.

    Likely cause:
        Weights of the head that are all zero, a loss at its minimum or beyond its margin, targets
        equal to the outputs, an output unit that is off on every row.

    What to look at:
        The head's initialization, the loss, and its targets.

    Example:
        gradcli: 1
        data: {inputs: {shape: [64, 16], distribution: normal}, targets: auto}
        network:
          - dense: 16
          - tanh
          - dense: {units: 1, init: zeros}
        loss: mse
    """

    code = "GF109"
    name = "no-signal"


@rule
class Ordered(Rule):
    """All inputs collapse to one: what the network is given hardly matters.

    Meaning:
        From the layer named on, the examples of the batch differ from their mean by less than the
        threshold's part (default two decades, a hundredth) of what they do at the input. This is
        the ordered phase of mean-field theory: differences shrink from layer to layer as fast as
        the gradient does on its way back, and the last layers have nothing to tell inputs apart by.

    Likely cause:
        Slopes and weights that shrink differences while biases, or an activation that is not zero
        at zero such as sigmoid, keep the values up.

    What to look at:
        The cosine of two examples by layer, which tends to 1. The edge of chaos of the activation,
        that is larger weights or smaller biases: `gradcli flow --critical --activation NAME` tells
        them, and flow measures it among its remedies. An activation through zero, residual blocks,
        batch normalization.

    Example:
        gradcli flow --depth 50 --activation sigmoid
    """

    code = "GF110"
    name = "ordered"
    severity = "warning"


@rule
class Chaotic(Rule):
    """Inputs that are near each other end far apart.

    Meaning:
        A change of the inputs by √eps of their size has grown, as a part of the values' own size,
        by more than the threshold (default two decades), or to a tenth of it. This is the chaotic
        phase of mean-field theory: the function that the network starts from is so rough that
        nothing learned from one input says anything about the next, and the gradient explodes.

    Likely cause:
        Weights so large that the activation bends the values more than once from layer to layer,
        or a batch normalization in every layer without shortcuts.

    What to look at:
        The gain of a layer, and its distance from 1. A smaller `gain`, or the edge of chaos of
        this activation, which `gradcli flow --critical --activation NAME` computes (and flow
        measures among its remedies). Where values merely grow, as with ReLU,
        near inputs stay as near as they are, and this is not found.

    Example:
        gradcli flow --depth 50 --activation tanh --gain 3
    """

    code = "GF111"
    name = "chaotic"
    severity = "warning"


@rule
class RankCollapse(Rule):
    """All inputs end in one direction, told apart by their sizes alone.

    Meaning:
        From the layer named on, less than the threshold's part (default two decades) of the
        activations lies outside one direction: the Gram matrix of the batch has an effective rank
        of 1. The inputs are not the same (that is `ordered`), but the layers after see one number.

    Likely cause:
        Depth: each layer of a plain network draws directions together, ReLU at its critical
        initialization by a power of the depth, narrow linear layers exponentially.

    What to look at:
        The effective rank by layer. Residual blocks keep it; so does batch normalization
        (Daneshmand et al. 2020); a wider or shallower network loses less.

    Example:
        gradcli flow --depth 400 --width 8 --activation identity --threshold 3
    """

    code = "GF112"
    name = "rank-collapse"
    severity = "warning"


@rule
class Underflow(Rule):
    """The gradient falls below what a number format can hold.

    Meaning:
        From the layer named on toward the input the rms entry of ∂L/∂a is below the smallest
        number of the format, so that in it most of the gradient is exactly zero. It is measured
        here with an exponent of its own, which is why the other figures go on. A note for formats
        other than the network's own.

    Likely cause:
        A gradient that vanishes, or a loss that is an average over many numbers: each has a small
        gradient, which float16 cannot hold below 6e-8.

    What to look at:
        The loss scale stated: the power of two by which to multiply the loss so that every layer's
        gradient fits (Micikevicius et al. 2018). Where none helps the network has to be mended.
        bfloat16 has the range of float32.

    Example:
        gradcli flow --depth 50 --init xavier_normal
    """

    code = "GF113"
    name = "underflow"
    severity = "note"


@rule
class UnlikeTheory(Rule):
    """The gradient flows otherwise than theory expects of such a network.

    Meaning:
        On average over the draws, a layer's gain or the total is farther from what mean-field
        theory expects than chance and finite width explain. Theory knows the spreads of weights
        and biases, the activation, normalization, dropout and sums; an activation's slope it takes
        from its value, not from what is claimed of it.

    Likely cause:
        A derivative in the spec that is not that of its forward. Weights that are stated: those of
        a trained network are no independent numbers. Otherwise a mistake in gradcli.

    What to look at:
        `gradcli check` on the same spec, and the first layer whose gain is not the expected one.

    Example:
        gradcli: 1
        define:
          half_tanh:
            kind: activation
            forward: tanh(x)
            derivative: 0.5*(1 - tanh(x)**2)
        data: {inputs: {shape: [64, 64], distribution: normal}, targets: auto}
        network:
          - repeat: {times: 10, layers: [dense: 64, half_tanh]}
          - dense: 1
        loss: mse
    """

    code = "GF120"
    name = "unlike-theory"
    severity = "warning"
