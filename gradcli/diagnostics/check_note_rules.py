"""What else is worth knowing of a check: rules GC2xx.

Each docstring is what `gradcli explain CODE` prints; its example is a spec in which the check finds
exactly this.
"""

from __future__ import annotations

from gradcli.diagnostics.rules import Rule, rule

__all__: list[str] = []


@rule
class Kink(Rule):
    """The function has a kink here, and the claimed slope is one of those it may have.

    Meaning:
        The slopes from the left and from the right differ, so there is no derivative, and a
        two-sided difference measures neither. The claim lies between the two slopes and is
        accepted; such entries are counted and not graded. This is not a mistake. A gradient
        function is asked for some of them again beside the kinks, where one slope alone is right:
        wrong there, it is wrong.

    Likely cause:
        A ReLU, a maximum or an absolute value exactly at its corner, or so close to it that
        every usable step crosses it: zeros in the data, biases that start at zero, equal values
        under a maximum.

    What to look at:
        Nothing, as long as they are few. If a large share of the entries sits on kinks, the
        check says little: use inputs without exact zeros, or another seed.

    Example:
        gradcli: 1
        define:
          relu_by_hand:
            kind: activation
            forward: maximum(x, 0)
            derivative: where(x > 0, 1, 0)   # any number from 0 to 1 is right at zero
    """

    code = "GC201"
    name = "kink"
    severity = "note"


@rule
class Vacuous(Rule):
    """Every checked entry is zero on both sides: this check could not have failed.

    Meaning:
        The function does not depend on this tensor at this point, so that a backward that
        always returns zero passes as well. The tensor is reported as passing and counts for
        nothing; `--strict` makes it exit 3.

    Likely cause:
        Dead units (every input of a ReLU negative), saturation, a weight multiplied by zero, a
        loss beyond its margin, a parameter that the forward does not use.

    What to look at:
        The layer after this tensor: are its activations all zero or all at a limit? Another
        seed, smaller inputs or a smaller bias wakes it up. If it is dead at every point, the
        network has a part that never learns.

    Example:
        gradcli: 1
        define:
          switched_off:
            kind: activation
            params: {gate: 0}
            forward: gate * tanh(x)
            derivative: gate * (1 - tanh(x)**2)   # with gate 0, any factor would pass
    """

    code = "GC202"
    name = "vacuous"
    severity = "note"


@rule
class Inconclusive(Rule):
    """Neither right nor wrong could be shown.

    Meaning:
        The difference between analytic and numeric values is smaller than what this function,
        at this point and in this precision, allows to be measured, and too large to be called
        equal; or no point was left to compare at. The exit code is 3, unless
        `--allow-inconclusive` is given.

    Likely cause:
        A value so large that its rounding hides the slope (a loss of 1e9 with gradients of
        1e-6), float32 inside the function, a noisy or rounded forward, a domain on which the
        function is not finite.

    What to look at:
        `detectable_error` says how large a mistake could have gone unseen. Scale the inputs
        towards 1, take constants out of the loss, compute in float64, or check the piece alone,
        in a `define`.

    Example:
        gradcli: 1
        define:
          logarithm:
            kind: activation
            domain: {x: [-2, -1]}            # no point where log is finite
            forward: log(x)
            derivative: 1 / x
    """

    code = "GC203"
    name = "inconclusive"
    severity = "warning"


@rule
class NoClaim(Rule):
    """The definition states no gradient, so there was nothing to check.

    Meaning:
        The gradient of this definition is derived from its own formula. It is right by
        construction and can be used in a network, but the check compares nothing.

    Likely cause:
        `derivative` (of an activation) or `gradient` (of a loss or a function) was left out.

    What to look at:
        If a gradient is written elsewhere, in the code that this definition stands for, state
        it here: then it is checked. Otherwise nothing.

    Example:
        gradcli: 1
        define:
          bent_identity:
            kind: activation
            forward: (sqrt(x**2 + 1) - 1) / 2 + x
    """

    code = "GC205"
    name = "no-claim"
    severity = "note"


@rule
class Consequence(Rule):
    """A tensor that is wrong only because of another node.

    Meaning:
        Its own node's pullback was checked alone and is right; the gradient that reaches it has
        already passed through a node whose pullback is wrong. That node has the error.

    Likely cause:
        The nodes listed in `data.culprits`: mend these, and this one disappears.

    What to look at:
        The error at the culprit, nothing here.

    Example:
        gradcli: 1
        data:
          inputs: {shape: [4, 3]}
          targets: auto
        network: [{dense: 5}, damped, {dense: 2}]
        loss: mse
        define:
          damped:
            kind: activation
            forward: tanh(x)
            derivative: 0.9 * (1 - tanh(x)**2)   # without 0.9
    """

    code = "GC204"
    name = "consequence"
    severity = "note"
