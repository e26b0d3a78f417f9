"""Kinds of wrong gradients: rules GC1xx.

Each docstring is what `gradcli explain CODE` prints; its example is a spec, or a forward and a
backward, in which the check finds exactly this.
"""

from __future__ import annotations

from gradcli.diagnostics.rules import Rule, rule

__all__: list[str] = []


@rule
class Mismatch(Rule):
    """The gradient is wrong, and no simple mistake explains it.

    Meaning:
        Analytic and numeric values differ by far more than the uncertainty of either, confirmed
        by differences of the function itself with two sets of steps. The difference is not a
        sign, a factor or another pattern that has a code of its own.

    Likely cause:
        An algebra mistake: a power or a square left out, the derivative of the inner function
        forgotten, a term of a product rule missing, the derivative of a neighbouring function
        (tanh for sigmoid).

    What to look at:
        The worst entry, and how the ratio analytic/numeric changes along the tensor: a ratio
        that follows the input is a missing inner derivative; one that differs between rows is a
        wrong broadcast. Differentiate the forward once more on paper, or leave the claim out
        and let gradcli differentiate the formula.

    Example:
        gradcli: 1
        define:
          tanh_forgot_square:
            kind: activation
            forward: tanh(x)
            derivative: 1 - tanh(x)         # 1 - tanh(x)**2
    """

    code = "GC100"
    name = "mismatch"


@rule
class SignFlipped(Rule):
    """The gradient is the negative of the true one.

    Meaning:
        Every entry has the right size and the wrong sign. A step against this gradient climbs:
        the loss grows, and if only one layer is affected, the others may hide it by learning
        around it.

    Likely cause:
        The derivative of the residual y − p was taken with respect to the target y instead of
        the prediction p; a minus lost in the chain rule of exp(−x) or 1/x; a loss turned into a
        reward on one side only.

    What to look at:
        With respect to what the claim differentiates. For a loss in p and y the gradient is
        ∂L/∂p: for (p − y)² that is 2(p − y), whichever way round the square is written.

    Example:
        gradcli: 1
        define:
          huber_towards_target:
            kind: loss
            forward: where(abs(y - p) <= 1, (y - p)**2 / 2, abs(y - p) - 1/2)
            gradient: where(abs(y - p) <= 1, y - p, sign(y - p))   # that is dL/dy
    """

    code = "GC101"
    name = "sign-flipped"


@rule
class ConstantFactor(Rule):
    """The gradient is the true one times a constant.

    Meaning:
        Claimed over true is the same number in every entry that is not zero. The direction is
        right, so training works, at another learning rate than the one that was chosen, and
        differently from layer to layer.

    Likely cause:
        A mean in the forward and a sum in the backward, or the reverse (the factor is the batch
        size or the number of outputs); a square without its 2 or a half too many; the inner
        derivative of a scaled argument (the factor is the scale); a weight of the loss applied
        twice or not at all.

    What to look at:
        `factor` in the finding is claimed over true, and `is` names what equals it: the batch
        size, the width, 2, ½, or a parameter of the operation. Divide the claim by it.

    Example:
        gradcli: 1
        define:
          swish_extra_beta:
            kind: activation
            params: {beta: 1.5}
            forward: x * sigmoid(beta * x)
            derivative: >-
              beta * sigmoid(beta * x)
              * (1 + beta * x * (1 - sigmoid(beta * x)))
    """

    code = "GC102"
    name = "constant-factor"


@rule
class ZeroGradient(Rule):
    """The claimed gradient is zero everywhere, and the true one is not.

    Meaning:
        The function depends on this tensor and the backward says that it does not. What stands
        behind it is never trained, and nothing else looks wrong.

    Likely cause:
        A backward that returns `zeros_like` as a placeholder, a value cut off from the graph
        (detached, rounded, turned into an integer), a gradient added to an array that is thrown
        away, a result written to the wrong key.

    What to look at:
        Whether the backward reaches this tensor at all; whether it is returned under the
        tensor's own name. A function that should have no gradient here is declared so:
        `differentiable: false`.

    Example:
        gradcli: 1
        define:
          gate_without_gradient:
            kind: activation
            forward: x + tanh(x)
            derivative: 0 * x               # 2 - tanh(x)**2
    """

    code = "GC103"
    name = "zero-gradient"


@rule
class LowPrecision(Rule):
    """The gradient has the accuracy of a shorter number format.

    Meaning:
        The difference is real, far above the uncertainty of the comparison, and of the size that
        rounding in float32 or in rounded constants leaves. Within the required grade it passes
        with this warning: right enough for a step, not for a Hessian, a line search or a test
        with a tighter tolerance. Beyond the grade it is an error; `data.format` then names the
        format to which the right values were rounded.

    Likely cause:
        A cast to float32 inside a float64 computation, a buffer that was allocated in float32,
        a table or a constant written with six or seven digits.

    What to look at:
        The dtype of every array the backward allocates (`np.zeros(n, np.float32)`), and the
        digits of its constants: √(2/π) is a formula, 0.797885 is not.

    Example:
        import numpy as np

        def forward(x):
            return np.tanh(x)

        def backward(inputs, output, cotangent):
            slope = 1 - output.astype(np.float32) ** 2  # seven digits left
            return {"x": cotangent * slope}
    """

    code = "GC112"
    name = "low-precision"
    severity = "warning"


@rule
class SmallMismatch(Rule):
    """The gradient passes its grade and is still not the true one.

    Meaning:
        The difference is far above the uncertainty of both sides, so it is not rounding: the
        claim is the gradient of a slightly different function. It is smaller than what
        `--require` allows.

    Likely cause:
        An approximation in the backward only (a fast sigmoid, a truncated series), an epsilon
        that the forward has and the backward does not, a constant copied with too few digits, a
        small term left out.

    What to look at:
        The worst entry, and whether `--require excellent` would let it through. Epsilons first:
        the backward of 1/√(v + ε) contains the same ε.

    Example:
        gradcli: 1
        define:
          norm_without_eps:
            kind: activation
            forward: x / sqrt(1.000001 + x**2)
            derivative: (1 + x**2)**(-3/2)   # 1.000001 * (1.000001 + x**2)**(-3/2)
    """

    code = "GC113"
    name = "small-mismatch"
    severity = "warning"
