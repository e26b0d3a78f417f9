"""Planted mistakes: each is caught by the law named beside it, and every law catches one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planted import Mutants, breaches, computing, original, pulling

from gradcli.core.op import Activation, Initializer, Layer, Loss, NodeOp, Op, Weighting
from gradcli.testing import LAWS

mutant = Mutants()


@mutant("complex step")
def gelu_pullback_with_six_digit_constants() -> Op:
    def gelu(x: Any, *, approximate: str) -> Any:
        value, pull = original("gelu", Activation).function(x, approximate=approximate)
        if approximate == "none":
            return value, pull
        t = np.tanh(0.797885 * x * (1 + 0.044715 * x * x))
        slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.797885 * (1 + 3 * 0.044715 * x * x)
        return value, lambda g: g * slope

    return computing("gelu", gelu)


@mutant("finite")
def softplus_in_naive_form() -> Op:
    def softplus(x: Any, *, beta: float) -> Any:
        return np.log(1 + np.exp(beta * x)) / beta, lambda g: g / (1 + np.exp(-beta * x))

    return computing("softplus", softplus)


@mutant("accurate in the tails")
def softplus_pullback_that_cancels() -> Op:
    def softplus(x: Any, *, beta: float) -> Any:
        value, _ = original("softplus", Activation).function(x, beta=beta)
        clipped = np.where(beta * x.real > 80, 80 / beta, x)
        return value, lambda g: g * (1 - 1 / (1 + np.exp(beta * clipped)))

    return computing("softplus", softplus)


@mutant("accurate in the tails")
def sigmoid_in_half_tanh_form() -> Op:
    def sigmoid(x: Any) -> Any:
        _, pull = original("sigmoid", Activation).function(x)
        return 0.5 * (1 + np.tanh(0.5 * x)), pull

    return computing("sigmoid", sigmoid)


def softmax_with(pull_of: Callable[..., Any]) -> Op:
    """A softmax whose pullback is `pull_of(g, probability, complement)`."""
    correct = original("softmax", Activation).function

    def softmax(x: Any) -> Any:
        p, _ = correct(x)
        top = np.arange(x.shape[-1]) == np.argmax(x.real, axis=-1, keepdims=True)
        others = np.where(top, 0, p).sum(axis=-1, keepdims=True)
        return p, lambda g: pull_of(g, p, np.where(top, others, 1 - p))

    return computing("softmax", softmax)


@mutant("any cotangent in the tails")
def softmax_pullback_that_cancels_the_top_feature() -> Op:
    def pull(g: Any, p: Any, complement: Any) -> Any:
        own = g * p
        return p * (g * complement - (own.sum(axis=-1, keepdims=True) - own))

    return softmax_with(pull)


def log_softmax_that_cancels(x: Any) -> Any:
    value, _ = original("log_softmax", Activation).function(x)
    p = np.exp(value)
    top = np.arange(x.shape[-1]) == np.argmax(x.real, axis=-1, keepdims=True)
    complement = np.where(top, np.where(top, 0, p).sum(axis=-1, keepdims=True), 1 - p)
    return value, lambda g: g * complement - p * (g.sum(axis=-1, keepdims=True) - g)


@mutant("any cotangent in the tails")
def log_softmax_pullback_that_cancels_the_top_feature() -> Op:
    return computing("log_softmax", log_softmax_that_cancels)


@mutant("accurate in the tails")
def cross_entropy_gradient_that_cancels_the_top_feature() -> Op:
    def cross_entropy(p: Any, y: Any, *, label_smoothing: float, temperature: float) -> Any:
        correct = original("cross_entropy", Loss).function
        value, _ = correct(p, y, label_smoothing=label_smoothing, temperature=temperature)
        _, pull = log_softmax_that_cancels(p / temperature)
        y = y if y.dtype.kind == "f" else (np.arange(p.shape[-1]) == y[..., None])
        q = ((1 - label_smoothing) * y + label_smoothing / p.shape[-1]).astype(p.real.dtype)
        return value, lambda g: pull(-g[..., None] * q) / temperature

    return computing("cross_entropy", cross_entropy, Loss)


@mutant("central differences")
def huber_gradient_doubled() -> Op:
    return pulling("huber", lambda g, dp, p: 2 * dp, Loss)


@mutant("derivative formula")
def swish_derivative_with_a_factor_beta() -> Op:
    op = original("swish", Activation)
    return op.replace(derivative=f"beta*({op.derivative})")


@mutant("formula")
def huber_formula_without_the_half() -> Op:
    formula = "where(abs(p - y) <= delta, (p - y)**2, delta*(abs(p - y) - delta/2))"
    return original("huber", Loss).replace(formula=formula)


@mutant("linear in g")
def pullback_that_squares_its_cotangent() -> Op:
    return pulling("tanh", lambda g, dx, x: dx * g)


@mutant("linear in g")
def pullback_that_drops_imaginary_parts() -> Op:
    return pulling("softsign", lambda g, dx, x: dx.real)


@mutant("complex pullback")
def pullback_that_ignores_complex_arguments() -> Op:
    def tanh(x: Any) -> Any:
        slope = 1 - np.tanh(x.real) ** 2
        return np.tanh(x), lambda g: g * slope

    return computing("tanh", tanh)


@mutant("complex step")
def value_that_drops_imaginary_parts() -> Op:
    def mae(p: Any, y: Any) -> Any:
        return np.abs(p - y), lambda g: g * np.sign((p - y).real)

    return computing("mae", mae, Loss)


@mutant("central differences")
def value_that_is_another_function_of_real_numbers() -> Op:
    def softsign(x: Any) -> Any:
        value, pull = original("softsign", Activation).function(x)
        return value if np.iscomplexobj(x) else value * 1.0001, pull

    return computing("softsign", softsign)


@mutant("slope at kinks")
def relu_slope_of_two_at_zero() -> Op:
    return pulling("relu", lambda g, dx, x: np.where(x.real == 0, 2 * g, dx))


@mutant("branches")
def relu_that_records_no_branch() -> Op:
    def relu(x: Any) -> Any:
        on = x.real > 0
        return np.where(on, x, 0), lambda g: np.where(on, g, 0)

    return computing("relu", relu)


@mutant("arguments unchanged")
def relu_in_place() -> Op:
    def relu(x: Any) -> Any:
        on = x.real > 0
        x *= on
        return x, lambda g: np.where(on, g, 0)

    return computing("relu", relu)


@mutant("arguments unchanged")
def pullback_in_place() -> Op:
    def identity(x: Any) -> Any:
        def pullback(g: Any) -> Any:
            g += 0.5
            return g

        return x, pullback

    return computing("identity", identity)


@mutant("precision")
def float64_leak() -> Op:
    return pulling("sigmoid", lambda g, dx, x: dx.astype(np.result_type(dx, np.float64)))


@mutant("variance")
def he_variance_without_its_two() -> Op:
    op = original("he_normal", Initializer)
    return op.replace(variance=lambda fan_in, fan_out, gain: gain**2 / fan_in)


@mutant("variance")
def uniform_drawn_from_zero() -> Op:
    def uniform(rng: Any, shape: Any, fan_in: int, fan_out: int, *, bound: float) -> Any:
        return rng.uniform(0, bound, shape)

    return computing("uniform", uniform, Initializer)


@mutant("reproducible")
def initializer_with_a_generator_of_its_own() -> Op:
    def normal(rng: Any, shape: Any, fan_in: int, fan_out: int, *, std: float) -> Any:
        return std * np.random.default_rng().standard_normal(shape)

    return computing("normal", normal, Initializer)


def weighted_otherwise(change: Callable[[Any, Any], Any]) -> Op:
    """The weighting that learns, with its pullback's result changed."""
    correct = original("multi_task", Weighting).function

    def multi_task(loss: Any, *learned: Any, weighting: str) -> Any:
        value, pull = correct(loss, *learned, weighting=weighting)
        return value, (lambda g: change(pull(g), value)) if learned else pull

    return computing("multi_task", multi_task, Weighting)


