"""Concepts of cost: operations and memory of gradients, exact and numeric."""

from __future__ import annotations

from typing import Final

from gradcli.diagnostics.concept import Concept

__all__ = ["CONCEPTS"]

CONCEPTS: Final = (
    Concept(
        name="backward-cost",
        title="Cost of forward and backward pass",
        area="cost",
        aliases=("complexity", "computational complexity", "cheap gradient"),
        text="""
            A forward pass through dense layers takes one multiplication for each weight and
            example, a backward pass about two: one product for the input, one for the weight.

            The whole gradient therefore costs about three forward passes, however many parameters
            there are. The same holds for any program: its gradient costs a small constant times
            its value.
            """,
        formulas=(
            "forward: Σ_i n_i·n_{i+1} for each example",
            "backward: 2·Σ_i n_i·n_{i+1}",
            "recurrent, T steps, h units: T·h² forward",
        ),
        often_wrong="""
            O(weights × forward pass) for the backward pass. That is what differences cost;
            backpropagation takes O(weights) for each example. And that it costs the same as the
            forward pass: the same order, twice the work.
            """,
        see=("numeric-cost", "activation-memory", "reverse-mode"),
        references=("griewank2008", "baur1983"),
    ),
    Concept(
        name="numeric-cost",
        title="Cost of numeric gradients",
        area="cost",
        aliases=("cost of a numerical gradient", "numerical against analytic"),
        text="""
            Differences need one or two evaluations for each parameter, where backpropagation
            needs one backward pass for all.

            gradcli does not pay that price. It disturbs one unit in all rows at once and resumes
            the forward from there, which gives a column of the numeric ∂L/∂z; where a layer is
            linear in its weights, their numeric gradient follows from it. That takes a copy of
            the rest of the network for each unit instead of two of all of it for each weight.
            """,
        formulas=(
            "forward differences: p + 1 evaluations;  central: 2·p",
            "backpropagation: about 3, whatever p is",
        ),
        offers=(("gradcli check specs/digits.yaml", "thousands of entries from few evaluations"),),
        see=("backward-cost", "gradient-check", "central-difference"),
        references=("griewank2008",),
    ),
    Concept(
        name="activation-memory",
        title="Memory of activations",
        area="cost",
        aliases=("memory", "memory complexity"),
        text="""
            What the forward pass has to keep for the backward pass: each layer's input, for every
            row of the batch.

            It grows with the batch and the depth, while the weights do not; in training it is
            usually the larger part. Recomputing instead of keeping trades time for it.
            """,
        formulas=("Σ_i n_i numbers for each example",),
        see=("gradient-checkpointing", "backward-cost", "computational-graph"),
        references=("chen2016",),
    ),
    Concept(
        name="gradient-checkpointing",
        title="Gradient checkpointing",
        area="cost",
        aliases=("checkpointing", "recomputation", "rematerialization"),
        text="""
            Only some activations are kept; the others are computed again from the nearest one
            when the backward pass needs them.

            With about √L checkpoints in L equal layers, memory falls from L to about 2·√L layers
            at the price of one more forward pass: a third more work. Nested, it goes down to log
            L, for log L passes. The gradient is the same to the last digit, as long as the
            recomputation is: dropout has to draw the same mask again.
            """,
        formulas=("memory: c + L/c with c checkpoints, least at c = √L",),
        see=("activation-memory", "backward-cost", "GC005"),
        references=("chen2016", "griewank2000"),
    ),
)
