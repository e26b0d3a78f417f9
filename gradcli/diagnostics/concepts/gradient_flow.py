"""Concepts of gradient flow: what depth does to a gradient, and why."""

from __future__ import annotations

from typing import Final

from gradcli.diagnostics.concept import Concept

__all__ = ["CONCEPTS"]

CONCEPTS: Final = (
    Concept(
        name="gradient-flow",
        title="Gradient flow",
        area="gradient flow",
        aliases=("gradient propagation", "gradient magnitude"),
        text="""
            How large the gradient still is when it arrives at each layer on its way back from the
            loss.

            Three curves have to be told apart: the activations going forward, the signal ∂L/∂a
            coming back, and the gradients of the weights, which are the product of both and can
            look even while the signal dies.
            """,
        formulas=("∂L/∂a_{l−1} = W_lᵀ ∂L/∂z_l,  ∂L/∂z_l = f'(z_l) ⊙ ∂L/∂a_l",),
        offers=(
            ("gradcli flow --depth 50 --activation tanh", "all three curves, layer by layer"),
            (
                "gradcli check specs/course-notes/gradient_flow_ordered.yaml",
                "the formula for two layers, checked",
            ),
        ),
        see=("vanishing-gradient", "exploding-gradient", "gain", "norm-product", "GF107"),
        references=("glorot2010",),
    ),
    Concept(
        name="vanishing-gradient",
        title="Vanishing gradient",
        area="gradient flow",
        text="""
            The gradient shrinks by a factor at every layer on its way back, so that after many
            layers hardly anything is left.

            The layers near the input then learn slowly or not at all, whatever the learning rate
            of the others. Causes: activations with a small slope (sigmoid's is at most 1/4),
            saturation, weights drawn too small for the activation, dead units. Depth turns any
            factor below 1 into a small number: 0.24 a layer is 10^−31 after 50. Remedies act on
            the factor: an initialization that suits the activation, residual connections,
            normalization, gates.
            """,
        formulas=("‖∂L/∂a_0‖ = λ^L · ‖∂L/∂a_L‖,  λ < 1 the geometric mean of the layers' gains",),
        often_wrong="""
            That Π ‖W_l‖·‖f'_l‖ < 1 is the condition. The product bounds the gradient from above:
            below 1 it proves vanishing, above 1 it proves nothing, and it is often 20 decades
            above the truth. The verdict has to come from the measured gradient. Nor is λ the
            average of the factors: it is their geometric mean whose L-th power is the product.
            """,
        offers=(
            (
                "gradcli flow --depth 50 --activation sigmoid",
                "31 decades lost in 50 layers, why, and which change mends it",
            ),
            (
                "gradcli flow --depth 50 --fail-on vanishing,exploding",
                "a gate for CI: exit 1 where it happens",
            ),
        ),
        see=(
            "GF101",
            "gain",
            "norm-product",
            "saturation",
            "residual-connection",
            "initialization",
        ),
        references=("hochreiter1991", "bengio1994", "glorot2010"),
    ),
    Concept(
        name="exploding-gradient",
        title="Exploding gradient",
        area="gradient flow",
        text="""
            The gradient grows by a factor at every layer on its way back.

            The layers near the input get steps that are far too large, the loss oscillates, and
            in the end numbers overflow. Causes: weights drawn too large, sums of residual blocks
            that are not scaled, normalization without shortcuts. Clipping saves the step; it does
            not mend the proportions between the layers.
            """,
        formulas=("‖∂L/∂a_0‖ = λ^L · ‖∂L/∂a_L‖,  λ > 1",),
        often_wrong="""
            That unbounded activations such as ReLU explode it. The slopes of ReLU and leaky ReLU
            are at most 1: it is the weights. And that Π ‖W_l‖·‖f'_l‖ > 1 means exploding: that is
            necessary, never sufficient.
            """,
        offers=(
            ("gradcli flow --depth 50 --gain 2", "weights at twice He's spread"),
            ("gradcli flow specs/exploding_gain.yaml", "the same from a spec"),
        ),
        see=("GF102", "clipping", "norm-product", "initialization", "residual-connection"),
        references=("bengio1994", "pascanu2013"),
    ),
    Concept(
        name="gain",
        title="Gain of a layer",
        area="gradient flow",
        aliases=("rate", "decay rate", "lambda"),
        text="""
            The factor by which a layer changes the norm of the gradient that passes it.

            All gains multiply to the total. Their geometric mean is the rate λ, for which the
            total is λ^L; where λ < 1 the gradient halves every ln 2/−ln λ layers. Close to 1 is
            healthy. For wide layers with random weights the gain is about √χ, whose χ mean-field
            theory predicts.
            """,
        formulas=(
            "gain_l = ‖∂L/∂a_{l−1}‖ / ‖∂L/∂a_l‖",
            "λ = (Π gain_l)^(1/L)",
        ),
        often_wrong="""
            λ as the arithmetic mean of ‖W‖·‖f'‖. With factors 4 and 1/4 that mean is 2.1, and the
            gradient neither grows nor shrinks.
            """,
        offers=(("gradcli flow --depth 50", "the gain of every layer, and their geometric mean"),),
        see=("norm-product", "mean-field", "gradient-flow"),
        references=("glorot2010",),
    ),
    Concept(
        name="norm-product",
        title="Product of norms",
        area="gradient flow",
        aliases=("bound", "gradient bound"),
        text="""
            An upper bound of what a network can do to a gradient: the product over the layers of
            the largest singular value of W and the largest slope of f.

            It holds always, so that below 1 it proves vanishing. It is attained only if the
            gradient lies along the worst direction of every layer at once, which it does not: for
            50 layers of 100 tanh units with Xavier weights it is 10^14.6 where 10^−1 is measured.
            The product of root mean squares beside it has no such excess and tracks the truth.
            """,
        formulas=(
            "‖∂L/∂a_0‖ ≤ Π ‖W_l‖₂ · max|f'_l| · ‖∂L/∂a_L‖",
            "‖∂L/∂a_0‖ ≈ Π (‖W_l‖_F/√fan_out) · rms f'_l · ‖∂L/∂a_L‖",
            "a residual block counts 1 + |scale| · (product of its branch)",
        ),
        often_wrong="A verdict of exploding because the bound is large.",
        offers=(
            (
                "gradcli flow --depth 50 --activation tanh",
                "bound, product and measurement together",
            ),
        ),
        see=("gain", "vanishing-gradient", "exploding-gradient", "lipschitz", "GF106"),
        references=("pascanu2013",),
    ),
    Concept(
        name="saturation",
        title="Saturation",
        area="gradient flow",
        aliases=("saturated unit", "saturating activation"),
        text="""
            A unit whose input lies where its activation is level: its slope is near zero, and it
            passes hardly any gradient.

            sigmoid and tanh saturate at both ends. Inputs that are not scaled, large weights and
            large biases push units there.
            """,
        offers=(
            ("gradcli flow --activation tanh --bias-std 10", "a network of saturated units"),
            (
                "gradcli list activations --where bounded",
                "activations that can saturate on both sides",
            ),
        ),
        see=("GF104", "dead-unit", "sigmoid", "tanh", "vanishing-gradient"),
        references=("glorot2010",),
    ),
    Concept(
        name="dead-unit",
        title="Dead unit",
        area="gradient flow",
        aliases=("dead neuron", "dying relu", "dead relu"),
        text="""
            A unit that is off for every example: its slope is zero everywhere, no gradient
            reaches it, and no step can wake it up.

            ReLU units die when a large step or a negative bias pushes them below zero on all
            inputs. Half of the entries of a ReLU layer being zero is normal and no sign of it:
            what counts is a unit that is zero on the whole batch, and deep down some of those are
            to be expected too. leaky_relu, prelu and elu keep a slope on both sides.
            """,
        offers=(("gradcli explain GF103", "how many are more than usual"),),
        see=("GF103", "saturation", "relu", "leaky_relu", "GC202"),
        references=("maas2013",),
    ),
    Concept(
        name="mean-field",
        title="Mean-field theory of signals",
        area="gradient flow",
        aliases=("chi", "order and chaos", "depth scale"),
        text="""
            What a wide network of random weights does to a signal, from two averages over a
            normal distribution.

            q is the variance of the pre-activations, χ the mean factor on the squared gradient in
            a layer. χ < 1 is the ordered phase: inputs become alike and gradients vanish. χ > 1
            is the chaotic one: inputs are torn apart and gradients explode. At the edge, χ = 1,
            signals and gradients travel farthest. ξ is the number of layers over which they
            change by a factor e.
            """,
        formulas=(
            "q' = σ_w² E[f(√q z)²] + σ_b²,  z ~ N(0, 1)",
            "χ = σ_w² E[f'(√q z)²],  gain ≈ √χ",
            "ξ = −1/ln χ",
            "ReLU: χ = 1 at σ_w² = 2 (He);  tanh, σ_b = 0: at σ_w = 1",
        ),
        often_wrong="""
            χ taken at the fixed point of q alone. q relaxes slowly there, and on the way χ
            differs: it has to be iterated layer by layer.
            """,
        offers=(
            (
                "gradcli flow --depth 50 --activation sigmoid",
                "theory beside measurement, layer by layer",
            ),
            (
                "gradcli flow --paper",
                "what papers state and theory derives, computed and measured again",
            ),
        ),
        see=("edge-of-chaos", "gain", "initialization", "he-initialization"),
        references=("poole2016", "schoenholz2017"),
    ),
    Concept(
        name="edge-of-chaos",
        title="Edge of chaos",
        area="gradient flow",
        aliases=("criticality", "critical point", "critical initialization", "critical"),
        text="""
            The spreads of weights and biases at which a deep network of random weights neither
            loses the differences between its inputs nor tears them apart, and keeps its gradients.

            For each σ_b of the biases it is the σ_w of the weights at which q is at rest and χ is
            1. Below, gradients vanish; above, they explode. ReLU and other functions that only
            scale (f(s·x) = s·f(x)) have one σ_w, whatever q is. tanh has a line that begins at
            σ_w = 1 without biases. GELU, Swish and Mish need biases: without them q leaves every
            point of their line. Softplus has no such line, since where its weights make χ = 1 its
            values grow.
            """,
        formulas=(
            "q = σ_w² E[f(√q z)²] + σ_b²  and  1 = σ_w² E[f'(√q z)²],  z ~ N(0, 1)",
            "for each q:  σ_w² = 1/E f'²,  σ_b² = q − E f²/E f'²",
            "tanh:  σ_b² = 0.05, σ_w² = 1.76095, q = 0.57005",
            "ReLU:  σ_w² = 2, σ_b = 0;  leaky ReLU:  σ_w² = 2/(1 + a²)",
        ),
        often_wrong="""
            That He's rule suits every rectifier-like activation. With GELU, Swish or Mish it is
            below the edge: q falls from layer to layer, and χ with it, to 1/2 and 0.72.
            """,
        offers=(
            (
                "gradcli flow --critical --activation tanh",
                "the line, its picture, and what to write",
            ),
            ("gradcli flow --critical --activation gelu --bias-std 0.5", "the point at one σ_b"),
            ("gradcli flow --critical", "where to start with each activation"),
            (
                "gradcli flow --critical specs/course-notes/swish.yaml",
                "the edge of a formula that a spec defines",
            ),
        ),
        see=("mean-field", "GF110", "GF111", "initialization", "gain"),
        references=("poole2016", "schoenholz2017", "roberts2022"),
    ),
    Concept(
        name="underflow",
        title="Underflow of gradients",
        area="gradient flow",
        aliases=("gradient underflow", "overflow"),
        text="""
            Gradients too small for the number format become exactly zero.

            float16 ends at 6e-8, float32 and bfloat16 at about 1e-45 and 1e-40, float64 at
            5e-324. A plain norm squares its entries first and underflows at half as many decades;
            gradcli carries norms with an exponent of their own, so that it can tell zero from
            tiny.
            """,
        offers=(
            (
                "gradcli flow --depth 50 --activation sigmoid",
                "how many layers from the loss until each format reads zero",
            ),
        ),
        see=("mixed-precision", "vanishing-gradient", "rounding-error"),
        references=("micikevicius2018",),
    ),
)
