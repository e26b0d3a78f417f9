"""Concepts of probability behind losses: likelihood, entropy, and what is made of them."""

from __future__ import annotations

from typing import Final

from gradcli.diagnostics.concept import Concept

__all__ = ["CONCEPTS"]

CONCEPTS: Final = (
    Concept(
        name="maximum-likelihood",
        title="Maximum likelihood",
        area="loss",
        aliases=("mle", "negative log-likelihood", "likelihood", "probabilistic interpretation"),
        text="""
            The parameters under which the data would have been most probable; a loss is usually
            the negative logarithm of a likelihood.

            Which noise one believes in decides the loss. Gaussian noise gives squared error,
            Laplace noise absolute error, asymmetric Laplace noise the quantile loss, noise of
            density 1/(π·cosh r) log-cosh, a normal centre with exponential tails Huber's loss; an
            event gives binary cross-entropy, a class cross-entropy. Hinge losses belong to no
            likelihood.
            """,
        formulas=(
            "θ* = argmax Σ_i log p(y_i | x_i; θ)",
            "Gaussian: −log p = (y − μ)²/(2σ²) + log σ + ½ log 2π",
            "Laplace: −log p = |y − μ|/b + log 2b",
        ),
        often_wrong="""
            That the constants never matter. They do as soon as the spread σ is learned: without
            log σ a larger σ is always better.
            """,
        offers=(
            ("gradcli list losses", "the losses, with the noise that some are the likelihood of"),
        ),
        see=("entropy", "learned-loss", "mse", "mae", "log_cosh", "gaussian_nll"),
        references=("bishop2006",),
    ),
    Concept(
        name="entropy",
        title="Entropy, cross-entropy and KL divergence",
        area="loss",
        aliases=(
            "shannon entropy",
            "kl",
            "kl divergence",
            "relative entropy",
            "information theory",
        ),
        text="""
            Three measures of distributions: how uncertain one is, what it costs to describe it by
            another, and the difference of the two.

            Cross-entropy is smallest where the prediction q equals the truth p, and is H(p)
            there. With the truth fixed, minimising it and minimising the KL divergence are the
            same. The divergence is not symmetric: KL(p‖q) punishes a q that misses something of
            p, KL(q‖p) a q that is where p is not.
            """,
        formulas=(
            "H(p) = −Σ p_i log p_i",
            "H(p, q) = −Σ p_i log q_i",
            "KL(p‖q) = Σ p_i log(p_i/q_i) = H(p, q) − H(p) ≥ 0",
            "∂H/∂p_i = −(log p_i + 1);  in the logits ∂H/∂z_i = −p_i (log p_i + H)",
        ),
        offers=(
            ("gradcli check specs/course-notes/entropy.yaml", "the derivative of the entropy"),
            (
                "gradcli check specs/course-notes/categorical_cross_entropy.yaml",
                "softmax(z) − y, in the logits",
            ),
        ),
        see=("cross_entropy", "kl_divergence", "entropy-regularization", "maximum-likelihood"),
        references=("shannon1948", "kullback1951"),
    ),
    Concept(
        name="logits",
        title="Logits",
        area="loss",
        aliases=("logit",),
        text="""
            The numbers before a softmax or a sigmoid: log-odds, unbounded and unnormalised.

            Losses that read them (`cross_entropy`, `binary_cross_entropy`) are exact in both
            tails and have the gradient "probability minus target". Probabilities that are
            computed first and put into a logarithm lose all digits where they round to 0 or 1,
            and a softmax before `cross_entropy` applies it twice.
            """,
        formulas=("p = softmax(z):  ∂CE/∂z_i = p_i Σ_j y_j − y_i = p_i − y_i for Σ y = 1",),
        see=("cross_entropy", "binary_cross_entropy", "nll", "softmax", "SP101"),
        references=("bridle1990",),
    ),
    Concept(
        name="label-smoothing",
        title="Label smoothing",
        area="loss",
        text="""
            Targets moved a little towards the uniform distribution, so that the best prediction
            does not lie at infinite logits.

            With K classes the target class gets 1 − ε + ε/K, all others ε/K, and that
            distribution is what the loss asks for.
            """,
        formulas=(
            "y' = (1 − ε) y + ε/K",
            "loss = (1 − ε) H(y, p) + ε H(u, p),  u uniform",
        ),
        often_wrong="""
            That it is entropy regularization. It adds ε·KL(u‖p), up to a constant; the confidence
            penalty −λ·H(p) adds λ·KL(p‖u), the other direction.
            """,
        example="""\
gradcli: 1
data: {inputs: {shape: [8, 4]}, targets: auto}
network: [dense: 5]
loss: {cross_entropy: {label_smoothing: 0.1}}""",
        see=("cross_entropy", "entropy-regularization", "entropy", "calibration"),
        references=("szegedy2016", "pereyra2017"),
    ),
    Concept(
        name="entropy-regularization",
        title="Entropy regularization",
        area="loss",
        aliases=("confidence penalty", "entropy bonus", "entropy regularisation"),
        text="""
            A reward for uncertain predictions: λ times the entropy of the predicted distribution
            is taken off the loss.

            Its gradient pulls the logits together; a larger λ gives more uniform predictions.
            """,
        formulas=("loss − λ·H(p), λ > 0", "∂(−λH)/∂z_i = λ·p_i (log p_i + H)"),
        often_wrong="""
            loss + λ·H(p) "encourages uncertain predictions". What is added is minimised: that
            sign makes predictions more certain, as one may want for data without labels.
            """,
        example="""\
gradcli: 1
data: {inputs: {shape: [8, 4]}, targets: auto}
network: [dense: 5]
loss: {sum: [cross_entropy, {entropy: {weight: -0.1}}]}""",
        see=("entropy", "label-smoothing", "calibration"),
        references=("pereyra2017", "grandvalet2005"),
    ),
    Concept(
        name="temperature",
        title="Temperature",
        area="loss",
        aliases=("temperature scaling", "softmax temperature"),
        text="""
            A number by which logits are divided before the softmax: above 1 the probabilities
            become softer, below 1 sharper.

            The order of the classes does not change. The gradient is divided by T as well, a
            factor that is easily forgotten.
            """,
        formulas=("p = softmax(z/T)", "∂CE/∂z = (p − y)/T"),
        offers=(
            (
                "gradcli check specs/course-notes/temperature.yaml",
                "the loss and the gradient with its factor 1/T",
            ),
        ),
        see=("cross_entropy", "annealing", "calibration"),
        references=("hinton2015", "guo2017"),
    ),
)
