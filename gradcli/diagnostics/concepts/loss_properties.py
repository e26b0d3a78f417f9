"""Concepts by which losses differ: convexity, bounds on slopes, robustness."""

from __future__ import annotations

from typing import Final

from gradcli.diagnostics.concept import Concept

__all__ = ["CONCEPTS"]

CONCEPTS: Final = (
    Concept(
        name="convexity",
        title="Convexity",
        area="property",
        aliases=("convex", "convex loss", "nonconvex", "non-convex"),
        text="""
            A function whose chords lie above it: every local minimum is a global one.

            Squared, absolute, Huber's and quantile loss are convex in the prediction,
            cross-entropy in the logits, hinge in the score. Focal and 0-1 loss are not, nor are
            robust losses that level off. All of this is in the outputs: through a network, which
            is not linear, no loss is convex in the weights.
            """,
        formulas=("L(t·a + (1 − t)·b) ≤ t·L(a) + (1 − t)·L(b),  0 ≤ t ≤ 1",),
        often_wrong="""
            Huber's loss among the non-convex ones ("conditionally convex"). It is convex: its
            slope never decreases.
            """,
        offers=(
            ("gradcli list losses --where convex", "losses that are, in what they read"),
            ("gradcli list losses --where not-convex", "losses that are not"),
        ),
        see=("strong-convexity", "subgradient", "huber", "focal", "zero_one"),
        references=("rockafellar1970", "boyd2004"),
    ),
    Concept(
        name="strong-convexity",
        title="Strong convexity",
        area="property",
        aliases=("strongly convex",),
        text="""
            Convex with at least the curvature m everywhere: the minimum is unique, and the
            distance to it is bounded by the size of the gradient.
            """,
        formulas=("L(p) − m/2·‖p‖² is convex", "‖p − p*‖ ≤ ‖∇L(p)‖/m"),
        often_wrong="""
            Mean squared error strongly convex with constant 2. That is for one element; the mean
            over n elements has 2/n.
            """,
        offers=(("gradcli list losses --where strongly-convex", "losses with such a constant"),),
        see=("convexity", "smoothness", "mse"),
        references=("nesterov2004", "boyd2004"),
    ),
    Concept(
        name="lipschitz",
        title="Lipschitz constant",
        area="property",
        aliases=("lipschitz continuity", "lipschitz constant"),
        text="""
            The largest factor by which a function can stretch a distance: of a differentiable
            one, the largest norm of its gradient.

            A loss with one bounds the pull of an outlier; mse has none. An activation's bounds
            what it does to gradients: 1/4 for sigmoid, 1 for tanh and ReLU. The constant of the
            gradient itself is another thing, called smoothness.
            """,
        formulas=("|f(a) − f(b)| ≤ K·‖a − b‖", "K = sup ‖∇f‖"),
        offers=(
            ("gradcli list losses --where lipschitz", "losses whose gradient is bounded"),
            ("gradcli explain tanh", "the constants of an activation"),
        ),
        see=("smoothness", "influence-function", "norm-product"),
        references=("nesterov2004",),
    ),
    Concept(
        name="smoothness",
        title="Smoothness",
        area="property",
        aliases=("smooth", "gradient lipschitz", "l-smooth"),
        text="""
            How fast the gradient can change: its Lipschitz constant β, the largest curvature.

            Gradient descent with a step of 1/β decreases such a loss at every step; from 2/β on
            it may diverge. A kink has no such constant. mse has 2 an element, Huber's loss 1,
            binary cross-entropy on logits 1/4; absolute and quantile loss have a kink.
            """,
        formulas=("‖∇L(a) − ∇L(b)‖ ≤ β·‖a − b‖", "L(b) ≤ L(a) + ∇L(a)ᵀ(b − a) + β/2·‖b − a‖²"),
        often_wrong="""
            Huber's loss among the non-smooth ones. Its gradient is continuous, also at ±δ, and
            has Lipschitz constant 1; only the second derivative jumps.
            """,
        offers=(
            ("gradcli list losses --where smooth", "losses with such a constant"),
            ("gradcli check specs/course-notes/huber_prediction.yaml", "no kink at ±δ"),
        ),
        see=("lipschitz", "subgradient", "hessian", "huber", "squared_hinge"),
        references=("nesterov2004",),
    ),
    Concept(
        name="boundedness",
        title="Boundedness of a loss",
        area="property",
        aliases=("bounded", "bounded loss"),
        text="""
            Whether one example can cost any amount, or at most some.

            A bounded loss cannot be dominated by an outlier, and cannot be convex unless it is
            constant. Where it levels off its gradient vanishes: hopeless examples are given up.
            """,
        offers=(("gradcli list losses --where bounded", "losses that are"),),
        see=("influence-function", "convexity", "breakdown-point", "adaptive_robust"),
        references=("barron2019",),
    ),
    Concept(
        name="influence-function",
        title="Influence function",
        area="property",
        aliases=("influence", "influence curve"),
        text="""
            What one more observation at y does to the estimate that minimises a loss, as a share
            of its weight.

            It is proportional to the loss's own derivative in the residual: bounded derivative,
            bounded influence. For squared error it is y − μ and grows without limit; for absolute
            error it is the same for all y on one side; for Huber's loss it grows up to δ and
            stays.
            """,
        formulas=(
            "IF(y) = lim (T((1 − ε)F + ε·δ_y) − T(F))/ε",
            "IF(y) = ψ(y − T)/E[ψ'(y − T)],  ψ the loss's derivative in the residual",
            "mean: y − μ;  median: sign(y − m)/(2·f(m)), f the density",
        ),
        often_wrong="""
            (y − μ)² for squared error. That is the loss; the influence is its derivative, y − μ.
            It is unbounded all the same.
            """,
        offers=(("gradcli list losses --where lipschitz", "losses of bounded influence"),),
        see=("breakdown-point", "lipschitz", "huber", "mae"),
        references=("hampel1974", "huber2009"),
    ),
    Concept(
        name="breakdown-point",
        title="Breakdown point",
        area="property",
        aliases=("breakdown", "robustness", "outlier"),
        text="""
            The smallest share of the data that has to be moved to carry the estimate away any
            distance.

            One wild value does it to the mean: 0. The median holds out against anything less than
            half: 1/2; the τ-quantile against min(τ, 1 − τ); Huber's estimate of a location, with
            a fixed scale, against half.
            """,
        formulas=("mean 0;  median 1/2;  τ-quantile min(τ, 1 − τ)",),
        often_wrong="""
            That these carry over to regression. An outlier in the inputs breaks every one of
            these losses: there the breakdown point is 0.
            """,
        see=("influence-function", "mse", "huber", "quantile"),
        references=("donoho1983", "huber2009"),
    ),
)
