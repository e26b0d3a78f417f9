"""Rules of the check: mistakes that show as a pattern among the entries."""

from __future__ import annotations

from gradcli.diagnostics.rules import Rule, rule

__all__: list[str] = []


@rule
class Transposed(Rule):
    """The claimed gradient is the transpose of the true one.

    Meaning:
        Every value is right and stands at its mirror image. The matrix is square, so that no
        shape complains.

    Likely cause:
        The factors of the weight gradient exchanged (aᵀ·δ for δᵀ·a), a weight kept as (in, out)
        by the forward and as (out, in) by the backward, an order="F" too many.

    What to look at:
        The line that makes this gradient, with a layer whose two sizes differ: the mistake then
        is an error of shapes.

    Example:
        gradcli: 1
        define:
          quadratic_form:
            kind: function
            inputs: {w: {shape: [3, 3]}, x: {shape: [3, 1], differentiable: false}}
            forward: sum(matmul(w, x) ** 3)
            gradient: {w: "g * 3 * matmul(x, transpose(matmul(w, x) ** 2))"}   # exchange the two
    """

    code = "GC104"
    name = "transposed"


@rule
class Clipped(Rule):
    """The claimed gradient is the true one cut off at a limit.

    Meaning:
        Small entries are right, large ones all have the same size. Clipping belongs to the
        optimizer; inside a backward it changes the gradient of everything before it.

    Likely cause:
        A clip left over from a search for an instability, a gradient kept in a bounded
        or too narrow type, a saturating function applied to the gradient.

    What to look at:
        `clip`, `minimum`, `maximum` and casts in the backward; the limit is in `data.limit`.

    Example:
        import numpy as np

        def forward(x):
            return x ** 3

        def backward(inputs, output, cotangent):
            g = 3 * inputs["x"] ** 2 * cotangent
            return {"x": np.clip(g, -0.5, 0.5)}  # without the clip
    """

    code = "GC105"
    name = "clipped"


@rule
class MissingBatchSum(Rule):
    """The claimed gradient is what one row of the batch contributes, not the sum over all.

    Meaning:
        A parameter that every row uses gets a contribution from each, and its gradient is their
        sum. This claim has the contribution of a single row (`data.row`); the other examples of
        the batch are ignored.

    Likely cause:
        `g[0]` or `g[-1]` where `g.sum(axis=0)` was meant, a loop over rows that assigns
        (`dw = ...`) where it has to add (`dw += ...`), a test with one row only. A mean in place
        of the sum is a constant factor (GC102), the sum left out altogether a wrong shape (GC002).

    What to look at:
        The line that makes this gradient: every index that the forward broadcast the parameter
        along has to be summed over.

    Example:
        import numpy as np

        def forward(x, weight):
            return x @ weight.T

        def backward(inputs, output, cotangent):
            for x, g in zip(inputs["x"], cotangent):
                dweight = np.outer(g, x)  # each row replaces the one before
            return {"x": cotangent @ inputs["weight"], "weight": dweight}
    """

    code = "GC106"
    name = "missing-batch-sum"


@rule
class WrongInOneBranch(Rule):
    """The claim is wrong wherever one condition holds, and right wherever it does not.

    Meaning:
        A piecewise function has one piece whose derivative is wrong. `data.branch` is the
        condition that the wrong points share: one of the forward or of the claim, or, where none
        is known, a threshold that parts the wrong points from the right ones.

    Likely cause:
        A piece that was changed in the forward only, a factor forgotten in one arm of a `where`,
        a condition that is the wrong way round, a threshold that differs between the two.

    What to look at:
        The arm of the derivative that belongs to the condition, at the point of the worst entry.

    Example:
        gradcli: 1
        define:
          leaky:
            kind: activation
            params: {alpha: 0.1}
            forward: where(x > 0, x, alpha * x)
            derivative: where(x > 0, 1, 0)   # alpha in place of 0
    """

    code = "GC107"
    name = "wrong-in-one-branch"


