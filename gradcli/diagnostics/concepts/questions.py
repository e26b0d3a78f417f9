"""Open questions of the field: what is known, what gradcli offers, and what it leaves out."""

from __future__ import annotations

from typing import Final

from gradcli.diagnostics.concept import Concept

__all__ = ["CONCEPTS"]

CONCEPTS: Final = (
    Concept(
        name="learned-loss",
        title="Losses with learned parameters",
        area="open question",
        aliases=("adaptive loss", "loss parameters", "meta-learning", "validation loss"),
        text="""
            A loss that adjusts itself to the data, by parameters φ that are learned along with
            the model.

            Jointly, on the training data: yes, if the loss is a negative log-likelihood with its
            normaliser. Without it the parameters escape to whatever makes the loss small, a large
            scale or a flat shape, and nothing is learned. With it, the learned scale is the noise
            of the data, and a learned shape says how heavy its tails are. Even where the loss is
            convex the joint problem need not be; a scale is therefore best learned by its
            logarithm, which keeps it positive and its gradient of moderate size.

            On validation data: a problem in two levels, whose outer gradient goes through the
            trained weights. It needs the inverse of the training loss's Hessian, or the whole
            training run unrolled. That is known to work for few parameters and is out of
            gradcli's scope: it checks the gradients of φ at a point, for the joint problem, and
            does not learn φ on other data.
            """,
        formulas=(
            "joint: min over θ, φ of Σ_i ρ(r_i(θ); φ) + log Z(φ)",
            "Z(φ) = ∫ exp(−ρ(r; φ)) dr",
            "on validation data: dL_val/dφ = ∂L_val/∂φ − ∇_θL_valᵀ H⁻¹ ∂²L_train/∂θ∂φ",
        ),
        often_wrong="""
            min over θ and φ of the loss alone. L/σ² is smallest at σ = ∞, whatever the model
            does: the term log σ is what makes it a question about the data.
            """,
        example="""\
gradcli: 1
data: {inputs: {shape: [8, 4]}, targets: auto}
network: [dense: 1]
loss: {adaptive_robust: {learn: all}}    # learns its scale and its shape""",
        see=("adaptive_robust", "gaussian_nll", "uncertainty-weighting", "maximum-likelihood"),
        references=("barron2019", "kendall2018", "franceschi2018"),
    ),
    Concept(
        name="prediction-interval",
        title="Prediction intervals from quantiles",
        area="open question",
        aliases=("prediction intervals", "quantile regression", "coverage"),
        text="""
            Two quantile losses give an interval: between the predicted α/2 and 1 − α/2 quantiles
            lies a new observation with probability 1 − α, if the quantiles are right.

            What is known: the quantile loss is minimised by the true conditional quantile,
            without any assumption on the noise. On finite data the quantiles are estimates: the
            coverage holds on average over inputs at best, not at each of them, and a model that
            overfits gives intervals that are too narrow on new data. Quantiles that are learned
            apart can cross; predicting the lower one and a positive difference (a softplus)
            prevents it. A correction on held-out data (conformal prediction) guarantees the
            coverage on average; that is a step after training, which gradcli does not do.
            """,
        formulas=(
            "L_τ = max(τ·(y − q), (τ − 1)·(y − q)),  minimised by the τ-quantile of y given x",
            "dL_τ/dq = −τ if q < y, 1 − τ if q > y, anything between at q = y",
            "interval: [q_{α/2}, q_{1−α/2}]",
        ),
        often_wrong="""
            dL/dq = τ − 1 if y < q, else τ: the sign is flipped, it is the derivative in y. And
            that τ = 0.5 is the absolute error: it is half of it.
            """,
        offers=(
            (
                "gradcli check specs/prediction_intervals.yaml",
                "three heads for the 5 %, 50 % and 95 % quantiles",
            ),
            ("gradcli check specs/course-notes/quantile.yaml", "the flipped sign, caught"),
        ),
        example="""\
gradcli: 1
data: {inputs: {shape: [32, 4]}, targets: auto}
network:
  trunk: [dense: 16, swish]
  heads: {low: [dense: 1], high: [dense: 1]}
loss:
  multi_task:
    tasks:
      low: {loss: {quantile: {tau: 0.05}}}
      high: {loss: {quantile: {tau: 0.95}}}""",
        see=("quantile", "calibration", "maximum-likelihood"),
        references=("koenker1978", "romano2019"),
    ),
    Concept(
        name="calibration",
        title="Calibration",
        area="open question",
        aliases=("expected calibration error", "overconfidence", "calibrated"),
        text="""
            Predictions that come true as often as they say: of all cases with probability 0.8,
            eight in ten.

            What is known: cross-entropy is a proper scoring rule, smallest at the true
            probabilities, so that a model that fits is calibrated on what it fits. Large networks
            fit their training data beyond that and are overconfident on new data. One
            temperature, fitted on held-out data after training, mends most of it and changes no
            decision. Label smoothing and an entropy reward act during training; focal loss is not
            proper and shifts probabilities towards the middle. Calibration says nothing of
            accuracy: predicting the base rate for all is calibrated.

            gradcli checks the gradients of all of these, temperature included. It fits nothing on
            held-out data.
            """,
        formulas=(
            "P(y = k | p_k = c) = c",
            "expected calibration error: Σ_b (n_b/n)·|accuracy_b − confidence_b| over bins b",
        ),
        offers=(
            (
                "gradcli check specs/course-notes/temperature.yaml",
                "the gradient with a temperature",
            ),
        ),
        example="""\
gradcli: 1
data: {inputs: {shape: [8, 4]}, targets: auto}
network: [dense: 5]
loss: {cross_entropy: {temperature: 1.5}}""",
        see=("temperature", "label-smoothing", "entropy-regularization", "prediction-interval"),
        references=("guo2017", "gneiting2007"),
    ),
    Concept(
        name="negative-sampling",
        title="Sampling by gradient magnitude",
        area="open question",
        aliases=("importance sampling",),
        text="""
            Drawing the examples, or the negatives, that matter most, so that few of them give a
            good gradient.

            What is known: of all ways to draw examples and weight them so that the mean is right,
            the one with probabilities proportional to the norms of their gradients has the least
            variance. The norms are not known before they are computed and change with every step,
            so that proxies serve: the loss, or the gradient at the last layer. For triplets,
            whose gradients are mostly zero, it comes close to hard mining.
            """,
        formulas=(
            "ĝ = g_i/(n·π_i) with i drawn by π:  E[ĝ] = mean of g, for any π > 0",
            "least variance: π_i ∝ ‖g_i‖",
        ),
        often_wrong="""
            Drawing hard examples more often without dividing by their probability. That is the
            gradient of another loss, one that weights them more: it may be what is wanted, but it
            is no estimate of the first.
            """,
        see=("mining", "triplet", "stochastic-gradient", "contrastive-learning"),
        references=("zhao2015", "katharopoulos2018"),
    ),
)
