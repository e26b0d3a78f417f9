"""Mistakes planted in losses: each is caught by the law named beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planted import Mutants, breaches, computing, original, pulling

from gradcli.core.op import Loss, Op, OutputTerm
from gradcli.testing import LAWS

mutant = Mutants()


@mutant("labels")
def labels_that_are_not_smoothed() -> Op:
    def cross_entropy(p: Any, y: Any, *, label_smoothing: float, temperature: float) -> Any:
        smoothing = label_smoothing if y.dtype.kind == "f" else 0.0
        correct = original("cross_entropy", Loss).function
        return correct(p, y, label_smoothing=smoothing, temperature=temperature)

    return computing("cross_entropy", cross_entropy, Loss)


def gaussian_nll(change: Callable[..., Any]) -> Op:
    """A likelihood whose learned variance is wrong: `change(cotangent in, its own, p)`."""

    def pulled(g: Any, found: Any, p: Any) -> Any:
        return (found[0], change(g, found[1], p)) if isinstance(found, tuple) else found

    return pulling("gaussian_nll", pulled, Loss)


@mutant("learned parameters")
def log_variance_gradient_without_its_half() -> Op:
    return gaussian_nll(lambda g, own, p: 2 * own)


@mutant("learned parameters")
def log_variance_gradient_without_the_normalisation() -> Op:
    return gaussian_nll(lambda g, own, p: own - 0.5 * g)


@mutant("learned parameters")
def log_variance_gradient_that_drops_imaginary_parts() -> Op:
    return gaussian_nll(lambda g, own, p: own.real)


@mutant("learned parameters")
def learned_parameter_without_a_cotangent() -> Op:
    def pulled(g: Any, found: Any, p: Any) -> Any:
        return found[0] if isinstance(found, tuple) else found

    return pulling("gaussian_nll", pulled, Loss)


@mutant("replicas of learned parameters")
def learned_parameter_in_float64() -> Op:
    return gaussian_nll(lambda g, own, p: own.astype(np.float64))


@mutant("replicas of learned parameters")
def log_variance_that_mixes_replicas() -> Op:
    return gaussian_nll(lambda g, own, p: own.mean(axis=0) + 0 * own if own.ndim > 2 else own)


@mutant("formula")
def contrastive_with_its_labels_swapped() -> Op:
    def contrastive(p: Any, y: Any, *, margin: float) -> Any:
        return original("contrastive", Loss).function(p, 1 - y, margin=margin)

    return computing("contrastive", contrastive, Loss)


def rows_of_triples(change: Callable[[Any], Any]) -> Op:
    """A triplet loss whose cotangents of anchors, positives and negatives are changed."""

    def pulled(g: Any, dp: Any, p: Any) -> Any:
        by_role = dp.reshape(*dp.shape[:-2], -1, 3, dp.shape[-1])
        return change(by_role).reshape(dp.shape)

    return pulling("triplet", pulled, Loss)


@mutant("derivative formula")
def triplet_that_does_not_move_its_negatives() -> Op:
    return rows_of_triples(lambda by_role: by_role * np.array([1.0, 1.0, 0.0])[:, None])


@mutant("complex step")
def triplet_that_does_not_move_its_anchors() -> Op:
    return rows_of_triples(lambda by_role: by_role * np.array([0.0, 1.0, 1.0])[:, None])


@mutant("central differences")
def triplet_with_positives_and_negatives_exchanged() -> Op:
    return rows_of_triples(lambda by_role: by_role[..., [0, 2, 1], :])


@mutant("finite")
def length_whose_square_root_has_no_slope_at_zero() -> Op:
    def contrastive(p: Any, y: Any, *, margin: float) -> Any:
        value, pull = original("contrastive", Loss).function(p, y, margin=margin)
        length = np.sqrt(((p[..., 0::2, :] - p[..., 1::2, :]) ** 2).sum(axis=-1))
        return value, lambda g: pull(g * (length / length))

    return computing("contrastive", contrastive, Loss)


@mutant("accurate in the tails")
def triplet_whose_distances_cancel() -> Op:
    def triplet(p: Any, *, margin: float, distance: str, mining: str) -> Any:
        options = {"margin": margin, "distance": distance, "mining": mining}
        _, pull = original("triplet", Loss).function(p, **options)
        a, b, c = p[..., 0::3, :], p[..., 1::3, :], p[..., 2::3, :]
        near, far = (((a - other) ** 2).sum(axis=-1) for other in (b, c))
        if distance == "euclidean":
            near, far = np.sqrt(near), np.sqrt(far)
        lacking = 1e8 + near - far + margin - 1e8
        return np.where(lacking.real > 0, lacking, 0), pull

    return computing("triplet", triplet, Loss)


@mutant("replicas of targets")
def loss_that_mixes_replicas() -> Op:
    def cross_entropy(p: Any, y: Any, **options: Any) -> Any:
        value, pull = original("cross_entropy", Loss).function(p, y, **options)
        return value, lambda g: pull(g.mean(axis=0) + 0 * g)

    return computing("cross_entropy", cross_entropy, Loss)


@mutant("finite")
def log_cosh_in_naive_form() -> Op:
    def log_cosh(p: Any, y: Any) -> Any:
        r = p - y.astype(p.real.dtype)
        return np.log(np.cosh(r)), lambda g: g * np.tanh(r)

    return computing("log_cosh", log_cosh, Loss)


@mutant("accurate in the tails")
def log_cosh_that_cancels_near_zero() -> Op:
    def log_cosh(p: Any, y: Any) -> Any:
        _, pull = original("log_cosh", Loss).function(p, y)
        r = p - y.astype(p.real.dtype)
        size = np.where(r.real < 0, -r, r)
        return size + np.log(0.5 + 0.5 * np.exp(-2 * size)), pull

    return computing("log_cosh", log_cosh, Loss)


@mutant("complex step")
def focal_gradient_that_takes_the_focus_for_a_constant() -> Op:
    def focal(p: Any, y: Any, *, gamma: float, alpha: float | None) -> Any:
        value, _ = original("focal", Loss).function(p, y, gamma=gamma, alpha=alpha)
        side = 2 * y.astype(p.real.dtype) - 1
        miss = 1 / (1 + np.exp(side * p))
        weight = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
        return value, lambda g: -g * weight * side * miss ** (gamma + 1)

    return computing("focal", focal, Loss)


@mutant("formula")
def focal_with_the_weight_of_the_other_class() -> Op:
    def focal(p: Any, y: Any, *, gamma: float, alpha: float | None) -> Any:
        other = None if alpha is None else 1 - alpha
        return original("focal", Loss).function(p, y, gamma=gamma, alpha=other)

    return computing("focal", focal, Loss)


@mutant("finite")
def general_robust_loss_as_written_in_the_paper() -> Op:
    def adaptive_robust(p: Any, y: Any, *learned: Any, alpha: float, **options: Any) -> Any:
        correct = original("adaptive_robust", Loss).function
        value, pull = correct(p, y, *learned, alpha=alpha, **options)
        b, z = np.abs(np.asarray(alpha - 2)), (p - y) / options["scale"]
        written = b / np.asarray(alpha) * ((z**2 / b + 1) ** (0.5 * alpha) - 1)
        return np.where(np.isfinite(written), value, written), pull

    return computing("adaptive_robust", adaptive_robust, Loss)


@mutant("learned parameters")
def robust_likelihood_that_forgets_its_partition() -> Op:
    def pulled(g: Any, found: Any, p: Any) -> Any:
        if not isinstance(found, tuple) or len(found) < 3:
            return found
        dp, of_scale, of_alpha = found
        return dp, of_scale, of_alpha - 0.01 * g

    return pulling("adaptive_robust", pulled, Loss)


@mutant("accurate in the tails")
def entropy_from_rounded_probabilities() -> Op:
    def entropy(p: Any) -> Any:
        _, pull = original("entropy", OutputTerm).function(p)
        e = np.exp(p - p.real.max(axis=-1, keepdims=True))
        q = e / e.sum(axis=-1, keepdims=True)
        return -(q * np.log(np.where(q.real > 0, q, 1))).sum(axis=-1), pull

    return computing("entropy", entropy, OutputTerm)


@mutant("finite")
def kl_divergence_of_impossible_classes() -> Op:
    def kl_divergence(p: Any, y: Any) -> Any:
        _, pull = original("kl_divergence", Loss).function(p, y)
        y = y.astype(p.real.dtype)
        return (y * (np.log(y) - p)).sum(axis=-1), pull

    return computing("kl_divergence", kl_divergence, Loss)


@mutant("derivative formula")
def hinge_that_pulls_beyond_the_margin() -> Op:
    return pulling("hinge", lambda g, dp, p: dp + 0.1 * g, Loss)


@mutant("slope at kinks")
def hinge_with_a_slope_of_two_at_the_margin() -> Op:
    return pulling("hinge", lambda g, dp, p: np.where(np.abs(p.real) == 1, -2 * g, dp), Loss)


@pytest.mark.parametrize("name", mutant)
def test_caught_by_the_law_named(name: str) -> None:
    law, make = mutant[name]
    assert breaches(law, make()), f"{name} keeps '{law}'"


def test_every_law_of_losses_catches_a_mistake() -> None:
    assert mutant.laws >= {
        law.name for law in LAWS.values() if law.about is None and law.kinds == (Loss,)
    }