@rule
class WrongRowsOrColumns(Rule):
    """Whole rows or columns of the gradient are wrong, and the others right.

    Meaning:
        The mistake belongs to single examples, units or features: an index, not a formula.

    Likely cause:
        A loop that stops one short, a slice for one gate or head taken from its neighbour, a mask
        applied along the wrong axis, the first or last step of a sequence left out.

    What to look at:
        The rows or columns listed in `data`, and the indexing that treats them otherwise than
        the rest: the first and the last ones first.

    Example:
        def forward(x):
            return x ** 2

        def backward(inputs, output, cotangent):
            dx = 2 * inputs["x"] * cotangent
            dx[-1] = 0  # a loop that stops one row short
            return {"x": dx}
    """

    code = "GC108"
    name = "wrong-rows-or-columns"


@rule
class IsolatedEntries(Rule):
    """A few entries are wrong, and all others right.

    Meaning:
        The formula is right; single places are treated otherwise. The entries are listed in
        `data.indices`.

    Likely cause:
        An index written to twice, where `a[i] += g` keeps only one of several additions, a border
        case, an off-by-one in a gather or scatter, a value overwritten.

    What to look at:
        What these entries have in common: an edge, a repeated index, an extreme value. For
        repeated indices use `np.add.at`.

    Example:
        def forward(x):
            return x ** 2

        def backward(inputs, output, cotangent):
            dx = 2 * inputs["x"] * cotangent
            dx[1, 2] *= 1.1  # this entry only
            return {"x": dx}
    """

    code = "GC109"
    name = "isolated-entries"


@rule
class Permuted(Rule):
    """The claimed gradient has the right values in the wrong places.

    Meaning:
        Sorted, claim and truth are the same. What reaches the parameters is each other's
        gradient.

    Likely cause:
        A permutation undone with itself instead of with its inverse, a reshape where a transpose
        was meant, a flip or roll not undone, gates in another order than in the forward.

    What to look at:
        Every reshape, argsort, roll and gather of the forward, and its inverse in the backward.

    Example:
        import numpy as np

        def forward(x):
            return np.roll(x, 1, axis=1)

        def backward(inputs, output, cotangent):
            return {"x": np.roll(cotangent, 1, axis=1)}  # -1, the way back
    """

    code = "GC110"
    name = "permuted"


@rule
class MissingTerm(Rule):
    """The claimed gradient is the true one without one of the parts it is the sum of.

    Meaning:
        A gradient adds up one contribution for each way in which the tensor reaches the result:
        each term of a sum, each factor of a product, each node that reads it, each penalty. One
        of these ways is missing altogether, and what is left is right. `data.missing` names it: a
        part of the formula, a node, or a term of the loss.

    Likely cause:
        One half of a product rule, a shortcut around a residual branch, a regularizer in the loss
        that the gradient does not know, an assignment where a second use of the same tensor has
        to be added, a quantity treated as constant (detached) that depends on the tensor: the
        mean and the variance in a normalization are the classic.

    What to look at:
        Every place where the tensor is read. Each adds a term to the gradient.

    Example:
        gradcli: 1
        define:
          swish_without_product_rule:
            kind: activation
            forward: x * sigmoid(x)
            derivative: sigmoid(x)          # + x * sigmoid(x) * (1 - sigmoid(x))
    """

    code = "GC111"
    name = "missing-term"


@rule
class AsymmetricHessian(Rule):
    """The derivatives of the claimed gradient are not symmetric, so that they are no Hessian.

    Meaning:
        A gradient's derivative by each parameter makes up the matrix of second derivatives, which
        is symmetric for every function. Here uᵀHv and vᵀHu differ, so that near this point no
        function has the claimed gradient, however close it comes to one at the point itself. It is
        found by `--order 2` alone.

    Likely cause:
        A gradient that is approximate: rounded, from a table, from an iteration that was stopped
        early, with one of its inputs taken from an earlier step or held constant.

    What to look at:
        What the backward computes differently from the derivative of the forward, though it hardly
        shows. First-order training will not notice; Newton steps, conjugate gradients and
        everything that multiplies with a Hessian will.

    Example:
        gradcli: 1
        define:
          reads_the_other:
            kind: function
            inputs: {a: {values: [0.5, 2.0]}, b: {values: [1.0, -1.5]}}
            forward: sum(a**2 + b**2)
            gradient:
              a: g * (2 * a + 3.0e-6 * sin(300 * b))
              b: g * 2 * b
        check: {order: 2}
    """

    code = "GC114"
    name = "asymmetric-hessian"
