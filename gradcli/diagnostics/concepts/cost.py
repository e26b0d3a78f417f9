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
            "any program: gradient and value take at most 3 to 4 times the value alone",
        ),
        often_wrong="""
            O(weights × forward pass) for the backward pass. That is what differences cost;
            backpropagation takes O(weights) for each example. And that it costs the same as the
            forward pass: the same order, twice the work.
            """,
        offers=(
            ("gradcli graph specs/digits.yaml", "operations of every node, forward and backward"),
        ),
        see=("operation-count", "numeric-cost", "activation-memory", "reverse-mode"),
        references=("griewank2008", "baur1983"),
    ),
    Concept(
        name="operation-count",
        title="Operation count",
        area="cost",
        aliases=("operations", "flops", "floating-point operations", "multiply-adds"),
        text="""
            How many operations on numbers a program takes, as a measure of its work that does not
            depend on the machine.

            Every operation on an element of an array counts as one here, be it a product, a
            comparison, a selection, or a call of exp; a sum of n numbers takes n - 1. Each op
            states its own count, of its value and of its pullback, and tests count what it does.

            Time follows from it only within one kind: a processor does tens of operations within a
            product of matrices in the time of one that goes element by element, which waits for
            memory. The two are therefore told apart.
            """,
        formulas=(
            "product of matrices (m, k) and (k, n): m·n·(2k − 1)",
            "dense, B rows, bias included: 2·B·n_in·n_out forward",
            "backward: B·n_in·(2·n_out − 1) + n_out·n_in·(2B − 1) + n_out·(B − 1)",
        ),
        often_wrong="""
            A number of multiply-adds as a number of operations. A multiply-add is two of them;
            counts in the literature differ by this factor of 2.
            """,
        offers=(
            ("gradcli graph specs/lstm_last.yaml", "counts of recurrent layers, over all steps"),
        ),
        see=("backward-cost", "numeric-cost"),
        references=("griewank2008", "golub2013"),
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
            "central to analytic: 2·p·F/(F + B), about 2·p/3, F and B operations of a pass",
        ),
        offers=(
            ("gradcli graph specs/digits.yaml", "what differences would cost on this network"),
            ("gradcli check specs/digits.yaml", "thousands of entries from few evaluations"),
        ),
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
            usually the larger part. An op may keep more than its output: sigmoid keeps exp(-|x|)
            and 1/(1 + exp(-|x|)) as well, relu one truth value for each number. Recomputing instead
            of keeping trades time for it.
            """,
        formulas=(
            "Σ_i n_i numbers for each example",
            "peak: outputs + what pullbacks keep + two cotangents + all gradients of weights",
        ),
        offers=(
            (
                "gradcli graph specs/deep_residual.yaml",
                "what each node leaves for the backward pass, and the peak of all",
            ),
        ),
        see=("gradient-checkpointing", "backward-cost", "computational-graph", "live-values"),
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
        formulas=(
            "memory: c + L/c with c checkpoints, least at c = √L",
            "checkpoints of b bytes, S bytes stored in all: c·b + S/c, least at c = √(S/b)",
            "more work: F·(c − 1)/c of F + B operations, a third where B = 2·F",
        ),
        offers=(
            (
                "gradcli graph specs/deep_residual.yaml --run",
                "the plan for a network, run for real: peak memory, and the same gradient",
            ),
        ),
        see=("activation-memory", "backward-cost", "live-values", "GC005"),
        references=("chen2016", "griewank2000"),
    ),
    Concept(
        name="live-values",
        title="Live values",
        area="cost",
        aliases=("live variables", "width", "width of a graph", "depth of a graph", "longest path"),
        text="""
            The values that a later operation still reads: all that a forward pass alone has to keep
            at a time.

            Their largest number is the width of the graph, for one order of its nodes. A chain has
            a width of 2, a value and the next one; each shortcut around a block adds one while the
            block is run. The depth, the longest path, bounds how much can be done at the same time.
            """,
        formulas=(
            "alive at step t: values computed up to t and read at t or later; width: the most",
            "depth(v) = 1 + max depth(u) over the nodes u that v reads",
        ),
        often_wrong="""
            That a pass needs width × depth values. That is what backpropagation without checkpoints
            stores; a forward pass needs the width only.
            """,
        offers=(
            ("gradcli graph specs/residual_tanh.yaml", "width, depth, and where they are reached"),
        ),
        see=("computational-graph", "activation-memory", "gradient-checkpointing"),
        references=("griewank2008",),
    ),
    Concept(
        name="forward-or-reverse",
        title="Forward or reverse mode",
        area="cost",
        aliases=("modes of differentiation", "jvp or vjp", "forward against reverse"),
        text="""
            A Jacobian takes a pass for each number in with forward mode, and a pass for each number
            out with reverse mode: the fewer passes win.

            A pass of either kind costs about the same. A loss is one number, so its gradient takes
            one reverse pass, whatever the number of parameters. Outputs by few inputs, as in a
            network of two features with five outputs, are cheaper forward, and without storing any
            activations. Where rows are independent of each other, one pass serves all of them.
            """,
        formulas=(
            "m outputs by n inputs: n passes forward, m passes in reverse",
            "J v with f: 2 to 5/2 times the operations of f;  uᵀJ with f: 3 to 4 times",
        ),
        often_wrong="""
            That reverse mode is always cheaper. It is for a loss; and it pays with memory for every
            activation.
            """,
        offers=(
            (
                "gradcli graph specs/multi_task_uncertainty.yaml",
                "the passes of either mode for the shape of a network",
            ),
        ),
        see=("forward-mode", "reverse-mode", "jacobian", "activation-memory"),
        references=("griewank2008",),
    ),
)
