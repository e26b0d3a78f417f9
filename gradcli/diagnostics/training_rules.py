"""What a training run can find in layers, tasks and embeddings: GT rules.

Each docstring is what `gradcli explain CODE` prints; its example is a command or a spec in which
the run finds this.
"""

from __future__ import annotations

from gradcli.diagnostics.rules import Rule, rule

__all__: list[str] = []


@rule
class ClippedOften(Rule):
    """Clipping cuts more than half of the steps.

    Meaning:
        Clipping is meant for the rare gradient that is far too large. Here it is the rule: by norm
        it makes every step of the same length, by value it levels the entries.

    Likely cause:
        A limit below the usual norm of the gradient, which grows with the number of parameters.

    What to look at:
        The norms by step. A limit of a few times their median cuts only outliers; if all of them
        are too large, lower the learning rate.

    Example:
        gradcli: 1
        data: {inputs: {shape: [16, 4], distribution: normal}, targets: auto}
        network: [dense: 8, tanh, dense: 1]
        loss: mse
        train: {clip: {norm: 1.0e-3}}
    """

    code = "GT105"
    name = "clipped-often"
    severity = "note"


@rule
class LargeUpdates(Rule):
    """A layer's usual step is a good part of its weights.

    Meaning:
        Half of the steps change the layer's parameters by more than a tenth of their norm. What it
        has learned is thrown away within a few steps.

    Likely cause:
        A learning rate too large for this layer; with Adam, small weights, since every entry moves
        by about the learning rate.

    What to look at:
        About a thousandth is usual. A smaller learning rate, a warm-up, or clipping.

    Example:
        gradcli: 1
        data: {inputs: {shape: [16, 4], distribution: normal}, targets: auto}
        network: [dense: 8, tanh, dense: 1]
        loss: mse
        train: {optimizer: adam, lr: 1, steps: 12}
    """

    code = "GT106"
    name = "large-updates"
    severity = "warning"


@rule
class UnitsLost(Rule):
    """A layer has lost units since the start.

    Meaning:
        At the end a fifth more of the layer's units than at the start have no slope on any row of
        the data (dead), or next to none (saturated). They no longer learn.

    Likely cause:
        A step that was too large has thrown biases far below zero, or weights far out.

    What to look at:
        The step named, from which on it is so, and the updates before it. A smaller learning rate,
        clipping, or an activation with a slope on both sides.

    Example:
        gradcli: 1
        data: {inputs: {shape: [64, 4], distribution: normal}, targets: auto}
        network: [dense: 16, relu, dense: 1]
        loss: mse
        train: {lr: 2, steps: 20, clip: {norm: 5}}
    """

    code = "GT107"
    name = "units-lost"
    severity = "warning"


@rule
class Underflow(Rule):
    """Entries of the gradient are lost to float16.

    Meaning:
        In mixed precision more than a twentieth of the entries that float32 has at the first step,
        or half of them later, are exactly zero in float16, whose smallest number is 6e-8. Where all
        of a layer's are, it does not learn.

    Likely cause:
        A loss scale that is too small for these gradients, or none.

    What to look at:
        `loss_scale: dynamic`, which finds the largest that does not overflow, or the one named.
        bfloat16 has float32's range and needs none.

    Example:
        gradcli: 1
        data: {inputs: {shape: [16, 4], distribution: normal, std: 1.0e-4}, targets: auto}
        network: [dense: {units: 8, init: {normal: 1.0e-4}}, tanh, dense: 1]
        loss: mse
        train: {precision: mixed, loss_scale: 1}
    """

    code = "GT108"
    name = "underflow"
    severity = "warning"


@rule
class Conflict(Rule):
    """Two tasks pull the shared layers in opposite directions.

    Meaning:
        In more than half of the steps the cosine of the angle between the two tasks' gradients over
        shared parameters is negative: a step along one raises the loss of the other.

    Likely cause:
        Tasks that need different features, in a trunk that is too small for both.

    What to look at:
        The cosines by step, and the weights. Weights change how far each task gets, not the
        conflict; more capacity, or a split lower down, does.

    Example:
        gradcli: 1
        data:
          inputs: {values: [[1.0], [2.0], [-1.0]]}
          targets: {up: {values: [3.0, 6.0, -3.0]}, down: {values: [-3.0, -6.0, 3.0]}}
        network:
          trunk: [dense: {units: 1, bias: false, init: ones}]
          heads:
            up: [dense: {units: 1, bias: false, init: ones}]
            down: [dense: {units: 1, bias: false, init: ones}]
        loss: {multi_task: {tasks: {up: mse, down: mse}}}
        train: {lr: 1.0e-3, steps: 10}
    """

    code = "GT109"
    name = "conflict"
    severity = "note"


@rule
class NoActiveTriplets(Rule):
    """No pair or triplet of the batch is inside the margin any more.

    Meaning:
        For the last ten steps the value of every pair or triplet is zero, and so is the gradient:
        the run goes on without learning.

    Likely cause:
        The task is learned; or negatives are drawn at random, and easy ones are all that is left.

    What to look at:
        Hard or semi-hard mining, a larger batch to mine in, a larger margin.

    Example:
        gradcli: 1
        data:
          inputs: {values: [[0.0, 0.0], [0.1, 0.0], [9.0, 0.0], [1.0, 1.0], [1.1, 1.0], [9.0, 9.0]]}
        network: [dense: {units: 2, init: {constant: 1}}]
        loss: {triplet: {margin: 0.5}}
        train: {batch: all, lr: 1.0e-6, steps: 20}
    """

    code = "GT110"
    name = "no-active-triplets"
    severity = "note"


@rule
class Collapse(Rule):
    """All embeddings shrink to one point.

    Meaning:
        The embeddings' spread has fallen to less than a twentieth of what it was, and most triplets
        are still inside the margin: the distances are all zero, and the loss stays at the margin.

    Likely cause:
        The hardest negatives from the first step on: pulled toward anchors that are no better
        placed, everything contracts (Schroff et al. 2015 meet it, and turn to semi-hard ones).

    What to look at:
        Semi-hard mining, a smaller learning rate, or embeddings of fixed length.

    Example:
        gradcli: 1
        data:
          inputs: {shape: [60, 8], distribution: normal}
          targets: auto
        network: [dense: 8]
        loss: {triplet: {mining: hard, margin: 0.2}}
        train: {batch: all, optimizer: adam, lr: 0.02, steps: 200}
    """

    code = "GT111"
    name = "collapse"
    severity = "warning"


@rule
class CheckFailed(Rule):
    """A gradient that was right at the start is wrong where the run has come to.

    Meaning:
        The gradient check of the tensors named fails at the trained point. Some mistakes show only
        in a branch that the first point does not take, or once units saturate.

    Likely cause:
        A wrong backward of an operation of the spec's own, in a region of its inputs.

    What to look at:
        Save the weights and check there, which says where and what: `gradcli train SPEC
        --save-weights run.npz`, then `weights: run.npz` in the spec and `gradcli check SPEC`.

    Example:
        gradcli: 1
        data: {inputs: {shape: [16, 4], distribution: normal}, targets: auto}
        define:
          late:
            kind: activation
            forward: x ** 3
            derivative: where(x > 2, x ** 2, 3 * x ** 2)
        network: [dense: {units: 4, init: {normal: 0.1}}, late, dense: 1]
        loss: mse
        train: {optimizer: adam, lr: 0.5, check_every: 20, steps: 20}
    """

    code = "GT112"
    name = "check-failed"
