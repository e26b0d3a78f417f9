"""Mistakes in layers: each law about nodes catches those planted for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from planted import Mutants, breaches, claiming, computing, original

from gradcli.core.op import Layer, NodeOp, Op, Weighting
from gradcli.core.steps import note_state, note_state_cotangent
from gradcli.core.traits import Normalization
from gradcli.testing import LAWS

mutant = Mutants()

# What a layer says about itself, changed: the law that notices, and the layer.
FALSE_CLAIMS: dict[str, tuple[str, Op]] = {
    "dense_claimed_homogeneous_without_its_bias": (
        "homogeneous with",
        claiming("dense", Layer, homogeneous_with=()),
    ),
    "residual_claimed_not_homogeneous": (
        "homogeneous with",
        claiming("residual", Layer, homogeneous_with=None),
    ),
    "dense_claimed_to_couple_rows": ("coupling", claiming("dense", Layer, couples_rows=True)),
    "mixing_claimed_through_the_bias": ("mixing", claiming("dense", Layer, mixing="bias")),
    "batch_norm_claimed_to_keep_rows_apart": (
        "coupling",
        claiming("batch_norm", Layer, couples_rows=False),
    ),
    "layer_norm_claimed_to_keep_features_apart": (
        "features",
        claiming("layer_norm", Layer, keeps_features=True),
    ),
    "batch_norm_claimed_to_mix_features": (
        "features",
        claiming("batch_norm", Layer, keeps_features=False),
    ),
    "rnn_claimed_to_have_no_steps": ("steps", claiming("rnn", Layer, recurs=None)),
    "dense_claimed_to_have_steps": ("steps", claiming("dense", Layer, recurs="weight")),
    "steps_claimed_to_be_joined_by_the_input_weights": (
        "steps",
        claiming("rnn", Layer, recurs="weight_ih"),
    ),
    "batch_norm_claimed_homogeneous_without_its_mean": (
        "homogeneous with",
        claiming("batch_norm", Layer, homogeneous_with=("bias",)),
    ),
    "layer_norm_claimed_to_lengthen_nothing": (
        "node lipschitz",
        claiming("layer_norm", Layer, lipschitz=lambda inputs, parameters: (1.0,)),
    ),
    "residual_bounded_by_one_input_alone": (
        "node lipschitz",
        claiming("residual", Layer, lipschitz=lambda inputs, parameters: (1.0,)),
    ),
    "lstm_claimed_affine_in_its_input_weights": (
        "affine",
        claiming("lstm", Layer, affine={"bias_ih": ("bo->o",)}),
    ),
    "rnn_bounded_by_its_input_weights_alone": (
        "node lipschitz",
        claiming(
            "rnn",
            Layer,
            lipschitz=lambda x, parameters: (np.linalg.norm(parameters["weight_ih"], 2),),
        ),
    ),
    "relu_rnn_claimed_homogeneous_with_one_bias": (
        "homogeneous with",
        claiming("rnn", Layer, homogeneous_with=("bias_ih",)),
    ),
    "dropout_claimed_without_noise": ("expectation", claiming("dropout", Layer, noise=0.0)),
    "dense_claimed_with_noise": ("expectation", claiming("dense", Layer, noise=0.5)),
    "residual_claimed_unscaled": ("sums", claiming("residual", Layer, sums=(1.0, 1.0))),
    "batch_norm_claimed_over_features": (
        "normalizes",
        claiming("batch_norm", Layer, normalizes=Normalization("features", 1e-5)),
    ),
    "rms_norm_claimed_centred": (
        "normalizes",
        claiming("rms_norm", Layer, normalizes=Normalization("features", 1e-5, True)),
    ),
    "layer_norm_claimed_without_eps": (
        "normalizes",
        claiming("layer_norm", Layer, normalizes=Normalization("features", 0.0)),
    ),
}
mutant.update((name, (law, lambda op=op: op)) for name, (law, op) in FALSE_CLAIMS.items())


def changed(name: str, change: Callable[..., Any]) -> Op:
    """A layer whose cotangents are changed: `change(dx, cotangents, x, parameters, rank)`."""
    correct = original(name, Layer).function

    def function(x: Any, *, parameters: Any, rank: int, **options: Any) -> Any:
        y, pull = correct(x, parameters=parameters, rank=rank, **options)
        return y, lambda g: change(*pull(g), x, parameters, rank)

    return computing(name, function, Layer)


@mutant("adjoint")
def dense_gradient_as_a_mean_over_the_batch() -> Op:
    def change(dx: Any, cotangents: Any, x: Any, parameters: Any, rank: int) -> Any:
        return dx, {**cotangents, "weight": cotangents["weight"] / x.shape[-rank]}

    return changed("dense", change)


@mutant("adjoint by argument")
def dense_input_cotangent_missing() -> Op:
    return changed("dense", lambda dx, cotangents, *_: (0 * dx, cotangents))


@mutant("shapes")
def dense_gradient_transposed() -> Op:
    def change(dx: Any, cotangents: Any, *_: Any) -> Any:
        return dx, {**cotangents, "weight": np.swapaxes(cotangents["weight"], -1, -2)}

    return changed("dense", change)


@mutant("replicas")
def dense_gradient_of_the_first_replica() -> Op:
    def change(dx: Any, cotangents: Any, x: Any, parameters: Any, rank: int) -> Any:
        weight = cotangents["weight"]
        return dx, {**cotangents, "weight": weight[:1] + 0 * weight if weight.ndim > 2 else weight}

    return changed("dense", change)


@mutant("node precision")
def dense_gradient_in_float64() -> Op:
    def change(dx: Any, cotangents: Any, *_: Any) -> Any:
        return dx, {name: d.astype(np.float64) for name, d in cotangents.items()}

    return changed("dense", change)


@mutant("node arguments unchanged")
def dense_that_decays_its_weights() -> Op:
    def change(dx: Any, cotangents: Any, x: Any, parameters: Any, rank: int) -> Any:
        parameters["weight"][...] *= 0.99
        return dx, cotangents

    return changed("dense", change)


@mutant("affine")
def dense_contraction_transposed() -> Op:
    op = original("dense", Layer)
    contraction = {"affine": {"weight": ("bo,bi->io", "x")}}
    return op.replace(traits=lambda **options: op.traits(**options).replace(**contraction))


@mutant("affine")
def dense_contraction_with_the_wrong_operand() -> Op:
    op = original("dense", Layer)
    contraction = {"affine": {"x": ("bo,oi->bi", "weight"), "weight": ("bo,bi->bo", "x")}}
    return op.replace(traits=lambda **options: op.traits(**options).replace(**contraction))


def normalized_with(name: str, pull_of: Callable[..., Any]) -> Op:
    """A normalization without weight or bias whose pullback is `pull_of(g, y, scale, axes)`."""
    correct = original(name, Layer).function

    def function(x: Any, *, parameters: Any, rank: int, eps: float, **options: Any) -> Any:
        options["affine"] = False
        y, _ = correct(x, parameters={}, rank=rank, eps=eps, **options)
        axes = tuple(range(-rank, -1)) if name == "batch_norm" else (-1,)
        mean = 0 if name == "rms_norm" else x.mean(axis=axes, keepdims=True)
        scale = 1 / np.sqrt(((x - mean) ** 2).mean(axis=axes, keepdims=True) + eps)
        return y, lambda g: (pull_of(g, y, scale, axes), {})

    op = computing(name, function, Layer)
    params = [p for p in op.params if p.name != "affine"]
    mode = [p.replace(sweep=("train",)) if p.name == "mode" else p for p in params]
    return op.replace(params=tuple(mode), weights=None, traits=Layer.traits)


@mutant("adjoint")
def batch_norm_gradient_with_constant_statistics() -> Op:
    return normalized_with("batch_norm", lambda g, y, scale, axes: g * scale)


@mutant("adjoint")
def batch_norm_gradient_with_constant_variance() -> Op:
    def pull(g: Any, y: Any, scale: Any, axes: Any) -> Any:
        return scale * (g - g.mean(axis=axes, keepdims=True))

    return normalized_with("batch_norm", pull)


@mutant("adjoint")
def layer_norm_gradient_with_constant_mean() -> Op:
    def pull(g: Any, y: Any, scale: Any, axes: Any) -> Any:
        return scale * (g - y * (g * y).mean(axis=axes, keepdims=True))

    return normalized_with("layer_norm", pull)


@mutant("adjoint")
def rms_norm_gradient_with_the_mean_of_layer_norm() -> Op:
    def pull(g: Any, y: Any, scale: Any, axes: Any) -> Any:
        rest = y * (g * y).mean(axis=axes, keepdims=True) + g.mean(axis=axes, keepdims=True)
        return scale * (g - rest)

    return normalized_with("rms_norm", pull)


@mutant("coupling")
def layer_norm_over_the_rows() -> Op:
    def function(x: Any, *, parameters: Any, rank: int, **options: Any) -> Any:
        correct = original("batch_norm", Layer).function
        return correct(x, parameters=parameters, rank=rank, mode="train", **options)

    return computing("layer_norm", function, Layer)


@mutant("shapes")
def batch_norm_with_a_gradient_of_its_buffers() -> Op:
    def change(dx: Any, cotangents: Any, x: Any, parameters: Any, rank: int) -> Any:
        return dx, {name: np.zeros_like(value) for name, value in parameters.items()}

    return changed("batch_norm", change)


@mutant("node arguments unchanged")
def batch_norm_that_updates_its_running_mean() -> Op:
    def change(dx: Any, cotangents: Any, x: Any, parameters: Any, rank: int) -> Any:
        if "running_mean" in parameters:
            parameters["running_mean"][...] += 0.1
        return dx, cotangents

    return changed("batch_norm", change)


@mutant("expectation")
def dropout_that_does_not_make_up_for_what_it_drops() -> Op:
    def function(x: Any, *, parameters: Any, **_: Any) -> Any:
        return x * parameters["mask"], lambda g: (g * parameters["mask"], {})

    return computing("dropout", function, Layer)


@mutant("adjoint")
def dropout_that_drops_other_entries_backward() -> Op:
    def change(dx: Any, cotangents: Any, x: Any, parameters: Any, rank: int) -> Any:
        return dx[..., ::-1], cotangents

    return changed("dropout", change)


@mutant("replicas")
def flatten_that_takes_replicas_for_rows() -> Op:
    def function(x: Any, *, rank: int, **_: Any) -> Any:
        return x.reshape(x.shape[0], -1), lambda g: (g.reshape(x.shape), {})

    return computing("flatten", function, Layer)


def unrolled_rnn(*, truncated: bool = False, ahead: int = 0) -> Op:
    """An rnn of tanh in full; truncated after one step, or with the state of another step."""

    def function(x: Any, *, parameters: Any, **_: Any) -> Any:
        into, over = parameters["weight_ih"], parameters["weight_hh"]
        bias = (parameters["bias_ih"] + parameters["bias_hh"])[..., None, :]
        h = [np.zeros((*x.shape[:-2], over.shape[-1]), x.real.dtype)]
        for t in range(x.shape[-2]):
            z = x[..., t, :] @ np.swapaxes(into, -1, -2) + h[-1] @ np.swapaxes(over, -1, -2) + bias
            h.append(np.tanh(z))
            note_state(h[-1])

        def pullback(g: Any) -> Any:
            back, total = 0.0, dict.fromkeys(parameters, 0.0)
            dx = []
            for t in reversed(range(x.shape[-2])):
                to = g[..., t, :] + back
                note_state_cotangent(t, partial(np.copy, to))
                dz = to * (1 - h[t + 1] ** 2)
                back = 0.0 if truncated else dz @ over
                dx.insert(0, dz @ into)
                transposed, sums = np.swapaxes(dz, -1, -2), dz.sum(axis=-2)
                total["weight_ih"] = total["weight_ih"] + transposed @ x[..., t, :]
                total["weight_hh"] = total["weight_hh"] + transposed @ h[t + ahead]
                total["bias_ih"] = total["bias_hh"] = total["bias_ih"] + sums
            return np.stack(dx, axis=-2), total

        return np.stack(h[1:], axis=-2), pullback

    op = computing("rnn", function, Layer)
    sweeps = {"activation": ("tanh",), "output": ("sequence",)}
    params = [p.replace(sweep=sweeps.get(p.name, p.sweep)) for p in op.params]
    return op.replace(params=tuple(params))


@mutant("adjoint")
def rnn_gradient_that_stops_at_every_step() -> Op:
    return unrolled_rnn(truncated=True)


@mutant("adjoint by argument")
def rnn_gradient_with_the_state_after_the_step() -> Op:
    return unrolled_rnn(ahead=1)


def test_an_unrolled_rnn_breaks_no_law_but_costs_something_else() -> None:
    broken = {law for law in LAWS if breaches(law, unrolled_rnn())}
    assert broken == {"operations", "memory"}


@mutant("adjoint")
def gru_gradient_past_its_reset_gate() -> Op:
    def change(dx: Any, cotangents: Any, x: Any, parameters: Any, rank: int) -> Any:
        return dx, {**cotangents, "bias_hh": cotangents["bias_ih"]}

    return changed("gru", change)


@mutant("adjoint by argument")
def lstm_with_two_gates_exchanged_backward() -> Op:
    def change(dx: Any, cotangents: Any, x: Any, parameters: Any, rank: int) -> Any:
        i, f, g, o = np.split(cotangents["weight_hh"], 4, axis=-2)
        return dx, {**cotangents, "weight_hh": np.concatenate([f, i, g, o], axis=-2)}

    return changed("lstm", change)


@pytest.mark.parametrize("name", mutant)
def test_caught_by_the_law_named(name: str) -> None:
    law, make = mutant[name]
    assert breaches(law, make()), f"{name} keeps '{law}'"


def test_every_law_catches_a_mistake() -> None:
    """Those about costs, which every kind of op has: see a file of their own."""
    about_nodes = {
        law.name
        for law in LAWS.values()
        if {NodeOp, Layer} & set(law.kinds) and Weighting not in law.kinds
    }
    assert mutant.laws == about_nodes
