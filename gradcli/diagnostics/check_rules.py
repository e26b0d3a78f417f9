"""What a gradient check can find: the GC rules.

Each docstring is what `gradcli explain CODE` prints. Its example is complete: a spec, or a forward
and a backward in Python, in which the check finds exactly this.
"""

from __future__ import annotations

from gradcli.diagnostics.rules import Rule, rule

__all__: list[str] = []


@rule
class WrongShape(Rule):
    """A gradient does not have the shape of what it is the gradient of.

    Meaning:
        The backward returned, for this input, an array of another shape than the input's. A
        gradient holds one number for each entry of its tensor. NumPy would broadcast the
        difference away in the next update, so the step is taken with wrong numbers and no
        error.

    Likely cause:
        A transposed product, a sum over the batch that is missing (a bias gradient of shape
        (rows, units) instead of (units,)), a sum that dropped an axis the input has (keepdims),
        or a broadcast in the forward that the backward does not undo.

    What to look at:
        The message states both shapes. Write the shapes beside each factor of the backward: for
        y = x Wᵀ with W of shape (out, in), the gradient of W is gᵀ x, of shape (out, in). Along
        every axis that the forward broadcast, the backward sums.

    Example:
        def forward(x, weight):
            return x @ weight.T

        def backward(inputs, output, cotangent):
            return {
                "x": cotangent @ inputs["weight"],
                "weight": inputs["x"].T @ cotangent,  # (in, out); cotangent.T @ x is (out, in)
            }
    """

    code = "GC002"
    name = "wrong-shape"


@rule
class NonFinite(Rule):
    """The gradient is NaN or infinite where the function and its slope are finite.

    Meaning:
        At this entry the function has an ordinary slope, and the claimed gradient is NaN or
        infinity. One such entry spreads to every parameter upstream in a single step, and the
        run is lost.

    Likely cause:
        A division 0/0 or a product 0·inf at a point where only the limit is finite; an
        exponential that overflows before it is divided by a larger one; a square root or a norm
        differentiated at zero; a branch that is not taken but still evaluated, `where(x > 0,
        log(x), 0)`.

    What to look at:
        The worst entry: is it at zero, at a border of the domain, or far in a tail? Rewrite the
        expression so that the dangerous factor cancels on paper (sigmoid(x) instead of
        exp(x)/(1 + exp(x))), or choose the argument inside the branch: `where(x > 0,
        log(where(x > 0, x, 1)), 0)`.

    Example:
        gradcli: 1
        define:
          signed_square:
            kind: activation
            forward: x * abs(x)
            derivative: 2 * x**2 / abs(x)   # 0/0 at zero; 2 * abs(x) is the same and finite
    """

    code = "GC004"
    name = "non-finite"


@rule
class Nondeterministic(Rule):
    """The same call gives different values.

    Meaning:
        The function or its gradient was called twice with the same arguments and answered
        differently. Nothing that is compared with such a function means anything: the gradient
        belongs to one draw, the value to another.

    Likely cause:
        Random numbers drawn inside the call (dropout, noise, random mining), a mask drawn again
        in the backward instead of kept from the forward, a counter or running average updated
        by each call, or memory that is read before it is written (`np.empty`).

    What to look at:
        The message says whether it was the forward or the backward. Draw once, outside; hand
        the draw to the backward through the saved values; take a generator with a fixed seed as
        an argument.

    Example:
        import numpy as np

        rng = np.random.default_rng()

        def forward(x):
            return 2 * x

        def backward(inputs, output, cotangent):
            keep = rng.random(cotangent.shape) < 0.5  # drawn anew in each call
            return {"x": 2 * cotangent * keep / 0.5}
    """

    code = "GC005"
    name = "nondeterministic"


@rule
class MutatesItsArguments(Rule):
    """The call changed an array that was handed to it.

    Meaning:
        After the call, an input, the cotangent or a saved value holds other numbers than
        before. The caller still needs them: the cotangent goes to other branches too, and the
        inputs are read by the backward of the layer before. The gradient of some *other* layer
        becomes wrong.

    Likely cause:
        An in-place operator on an argument (`g *= ...`, `x -= x.max()`), an `out=` that names
        an argument, or a view of an argument that is written to (`rows = x.reshape(-1, n)`).

    What to look at:
        The message names the argument. Replace `g *= 2` by `g = 2 * g`, or copy first.
        Shift-invariant functions are the classic: softmax that subtracts the maximum from its
        own input.

    Example:
        def forward(x):
            return x * x

        def backward(inputs, output, cotangent):
            cotangent *= 2 * inputs["x"]  # the caller's array; write 2 * x * cotangent
            return {"x": cotangent}
    """

    code = "GC006"
    name = "mutates-its-arguments"


@rule
class BackwardRaises(Rule):
    """The backward raised an exception at a point where the forward works.

    Meaning:
        The forward returned a value for these inputs, so there is a gradient to compute, and
        the backward stopped with an error instead. In training it would stop the run.

    Likely cause:
        Shapes that fit only for some batch sizes or widths (a square weight hides a missing
        transpose), an input the backward does not know, a saved value that the forward did not
        save, an integer index from a float.

    What to look at:
        The message quotes the exception; `--traceback` shows where it came from. Run the
        backward with a batch of three and no two dimensions equal.

    Example:
        def forward(x, weight):
            return x @ weight.T

        def backward(inputs, output, cotangent):
            return {
                "x": cotangent @ inputs["weight"].T,  # fits a square weight only
                "weight": cotangent.T @ inputs["x"],
            }
    """

    code = "GC007"
    name = "backward-raises"


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
            derivative: beta * sigmoid(beta * x) * (1 + beta * x * (1 - sigmoid(beta * x)))
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
    """The gradient passes, but with the accuracy of a shorter number format.

    Meaning:
        The difference is real, far above the uncertainty of the comparison, within the required
        grade, and of the size that rounding in float32 or in rounded constants leaves. Right
        enough for a step, not for a Hessian, a line search or a test with a tighter tolerance.

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


@rule
class Kink(Rule):
    """The function has a kink here, and the claimed slope is one of those it may have.

    Meaning:
        The slopes from the left and from the right differ, so there is no derivative, and a
        two-sided difference measures neither. The claim lies between the two slopes and is
        accepted; such entries are counted and not graded. This is not a mistake.

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
