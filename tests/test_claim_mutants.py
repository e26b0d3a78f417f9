"""False claims: each is caught by the law named beside it, and every law about a trait by one."""

from __future__ import annotations

import math

import pytest
from planted import breaches, claiming

from gradcli.core.op import Loss, Op
from gradcli.core.traits import Breakdown, Minimiser, Noise
from gradcli.testing import LAWS

# What an op says about itself, changed: the law that notices, and the op.
FALSE_CLAIMS: dict[str, tuple[str, Op]] = {
    "huber_lipschitz_one_for_every_delta": ("lipschitz", claiming("huber", Loss, lipschitz=1.0)),
    "tanh_lipschitz_understated": ("lipschitz", claiming("tanh", lipschitz=0.9)),
    "log_softmax_lipschitz_the_same_for_any_width": (
        "lipschitz",
        claiming("log_softmax", feature_growth=0.0),
    ),
    "cross_entropy_lipschitz_without_smoothing": (
        "lipschitz",
        claiming("cross_entropy", Loss, lipschitz=math.sqrt(2)),
    ),
    "tanh_smoothness_overstated": ("smoothness", claiming("tanh", smoothness=1.0)),
    "gelu_claimed_convex": ("convexity", claiming("gelu", convex=True)),
    "huber_claimed_not_convex": ("convexity", claiming("huber", Loss, convex=False)),
    "mse_strong_convexity_halved": (
        "strong convexity",
        claiming("mse", Loss, strong_convexity=1.0),
    ),
    "elu_claimed_smooth_for_every_alpha": ("kinks", claiming("elu", kinks=(), smoothness=1.0)),
    "relu_kink_claimed_at_one": ("kinks", claiming("relu", kinks=(1.0,))),
    "huber_kinks_claimed": ("kinks", claiming("huber", Loss, kinks=(-1.0, 1.0))),
    "sigmoid_range_too_wide": ("range", claiming("sigmoid", range=(-0.01, 1.0))),
    "swish_range_without_its_dip": ("range", claiming("swish", range=(0.0, math.inf))),
    "mish_claimed_increasing": ("monotone", claiming("mish", monotone="increasing")),
    "sigmoid_claimed_odd": ("symmetry", claiming("sigmoid", symmetry="odd")),
    "softplus_claimed_homogeneous": ("homogeneous", claiming("softplus", homogeneous=True)),
    "mae_claimed_bounded": ("bounded", claiming("mae", Loss, bounded=True)),
    "log_likelihood_claimed_bounded": (
        "bounded",
        claiming("binary_cross_entropy", Loss, bounded=True),
    ),
    "mse_claimed_of_the_margin": ("argument", claiming("mse", Loss, argument="margin")),
    "cross_entropy_claimed_of_log_probabilities": (
        "argument",
        claiming("cross_entropy", Loss, argument="log-probabilities"),
    ),
    "huber_claimed_kinked": ("differentiable", claiming("huber", Loss, differentiable=0)),
    "huber_claimed_smooth": ("differentiable", claiming("huber", Loss, differentiable=math.inf)),
    "mae_claimed_once_differentiable": (
        "differentiable",
        claiming("mae", Loss, differentiable=1),
    ),
    "log_likelihood_claimed_to_bend": (
        "differentiable",
        claiming("binary_cross_entropy", Loss, differentiable=1),
    ),
    "mse_influence_squared": ("influence", claiming("mse", Loss, influence="(y - p)**2")),
    "mse_influence_as_the_gradient": ("influence", claiming("mse", Loss, influence="p - y")),
    "huber_influence_not_clipped": ("influence", claiming("huber", Loss, influence="y - p")),
    "cross_entropy_influence_without_temperature": (
        "influence",
        claiming("cross_entropy", Loss, influence="y - softmax(p)"),
    ),
    "mistakes_claimed_to_follow_the_gradient": (
        "influence",
        claiming("zero_one", Loss, influence="y - softmax(p)"),
    ),
    "mistakes_claimed_of_logits": ("argument", claiming("zero_one", Loss, argument="logits")),
    "mistakes_claimed_lipschitz": ("lipschitz", claiming("zero_one", Loss, lipschitz=1.0)),
    "mistakes_claimed_smooth": ("smoothness", claiming("zero_one", Loss, smoothness=0.0)),
    "mistakes_claimed_kinked": ("differentiable", claiming("zero_one", Loss, differentiable=0)),
    "mistakes_claimed_convex": ("convexity", claiming("zero_one", Loss, convex=True)),
    "contrastive_claimed_kinked_at_the_margin": (
        "kinks",
        claiming("contrastive", Loss, kinks=(1.0,)),
    ),
    "contrastive_claimed_without_a_kink": (
        "smoothness",
        claiming("contrastive", Loss, kinks=(), smoothness=2.0),
    ),
    "contrastive_claimed_once_differentiable": (
        "differentiable",
        claiming("contrastive", Loss, differentiable=1),
    ),
    "contrastive_claimed_convex": ("convexity", claiming("contrastive", Loss, convex=True)),
    "contrastive_with_an_influence": (
        "influence",
        claiming("contrastive", Loss, influence="b - a"),
    ),
    "triplet_claimed_kinked_where_the_distances_are_equal": (
        "kinks",
        claiming("triplet", Loss, kinks=(0.0,)),
    ),
    "triplet_claimed_with_one_constant_for_both_distances": (
        "lipschitz",
        claiming("triplet", Loss, lipschitz=math.sqrt(6)),
    ),
    "triplet_claimed_as_steep_as_one_distance": (
        "lipschitz",
        claiming("triplet", Loss, lipschitz=2.0),
    ),
    "triplet_claimed_bounded": ("bounded", claiming("triplet", Loss, bounded=True)),
    "triplet_outlier_claimed_constant": ("outlier", claiming("triplet", Loss, outlier="constant")),
    "triplet_claimed_of_log_probabilities": (
        "argument",
        claiming("triplet", Loss, argument="log-probabilities"),
    ),
    "mse_outlier_claimed_harmless": ("outlier", claiming("mse", Loss, outlier="constant")),
    "huber_outlier_claimed_to_grow": ("outlier", claiming("huber", Loss, outlier="grows")),
    "mae_outlier_claimed_to_fade": ("outlier", claiming("mae", Loss, outlier="fades")),
    "mse_as_a_gaussian_of_variance_one": (
        "likelihood",
        claiming("mse", Loss, noise=Noise("Gaussian", "exp(-(p - y)**2/2)/sqrt(2*pi)")),
    ),
    "laplace_density_without_its_half": (
        "likelihood",
        claiming("mae", Loss, noise=Noise("Laplace", "exp(-abs(p - y))")),
    ),
    "huber_as_laplace": (
        "likelihood",
        claiming("huber", Loss, noise=Noise("Laplace", "exp(-abs(p - y))/2")),
    ),
    "bernoulli_noise_denied": ("likelihood", claiming("binary_cross_entropy", Loss, noise=None)),
    "gaussian_noise_denied": ("likelihood", claiming("mse", Loss, noise=None)),
    "smoothed_cross_entropy_as_a_likelihood": (
        "likelihood",
        claiming("cross_entropy", Loss, noise=Noise("categorical", "sum(y*softmax(p))")),
    ),
    "mse_minimised_by_the_median": (
        "minimiser",
        claiming("mse", Loss, minimiser=Minimiser("median", "quantile")),
    ),
    "mae_minimised_by_the_mean": (
        "minimiser",
        claiming("mae", Loss, minimiser=Minimiser("mean", "mean")),
    ),
    "quantile_minimised_by_the_median": (
        "minimiser",
        claiming("quantile", Loss, minimiser=Minimiser("median", "quantile")),
    ),
    "huber_balanced_by_the_mean": (
        "minimiser",
        claiming("huber", Loss, minimiser=Minimiser("mean", balance="y - p")),
    ),
    "logit_minimised_by_the_probability": (
        "minimiser",
        claiming("binary_cross_entropy", Loss, minimiser=Minimiser("probability", "q")),
    ),
    "cross_entropy_minimised_without_temperature": (
        "minimiser",
        claiming("cross_entropy", Loss, minimiser=Minimiser("log-probabilities", "log(q)")),
    ),
    "mse_minimiser_denied": ("minimiser", claiming("mse", Loss, minimiser=None)),
    "mean_claimed_robust": (
        "breakdown",
        claiming("mse", Loss, breakdown=Breakdown(0.5, "huber2009")),
    ),
    "median_claimed_fragile": (
        "breakdown",
        claiming("mae", Loss, breakdown=Breakdown(0.0, "huber2009")),
    ),
    "every_quantile_claimed_as_robust_as_the_median": (
        "breakdown",
        claiming("quantile", Loss, breakdown=Breakdown(0.5, "huber2009")),
    ),
    "huber_breakdown_denied": ("breakdown", claiming("huber", Loss, breakdown=None)),
    "logit_with_a_breakdown": (
        "breakdown",
        claiming("binary_cross_entropy", Loss, breakdown=Breakdown(0.5, "huber2009")),
    ),
    "probability_claimed_up_to_two": (
        "domain",
        claiming("binary_cross_entropy", Loss, domain=(0.0, 2.0)),
    ),
    "residual_claimed_positive": ("domain", claiming("mse", Loss, domain=(0.0, math.inf))),
}


@pytest.mark.parametrize("name", FALSE_CLAIMS)
def test_caught_by_the_law_named(name: str) -> None:
    law, op = FALSE_CLAIMS[name]
    assert breaches(law, op), f"{name} keeps '{law}'"


def test_every_law_about_a_trait_catches_a_false_claim() -> None:
    caught = {law for law, _ in FALSE_CLAIMS.values()}
    assert caught == {law.name for law in LAWS.values() if law.about is not None}
