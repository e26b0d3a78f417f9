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
        offers=(
            (
                "gradcli curvature specs/quickstart.yaml",
                "all eigenvalues, layer by layer, and a check against differences",
            ),
            (
                "gradcli curvature specs/saddle.yaml",
                "a gradient of zero where half of the curved directions lead down",
            ),
        ),
        see=("hessian-vector-product", "newton", "gauss-newton", "sharpness", "saddle-point"),
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
        offers=(
            (
                "gradcli check specs/quickstart.yaml --order 2",
                "products with a random vector, compared with differences entry by entry",
            ),
        ),
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
        offers=(
            (
                "gradcli curvature specs/least_squares.yaml",
                "one step to the minimum of a quadratic",
            ),
        ),
        see=("hessian", "bfgs", "gauss-newton", "damping"),
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
        offers=(
            (
                "gradcli curvature specs/digits.yaml --history 20",
                "twenty of its steps beside those of Newton and the gradient",
            ),
        ),
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
        offers=(
            (
                "gradcli curvature specs/digits.yaml",
                "how far it is from the Hessian, and its step",
            ),
        ),
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
        offers=(
            (
                "gradcli curvature specs/diabetes_huber.yaml",
                "true and empirical, where they differ from Gauss-Newton, and why",
            ),
        ),
        see=("natural-gradient", "empirical-fisher", "gauss-newton", "maximum-likelihood"),
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
    Concept(
        name="empirical-fisher",
        title="Empirical Fisher matrix",
        area="second order",
        aliases=("gradient covariance",),
        text="""
            The mean outer product of the examples' gradients at the data's own targets.

            It takes one backward pass an example and no targets drawn from the model. Where the
            model fits the data and examples are many it comes near the Fisher matrix; elsewhere it
            does not, and a step by its inverse is no natural gradient.
            """,
        formulas=("E = 1/N Σ_n ∇ℓ_n ∇ℓ_nᵀ",),
        often_wrong="""
            The Fisher matrix. That has the expectation over targets drawn from the model; at the
            targets of the data the two have different directions, and often sizes.
            """,
        offers=(
            (
                "gradcli curvature specs/least_squares.yaml",
                "67,000 times as large as the Fisher matrix where the fit is poor",
            ),
        ),
        see=("fisher-information", "natural-gradient"),
        references=("kunstner2019",),
    ),
    Concept(
        name="sharpness",
        title="Sharpness",
        area="second order",
        aliases=("largest eigenvalue", "edge of stability", "stable step"),
        text="""
            The largest eigenvalue of the Hessian: how steeply the loss curves where it curves most.

            On a quadratic, gradient descent with a step beyond 2/λ_max overshoots along that
            direction by more each time. Training with full batches raises the sharpness until it
            hovers there.
            """,
        formulas=("θ ← θ − η∇L is stable where η < 2/λ_max",),
        offers=(
            ("gradcli curvature specs/digits.yaml", "λ_max with its error, and the largest step"),
        ),
        see=("hessian", "lanczos", "smoothness"),
        references=("cohen2021", "lecun1998"),
    ),
    Concept(
        name="condition-number",
        title="Condition number",
        area="second order",
        aliases=("conditioning", "ill-conditioning"),
        text="""
            The largest over the smallest eigenvalue of a Hessian, both in size.

            The error of gradient descent shrinks by (κ − 1)/(κ + 1) a step at best, so that it
            takes about κ steps where Newton's method takes one. Where eigenvalues are zero the
            smallest that is not counts.
            """,
        formulas=("κ = |λ|_max/|λ|_min",),
        offers=(("gradcli curvature specs/least_squares.yaml", "that of linear least squares"),),
        see=("hessian", "newton", "sharpness"),
        references=("nocedal2006", "boyd2004"),
    ),
    Concept(
        name="saddle-point",
        title="Saddle point",
        area="second order",
        aliases=("saddle", "negative curvature", "indefinite"),
        text="""
            A point without a gradient from which the loss goes up in some directions and down in
            others: the Hessian has eigenvalues of both signs.

            In many dimensions most stationary points of high loss are of this kind. A gradient is
            no help there, and a plain Newton step leads to them; a damped one, or a direction of
            negative curvature, leads away.
            """,
        formulas=("∇L = 0,  λ_min < 0 < λ_max",),
        offers=(("gradcli curvature specs/saddle.yaml", "two linear layers of zeros"),),
        see=("hessian", "newton", "damping"),
        references=("dauphin2014",),
    ),
    Concept(
        name="damping",
        title="Damping",
        area="second order",
        aliases=("levenberg-marquardt", "trust region"),
        text="""
            A multiple of the identity added to a matrix before a step is solved from it, which
            shortens the step and turns it toward the gradient.

            It makes an indefinite Hessian definite, and keeps a step of Gauss-Newton where the
            quadratic model holds. The ratio of the actual to the predicted decrease says whether it
            is enough: below a quarter it wants to be larger.
            """,
        formulas=("(A + λI) s = −∇L", "ρ = (L(θ) − L(θ + s))/(m(0) − m(s))"),
        offers=(
            (
                "gradcli curvature specs/quickstart.yaml --damping 1",
                "the steps with this damping, predicted and actual decrease",
            ),
        ),
        see=("newton", "gauss-newton", "saddle-point"),
        references=("marquardt1963", "nocedal2006"),
    ),
    Concept(
        name="lanczos",
        title="Lanczos' method",
        area="second order",
        aliases=("lanczos method", "krylov space", "ritz value"),
        text="""
            Extreme eigenvalues of a symmetric matrix from its products with vectors alone.

            An orthonormal basis of v, Hv, H²v, ... makes H tridiagonal; the eigenvalues of that
            small matrix, the Ritz values, find the outermost ones of H first. Each comes with the
            norm r of its residual, and within r of it there is an eigenvalue, always. In the same
            basis (H + λI)s = −g is solved for every λ at once.
            """,
        formulas=("H V = V T + β v eᵀ", "|λ − θ| ≤ r = β·|s|, s the last entry of T's eigenvector"),
        often_wrong="""
            That the largest Ritz value is known to be λ_max to within r. It is near some
            eigenvalue; that none lies beyond is very likely for a random start, and not proven.
            """,
        offers=(
            (
                "gradcli curvature specs/digits.yaml --method lanczos --iterations 40",
                "the outermost eigenvalues of four matrices, each with its error",
            ),
        ),
        see=("hessian-vector-product", "sharpness", "trace-estimation"),
        references=("lanczos1950", "parlett1980", "ghorbani2019"),
    ),
    Concept(
        name="trace-estimation",
        title="Trace estimation",
        area="second order",
        aliases=("hutchinson", "hutchinson estimator", "trace"),
        text="""
            The trace of a matrix from its products with random signs z: the mean of zᵀHz.

            Its variance is twice the squared entries off the diagonal, so that the error falls with
            the root of the number of probes. The same products give the trace of every layer's
            block, and with ‖Hz‖² the Frobenius norm.
            """,
        formulas=("E zᵀHz = tr H", "Var zᵀHz = 2 Σ_{i≠j} H_ij²", "E ‖Hz‖² = ‖H‖²_F"),
        offers=(
            (
                "gradcli curvature specs/digits.yaml --method lanczos --probes 200",
                "traces and norms, each with its standard error",
            ),
        ),
        see=("hessian-vector-product", "lanczos"),
        references=("hutchinson1990",),
    ),
)
