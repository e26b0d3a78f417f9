"""Concepts of second order: curvature, and the methods that step by it."""

from __future__ import annotations

from typing import Final

from gradcli.diagnostics.concept import Concept

__all__ = ["CONCEPTS"]

CONCEPTS: Final = (
    Concept(
        name="hessian",
        title="Hessian",
        area="second order",
        aliases=("second derivative", "curvature"),
        text="""
            The matrix of all second derivatives of the loss: how its gradient turns and grows.

            It is symmetric. All eigenvalues positive make a stationary point a minimum, both
            signs a saddle. With p parameters it has p² entries and takes p³ operations to invert,
            which is why it is multiplied with vectors instead of being formed.
            """,
        formulas=("H_ij = ∂²L/∂θ_i∂θ_j", "L(θ + s) ≈ L + gᵀs + ½ sᵀHs"),
        see=("hessian-vector-product", "newton", "gauss-newton", "smoothness"),
        references=("nocedal2006",),
    ),
    Concept(
        name="hessian-vector-product",
        title="Hessian-vector product",
        area="second order",
        aliases=("hvp", "pearlmutter"),
        text="""
            The product of the Hessian with one vector, without the Hessian: the derivative of the
            gradient along that vector.

            It costs a small multiple of one gradient. `model.hvp(v)` computes it in Python, by
            forward mode through the backward pass, exact to rounding.
            """,
        formulas=("H v = d/dt ∇L(θ + t·v) at t = 0", "H v = Im ∇L(θ + i·h·v)/h"),
        see=("hessian", "forward-mode", "complex-step"),
        references=("pearlmutter1994",),
    ),
    Concept(
        name="newton",
        title="Newton's method",
        area="second order",
        aliases=("newton's method", "newton step"),
        text="""
            A step to the point where the quadratic model of the loss is stationary.

            Close to a minimum with a positive definite Hessian the error is squared at each step.
            Far from one it needs damping or a line search.
            """,
        formulas=("θ ← θ − H⁻¹ ∇L", "damped: θ ← θ − (H + λI)⁻¹ ∇L"),
        often_wrong="""
            That it descends. It goes to the nearest stationary point of the model, and where the
            Hessian has negative eigenvalues that is a saddle or a maximum.
            """,
        see=("hessian", "bfgs", "gauss-newton"),
        references=("nocedal2006",),
    ),
    Concept(
        name="bfgs",
        title="BFGS",
        area="second order",
        aliases=("quasi-newton", "quasi newton method"),
        text="""
            A quasi-Newton method: an estimate of the inverse Hessian, built from the gradients of
            the steps taken.

            Each step changes the estimate so that it explains the last change y of the gradient
            by the last step s. It stays positive definite as long as yᵀs > 0, which a line search
            with Wolfe's conditions ensures. It takes p² memory.
            """,
        formulas=(
            "B⁺ y = s  (secant condition, B the estimate of H⁻¹)",
            "B⁺ = (I − ρ s yᵀ) B (I − ρ y sᵀ) + ρ s sᵀ,  ρ = 1/(yᵀs)",
        ),
        see=("l-bfgs", "newton"),
        references=("nocedal2006",),
    ),
    Concept(
        name="l-bfgs",
        title="L-BFGS",
        area="second order",
        aliases=("lbfgs", "limited-memory bfgs"),
        text="""
            BFGS with a short memory: only the last m pairs of step and gradient change are kept,
            and the estimate is applied to a gradient without being formed.

            Two loops over the pairs take about 4·m·p operations and 2·m·p numbers of memory
            instead of p²; m is 5 to 20.
            """,
        see=("bfgs", "newton"),
        references=("liu1989", "nocedal2006"),
    ),
    Concept(
        name="gauss-newton",
        title="Gauss-Newton matrix",
        area="second order",
        aliases=("ggn", "generalized gauss-newton"),
        text="""
            The Hessian without the curvature of the network: the curvature of the loss in the
            outputs, seen through the Jacobian J of the outputs.

            It is positive semidefinite wherever the loss is convex in the outputs, so that its
            steps descend.
            """,
        formulas=(
            "G = Jᵀ H_out J,  H_out = ∂²L/∂z² in the outputs z",
            "H = G + Σ_i ∂L/∂z_i · ∇²z_i",
        ),
        often_wrong="""
            That it equals the Hessian. It does where the outputs are linear in the parameters or
            the loss has no slope in them, as at a perfect fit.
            """,
        see=("hessian", "fisher-information", "convexity"),
        references=("schraudolph2002", "martens2020"),
    ),
    Concept(
        name="fisher-information",
        title="Fisher information matrix",
        area="second order",
        aliases=("fisher", "fisher matrix"),
        text="""
            The mean outer product of the score, the gradient of the log-likelihood, over targets
            drawn from the model itself.

            For squared error (Gaussian noise of a fixed variance) and for cross-entropy on logits
            it equals the Gauss-Newton matrix of the negative log-likelihood. It measures how fast
            the predicted distribution changes with the parameters.
            """,
        formulas=(
            "F = E_x E_{y ~ p(y|x)} [∇log p(y|x) ∇log p(y|x)ᵀ]",
            "F = −E_x E_{y ~ p(y|x)} [∇² log p(y|x)]",
        ),
        often_wrong="""
            The mean outer product of the gradients at the data's own targets. That is the
            empirical Fisher, another matrix: far from a good fit it says little of the curvature.
            """,
        see=("natural-gradient", "gauss-newton", "maximum-likelihood"),
        references=("amari1998", "kunstner2019", "martens2020"),
    ),
    Concept(
        name="natural-gradient",
        title="Natural gradient",
        area="second order",
        text="""
            The steepest descent where distance is measured between predicted distributions
            instead of between parameters.

            It does not depend, to first order, on how the model is parametrised. For the losses
            for which the Fisher matrix is the Gauss-Newton matrix it is a Gauss-Newton step.
            """,
        formulas=("θ ← θ − η F⁻¹ ∇L", "KL(p_θ ‖ p_{θ+s}) ≈ ½ sᵀ F s"),
        see=("fisher-information", "gauss-newton", "entropy"),
        references=("amari1998", "martens2020"),
    ),
)
