"""Contracts that a backward can break: rules GC0xx.

Each docstring is what `gradcli explain CODE` prints; its example is a forward and a backward in
which the check finds exactly this.
"""

from __future__ import annotations

from gradcli.diagnostics.rules import Rule, rule

__all__: list[str] = []


@rule
class NonlinearInCotangent(Rule):
    """The backward is not linear in the cotangent it is given.

    Meaning:
        A pullback multiplies the cotangent by the Jacobian: twice the cotangent gives twice the
        gradient, and sums stay sums. This one does something else to it, so it can be right for
        one cotangent and wrong for the next.

    Likely cause:
        The cotangent ignored because it was 1 in every test, clipped or normalised inside the
        backward, squared by mistake, added where it has to be multiplied.

    What to look at:
        Every use of the cotangent: it appears in each term exactly once, as a factor.

    Example:
        def forward(x):
            return x ** 2

        def backward(inputs, output, cotangent):
            return {"x": 2 * inputs["x"]}  # times the cotangent
    """

    code = "GC001"
    name = "nonlinear-in-cotangent"


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
class WrongDtype(Rule):
    """A gradient comes in a number format that is not that of what it is the gradient of.

    Meaning:
        A gradient of whole numbers loses its fractions, a complex one is refused by the update or
        turns the parameters complex. A gradient in float64 of an argument in float32 holds the
        right values, and takes twice the memory and turns what is added to it into float64: that
        is a warning. One in float32 of an argument in float64 is GC112, where it shows.

    Likely cause:
        A buffer made for it with the format of something else (`np.zeros_like(labels)`,
        `np.zeros(shape)` in a float32 program), a constant array in float64 that takes part, a
        transform whose imaginary part is zero only on paper (`np.fft.ifft` without `.real`).

    What to look at:
        The message states both formats. Make buffers with `np.zeros_like` of the argument itself,
        and constants in the format of the input.

    Example:
        import numpy as np

        def forward(x):
            return x ** 2

        def backward(inputs, output, cotangent):
            dx = np.zeros(cotangent.shape, dtype=int)  # np.zeros_like(cotangent) holds fractions
            dx[:] = 2 * inputs["x"] * cotangent
            return {"x": dx}
    """

    code = "GC003"
    name = "wrong-dtype"


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
        The message says whether it was the forward or the backward, and whether NumPy's or
        Python's global generator was drawn from. Draw once, outside; hand the draw to the backward
        through the saved values; take a generator with a fixed seed as an argument. A forward that
        draws from a global generator and saves what it drew can be checked: every call finds that
        generator in the same state, and a note says so.

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
        becomes wrong. The global random generators belong to the caller as well: code that
        moves them on or seeds them, and has the same value each time, gets a warning.

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
