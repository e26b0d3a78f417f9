"""Concepts of losses for several tasks, for pairs and triplets, and for unlabelled data."""

from __future__ import annotations

from typing import Final

from gradcli.diagnostics.concept import Concept

__all__ = ["CONCEPTS"]

CONCEPTS: Final = (
    Concept(
        name="multi-task-weighting",
        title="Multi-task weighting",
        area="loss",
        aliases=("multi-task learning", "task weights", "weighted multi-task loss"),
        text="""
            How the losses of several tasks on a shared trunk are added up.

            Their scales differ, and so do the gradients that they send into the trunk. Weights
            can be set by hand, learned as uncertainties, chosen so that all tasks' gradients are
            of similar size (GradNorm), or follow how fast each loss falls (dynamic weight
            average).
            """,
        formulas=(
            "L = Σ_i w_i L_i",
            "GradNorm: ‖∇(w_i L_i)‖ → mean norm · r_i^α,  r_i the relative loss ratio",
            "dynamic: w_i = K·softmax(r_i/T),  r_i = L_i(t − 1)/L_i(t − 2)",
        ),
        offers=(
            (
                "gradcli flow specs/multi_task_uncertainty.yaml",
                "the gradient of each task by itself",
            ),
        ),
        see=("multi_task", "uncertainty-weighting", "gradient-flow"),
        references=("chen2018", "liu2019"),
    ),
    Concept(
        name="uncertainty-weighting",
        title="Uncertainty weighting",
        area="loss",
        aliases=("uncertainty", "uncertainty-weighted loss", "homoscedastic uncertainty"),
        text="""
            Task weights 1/σ² that are learned with the model: the likelihood of one noise
            variance a task.

            log σ² keeps the variance from growing without limit. At the optimum σ² equals the
            task's loss, so that tasks of a large loss get a small weight. It is written in s =
            log σ², which needs no bound.
            """,
        formulas=(
            "Σ_i L_i/σ_i² + log σ_i² = Σ_i exp(−s_i)·L_i + s_i",
            "∂/∂σ² = 1/σ² − L/σ⁴,  zero at σ² = L",
            "∂/∂s = 1 − exp(−s)·L,  zero at s = log L",
        ),
        often_wrong="""
            The gradient −1/σ² + L/σ⁴ (the sign is flipped), the optimum σ² = √L (it is L), and
            that tasks of higher loss get higher weights (they get 1/L).
            """,
        offers=(
            (
                "gradcli check specs/course-notes/uncertainty_weighting.yaml",
                "the flipped sign, caught",
            ),
            (
                "gradcli check specs/multi_task_uncertainty.yaml",
                "two tasks with learned variances, every gradient checked",
            ),
        ),
        see=("multi_task", "multi-task-weighting", "learned-loss", "maximum-likelihood"),
        references=("kendall2018",),
    ),
    Concept(
        name="contrastive-learning",
        title="Contrastive and triplet losses",
        area="loss",
        aliases=("metric learning", "contrastive loss", "triplet loss", "margin", "embedding"),
        text="""
            Losses on distances between outputs: what belongs together is pulled together, what
            does not is pushed apart, up to a margin.

            Beyond the margin there is no gradient. The contrastive loss looks at pairs, the
            triplet loss at an anchor with one example of its class and one of another.
            """,
        formulas=(
            "contrastive: (1 − Y)·D² + Y·max(0, m − D)²,  Y = 1 means dissimilar",
            "triplet: max(0, ‖a − p‖² − ‖a − n‖² + m)",
        ),
        often_wrong="""
            "Y = 1 similar" beside this formula. It pulls together where Y = 0, so that Y = 1 has
            to mean dissimilar, as in the paper that introduced it.
            """,
        offers=(
            (
                "gradcli check specs/course-notes/contrastive.yaml",
                "the gradient in the distance",
            ),
        ),
        see=("contrastive", "triplet", "mining", "negative-sampling"),
        references=("hadsell2006", "schroff2015"),
    ),
    Concept(
        name="mining",
        title="Mining of negatives",
        area="loss",
        aliases=("hard negative mining", "semi-hard", "hard negatives", "triplet mining"),
        text="""
            Choosing the negatives of a triplet loss, since most of them lie beyond the margin and
            teach nothing.

            Hard negatives are closer to the anchor than its positive: the largest gradients, and
            the most mislabelled examples. Semi-hard ones are farther than the positive, yet
            within the margin. Random ones are mostly easy. Which negative is chosen changes with
            the embedding, so that the loss has a kink wherever two are equally good.
            """,
        formulas=(
            "easy: d(a, n) > d(a, p) + m",
            "semi-hard: d(a, p) < d(a, n) < d(a, p) + m",
            "hard: d(a, n) < d(a, p)",
        ),
        often_wrong="""
            Semi-hard as "closer than the positive but within the margin". Closer than the
            positive is hard; semi-hard is farther, and inside the margin.
            """,
        see=("triplet", "contrastive-learning", "negative-sampling", "subgradient"),
        references=("schroff2015", "hermans2017"),
    ),
    Concept(
        name="consistency-regularization",
        title="Consistency regularization",
        area="loss",
        aliases=("consistency", "consistency regularisation", "consistency loss"),
        text="""
            A penalty on how much the output changes when the input is changed in a way that
            should not matter.

            It needs no labels. For small noise it approximates a penalty on the Jacobian: the
            function is made flat in the directions of the noise. The gradient flows through both
            copies of the network.
            """,
        formulas=(
            "‖f(x) − f(x + noise)‖²",
            "≈ σ²·‖J‖_F² on average, for small independent noise of standard deviation σ",
        ),
        see=("jacobian", "lipschitz"),
        references=("sajjadi2016",),
    ),
)