@mutant("weighting gradient")
def uncertainty_gradient_as_the_course_notes_have_it() -> Op:
    return weighted_otherwise(lambda pulled, value: (pulled[0], -pulled[1]))


@mutant("weighting formula")
def uncertainty_with_half_the_log_variance() -> Op:
    op = original("multi_task", Weighting)
    half = {"uncertainty": "exp(-log_variance)*L + log_variance/2"}
    return op.replace(formula=lambda weighting, **_: half.get(weighting, "L"))


@mutant("weighting formula")
def weighting_that_is_not_affine() -> Op:
    def multi_task(loss: Any, *learned: Any, weighting: str) -> Any:
        return loss * loss, lambda g: 2 * g * loss

    op = computing("multi_task", multi_task, Weighting)
    return op.replace(
        formula=lambda **_: "L**2", derivative=lambda **_: "2*L", weights=lambda **_: {}
    )


@mutant("weighting precision")
def weight_in_float64() -> Op:
    return weighted_otherwise(lambda pulled, value: (pulled[0], pulled[1].astype(np.float64)))


@mutant("documented")
def unknown_reference() -> Op:
    return original("relu", Activation).replace(references=("nobody1900",))


@pytest.mark.parametrize("name", mutant)
def test_caught_by_the_law_named(name: str) -> None:
    law, make = mutant[name]
    assert breaches(law, make()), f"{name} keeps '{law}'"


def test_every_law_catches_a_mistake() -> None:
    """Those about traits: see the false claims; about nodes and losses: see files of their own."""
    laws = {
        law.name
        for law in LAWS.values()
        if law.about is None and not {NodeOp, Layer} & set(law.kinds) and law.kinds != (Loss,)
    }
    assert mutant.laws == laws
