"""Concepts of differentiation: the chain rule, its two modes, and what they work on."""

from __future__ import annotations

from typing import Final

from gradcli.diagnostics.concept import Concept

__all__ = ["CONCEPTS"]

CONCEPTS: Final = (
    Concept(
        name="chain-rule",
        title="Chain rule",
        area="differentiation",
        text="""
            The derivative of a composition is the product of the derivatives of its steps.

            Where a value reaches the loss by several paths, the products along the paths are
            added. With vectors the derivatives are Jacobians, and their order matters: matrices
            do not commute. Every pullback of gradcli is one factor of such a product.
            """,
        formulas=(
            "dz/dx = dz/dy · dy/dx",
            "∂L/∂x_i = Σ_j ∂L/∂y_j · ∂y_j/∂x_i",
        ),
        often_wrong="""
            The gradient of a deep network written as Π W_lᵀ · Π diag(f'(z_l)) · ∂L/∂z_L. The
            factors cannot be taken apart, and ∂L/∂z_L holds f'(z_L) already. The right product
            alternates: W_1ᵀ diag(f'(z_1)) W_2ᵀ diag(f'(z_2)) … W_Lᵀ ∂L/∂z_L.
            """,
        offers=(
            (
                "gradcli check specs/course-notes/gradient_flow.yaml",
                "the product taken apart, caught; gradient_flow_ordered.yaml has the right one",
            ),
        ),
        see=("backpropagation", "reverse-mode", "computational-graph"),
        references=("griewank2008",),
    ),
    Concept(
        name="backpropagation",
        title="Backpropagation",
        area="differentiation",
        aliases=("backprop", "backward pass"),
        text="""
            Reverse-mode differentiation of a layered network: error signals go from the loss back
            to the input, one product a layer.

            δ_l is the gradient with respect to the pre-activation z_l. It is computed from the
            layer above and serves twice: for the gradient of the layer's own weights, and for the
            layer below. For a batch, the gradients of the weights are sums over its rows.
            """,
        formulas=(
            "z_l = W_l a_{l−1} + b_l,  a_l = f(z_l)",
            "δ_L = ∂L/∂z_L",
            "δ_l = (W_{l+1}ᵀ δ_{l+1}) ⊙ f'(z_l)",
            "∂L/∂W_l = Σ_rows δ_l a_{l−1}ᵀ,  ∂L/∂b_l = Σ_rows δ_l",
        ),
        often_wrong="""
            ∂L/∂W = δ aᵀ and ∂L/∂b = δ for a whole batch. These are the shares of one example; the
            loss adds over examples, and so do they.
            """,
        offers=(
            ("gradcli check specs/quickstart.yaml", "every gradient of a network, entry by entry"),
            (
                "gradcli check specs/course-notes/backward_pass_batch.yaml",
                "the sum over the batch forgotten, caught",
            ),
        ),
        see=("reverse-mode", "chain-rule", "backward-cost", "backpropagation-through-time"),
        references=("rumelhart1986",),
    ),
    Concept(
        name="computational-graph",
        title="Computational graph",
        area="differentiation",
        aliases=("graph", "topological order", "dag"),
        text="""
            A program as a directed graph without cycles: a node for each operation, an edge for
            each value that one hands to another.

            In topological order every node comes after those it reads: that is an order for the
            forward pass, and its reverse is one for the backward pass. The depth is the longest
            path, the width the largest number of values that have to be kept at one time.
            """,
        often_wrong="""
            That memory is width × depth. That is what storing everything takes; the values that
            are alive at any one time can be far fewer, and a schedule with checkpoints makes them
            fewer still.
            """,
        offers=(
            (
                "gradcli graph specs/residual_tanh.yaml",
                "the nodes of a network, its depth and width, and what they cost",
            ),
            (
                "gradcli graph specs/residual_tanh.yaml --format mermaid",
                "the same as a drawing; also --format dot",
            ),
            (
                "gradcli check specs/residual_tanh.yaml",
                "every node's pullback is also checked alone where a gradient is wrong",
            ),
        ),
        see=("chain-rule", "live-values", "activation-memory", "gradient-checkpointing"),
        references=("griewank2008",),
    ),
    Concept(
        name="automatic-differentiation",
        title="Automatic differentiation",
        area="differentiation",
        aliases=("autodiff", "ad"),
        text="""
            Exact derivatives of a program, by applying the chain rule to each of its operations.

            It is neither symbolic algebra nor finite differences: it computes numbers, with the
            error of rounding only. Forward mode carries derivatives along with the values,
            reverse mode carries them back from the result.
            """,
        offers=(
            (
                "gradcli check specs/course-notes/swish.yaml",
                "a claimed derivative against those of the formula itself",
            ),
        ),
        see=("forward-mode", "reverse-mode", "chain-rule"),
        references=("griewank2008",),
    ),
    Concept(
        name="forward-mode",
        title="Forward mode (JVP)",
        area="differentiation",
        aliases=("jvp", "jacobian-vector product", "tangent", "directional derivative"),
        text="""
            The derivative of all outputs along one direction of the inputs: the product J v of
            the Jacobian with a vector.

            One pass costs a small multiple of one evaluation, whatever the number of outputs; the
            whole Jacobian takes one pass for each input. It suits few inputs and many outputs.
            `model.jvp(v)` computes it in Python, without using any pullback, so that it can serve
            to check them.
            """,
        formulas=("J v = d/dt f(x + t·v) at t = 0", "J v = Im f(x + i·h·v)/h  (complex step)"),
        see=("forward-or-reverse", "reverse-mode", "jacobian", "complex-step"),
        references=("griewank2008", "squire1998"),
    ),
    Concept(
        name="reverse-mode",
        title="Reverse mode (VJP)",
        area="differentiation",
        aliases=("vjp", "vector-jacobian product", "pullback", "adjoint mode"),
        text="""
            The gradient of one combination of the outputs with respect to all inputs: the product
            Jᵀ u of the transposed Jacobian with a vector.

            One pass costs a small multiple of one evaluation, whatever the number of inputs,
            which is why training uses it: there is one loss and there are many parameters. A
            pullback is the function from u to Jᵀ u; a hand-written backward is one.
            `model.vjp(u)` computes it in Python.
            """,
        formulas=("uᵀ (J v) = (Jᵀ u)ᵀ v for all u and v",),
        offers=(
            (
                "gradcli explain GC001",
                "a backward that is not linear in its cotangent is no pullback",
            ),
        ),
        see=("forward-or-reverse", "forward-mode", "cotangent", "jacobian", "backpropagation"),
        references=("griewank2008",),
    ),
    Concept(
        name="cotangent",
        title="Cotangent",
        area="differentiation",
        aliases=("adjoint", "error signal", "upstream gradient", "delta"),
        text="""
            The gradient of the loss with respect to a value inside the network; what a backward
            is given for its output and returns for its inputs.

            It has the shape of the value itself. Other names are adjoint, upstream gradient,
            error signal, and δ for that of a pre-activation.
            """,
        formulas=("cotangent of y = ∂L/∂y",),
        see=("reverse-mode", "GC001", "GC002"),
        references=("griewank2008",),
    ),
    Concept(
        name="jacobian",
        title="Jacobian",
        area="differentiation",
        text="""
            The matrix of all first derivatives of a vector function: a row for each output, a
            column for each input.

            It is hardly ever written out: of an elementwise activation it is diagonal, of a dense
            layer it is W, and forward and reverse mode multiply by it without forming it. Its
            singular values say how much a layer can stretch or shrink a gradient.
            """,
        formulas=("J_ij = ∂f_i/∂x_j",),
        see=("forward-mode", "reverse-mode", "norm-product"),
        references=("griewank2008",),
    ),
    Concept(
        name="subgradient",
        title="Subgradient",
        area="differentiation",
        aliases=("subdifferential", "kinks"),
        text="""
            A slope that a function may be given at a kink, where the slopes from the left and
            from the right differ.

            Of a convex function, every number between the two is one, and each supports the
            function from below. A backward has to choose; ReLU at zero is given 0 here, as in
            PyTorch. A central difference measures the average of both sides and calls every other
            choice wrong; gradcli records which branch was taken and accepts any slope between the
            two.
            """,
        formulas=("f(y) ≥ f(x) + s·(y − x) for all y",),
        offers=(
            (
                "gradcli check specs/course-notes/leaky_relu.yaml",
                "a kink at 0 that is counted and not graded",
            ),
        ),
        see=("GC201", "convexity", "relu"),
        references=("rockafellar1970",),
    ),
    Concept(
        name="backpropagation-through-time",
        title="Backpropagation through time",
        area="differentiation",
        aliases=("bptt", "recurrent network"),
        text="""
            Backpropagation in a recurrent network, unrolled into one copy for each time step.

            All copies share their weights, so that the gradient of a weight is the sum over the
            steps. From the last step back to step t the signal passes the same W at every step:
            its gain acts to the power of the distance, and gradients over long times vanish or
            explode sooner than those over as many different layers. The cost is that of T steps,
            T·h² for a state of h units, and every step's state has to be kept.
            """,
        formulas=(
            "h_t = f(W_ih x_t + W_hh h_{t−1} + b)",
            "δ_t = f'(z_t) ⊙ (∂L_t/∂h_t + W_hhᵀ δ_{t+1})",
            "∂L/∂W_hh = Σ_t δ_t h_{t−1}ᵀ",
        ),
        often_wrong="""
            That a largest singular value of W above 1 makes gradients explode. It is necessary,
            not sufficient; below 1/γ, with γ the largest slope of f, they are sure to vanish.
            """,
        offers=(("gradcli check specs/rnn_sequence.yaml", "the gradients of a recurrent network"),),
        example="""\
gradcli: 1
data: {inputs: {shape: [4, 6, 3]}, targets: auto}   # batch, time, features
network:
  - rnn: {units: 5, output: last}
  - dense: 1
loss: mse""",
        see=("rnn", "lstm", "gru", "vanishing-gradient", "exploding-gradient", "gates"),
        references=("werbos1990", "pascanu2013"),
    ),
)
