"""Concepts that keep a gradient alive: initialization, shortcuts, normalization, gates."""

from __future__ import annotations

from typing import Final

from gradcli.diagnostics.concept import Concept

__all__ = ["CONCEPTS"]

CONCEPTS: Final = (
    Concept(
        name="initialization",
        title="Initialization of weights",
        area="initialization",
        aliases=("init", "weight initialization"),
        text="""
            The spread with which weights are drawn decides what each layer does to signals before
            any training.

            It has to make up for what the activation takes away: a layer keeps the gradient's
            size if fan_out·Var(W)·E[f'²] = 1. For ReLU, E[f'²] = 1/2, hence He's 2/fan; for tanh
            near zero it is 1, hence Xavier's and LeCun's. The two directions ask for fan_in
            (activations) and fan_out (gradients); they agree where layers are equally wide. All
            weights equal would leave all units equal for ever.
            """,
        formulas=(
            "forward: fan_in · Var(W) · E[f(z)²]/E[z²] = 1",
            "backward: fan_out · Var(W) · E[f'(z)²] = 1",
        ),
        offers=(
            (
                "gradcli flow --depth 50 --init pytorch_default",
                "PyTorch's default before ReLU: a factor 0.41 a layer",
            ),
            ("gradcli list initializers", "the rules there are"),
            ("gradcli explain auto", "which of them suits which activation"),
        ),
        see=("he-initialization", "xavier-initialization", "lecun-initialization", "mean-field"),
        references=("glorot2010", "he2015"),
    ),
    Concept(
        name="xavier-initialization",
        title="Xavier (Glorot) initialization",
        area="initialization",
        aliases=("xavier", "glorot", "glorot initialization"),
        text="""
            Weights with variance 2/(fan_in + fan_out): a compromise between keeping activations
            forward and gradients backward, for activations of slope 1 at zero.
            """,
        formulas=(
            "Var(W) = 2/(fan_in + fan_out)",
            "normal: std = √(2/(fan_in + fan_out));  uniform: bound = √(6/(fan_in + fan_out))",
        ),
        often_wrong="""
            Var(W) = 1/fan_in. That is LeCun's rule; the two agree only where fan_in = fan_out.
            """,
        offers=(
            (
                "gradcli flow --depth 50 --activation tanh --init xavier_normal",
                "where it fits: one decade lost in 50 layers",
            ),
        ),
        see=("xavier_normal", "xavier_uniform", "lecun-initialization", "initialization"),
        references=("glorot2010",),
    ),
    Concept(
        name="he-initialization",
        title="He (Kaiming) initialization",
        area="initialization",
        aliases=("he", "kaiming", "kaiming initialization"),
        text="""
            Weights with variance 2/fan_in, which makes up for the half of the signal that ReLU
            removes.

            The mean square of the activations then stays the same from layer to layer; with
            2/fan_out that of the gradients does. Between layers of equal width both are the same.
            """,
        formulas=(
            "Var(W) = 2/fan_in",
            "leaky ReLU of slope a below zero: Var(W) = 2/((1 + a²) · fan_in)",
        ),
        offers=(
            (
                "gradcli flow --depth 50 --init he_normal",
                "ReLU layers that keep the gradient's size",
            ),
        ),
        see=("he_normal", "he_uniform", "initialization", "relu"),
        references=("he2015",),
    ),
    Concept(
        name="lecun-initialization",
        title="LeCun initialization",
        area="initialization",
        aliases=("lecun",),
        text="""
            Weights with variance 1/fan_in: the output of a linear layer has the variance of its
            inputs. It is the rule for selu.
            """,
        formulas=("Var(W) = 1/fan_in",),
        offers=(
            (
                "gradcli flow --depth 20 --activation selu --init lecun_normal",
                "self-normalizing layers",
            ),
        ),
        see=("lecun_normal", "lecun_uniform", "xavier-initialization", "selu"),
        references=("lecun1998", "klambauer2017"),
    ),
    Concept(
        name="residual-connection",
        title="Residual connection",
        area="gradient flow",
        aliases=("skip connection", "shortcut", "resnet"),
        text="""
            A path past a block: its input is added to its output, and the gradient passes by it
            undiminished.

            Blocks that are not scaled add up: with He's weights the squared gradient doubles in
            each. A branch scaled by 1/√L, for L blocks, bounds the total by a constant factor.
            """,
        formulas=("y = x + s·branch(x)", "∂L/∂x = ∂L/∂y + s·Jᵀ ∂L/∂y"),
        often_wrong="""
            That it guarantees a minimal gradient. I + s·J can shrink a vector, where J is close
            to −I/s; for random weights it hardly ever does.
            """,
        offers=(
            ("gradcli flow specs/residual_tanh.yaml", "eight residual blocks"),
            (
                "gradcli flow --depth 50 --residual --residual-scale 0.14",
                "50 blocks scaled by about 1/√50",
            ),
        ),
        see=("residual", "vanishing-gradient", "exploding-gradient"),
        references=("he2016", "zhang2019fixup"),
    ),
    Concept(
        name="normalization",
        title="Normalization",
        area="gradient flow",
        aliases=("normalisation", "normalizing activations"),
        text="""
            Activations brought to mean 0 and variance 1, over the rows of the batch (batch) or
            over the features of a row (layer), then scaled and shifted by learned parameters.

            The scale of the weights before it no longer matters to what comes after. The
            statistics are computed from the data, so that the gradient has to go through them;
            batch normalization thereby makes every row depend on all others, and a bias before it
            has a gradient of exactly zero.
            """,
        formulas=(
            "y = γ·(x − μ)/√(σ² + ε) + β",
            "∂L/∂x = γ/√(σ² + ε)·(g − mean(g) − x̂·mean(g·x̂)),  x̂ the normalised x",
        ),
        often_wrong="""
            That it keeps gradients from exploding. Without shortcuts a batch-normalised ReLU
            network multiplies the squared gradient by π/(π − 1) = 1.47 a layer, for large
            batches.
            """,
        offers=(
            (
                "gradcli flow specs/residual_batch_norm.yaml",
                "a residual network with batch normalization",
            ),
        ),
        see=("batch_norm", "layer_norm", "rms_norm", "exploding-gradient", "residual-connection"),
        references=("ioffe2015", "ba2016", "yang2019"),
    ),
    Concept(
        name="gates",
        title="Gates",
        area="gradient flow",
        aliases=("gate", "gating", "lstm gates", "cell state"),
        text="""
            Factors between 0 and 1, computed from the data, that say how much of a signal passes.

            An LSTM's cell state is changed by addition: along it a gradient is multiplied by the
            forget gate alone, not by a matrix and a slope, and with gates near 1 it survives
            hundreds of steps. A forget gate that starts near 1 (a bias of 1) is what makes that
            so from the start.
            """,
        formulas=(
            "c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t,  h_t = o_t ⊙ tanh(c_t)",
            "∂c_t/∂c_{t−1} = diag(f_t)  along the direct path",
        ),
        offers=(("gradcli check specs/lstm_last.yaml", "the gradients of an LSTM"),),
        see=("lstm", "gru", "backpropagation-through-time", "vanishing-gradient"),
        references=("hochreiter1997", "gers2000"),
    ),
)
