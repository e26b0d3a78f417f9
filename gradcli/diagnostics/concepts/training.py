"""Concepts of training that act on gradients, on the order of examples, and on precision."""

from __future__ import annotations

from typing import Final

from gradcli.diagnostics.concept import Concept

__all__ = ["CONCEPTS"]

CONCEPTS: Final = (
    Concept(
        name="clipping",
        title="Gradient clipping",
        area="training",
        aliases=("gradient clipping", "norm clipping", "value clipping", "global norm"),
        text="""
            A gradient that is too large is cut back before the step.

            By global norm: all gradients are scaled by one factor, so that their joint norm is at
            most c; the direction stays. By value: every entry is held between −c and c on its
            own; the direction changes, and large entries all become equal. Clipping belongs after
            the backward pass; inside one it is a mistake.
            """,
        formulas=(
            "by norm: g ← g·min(1, c/‖g‖),  ‖g‖ over all parameters together",
            "by value: g_i ← min(max(g_i, −c), c)",
        ),
        often_wrong="""
            That clipping by norm preserves the direction "when ‖g‖ ≤ c". It preserves it always;
            below c it changes nothing at all.
            """,
        offers=(
            (
                "gradcli flow --depth 50 --gain 2",
                "what clipping by norm and by value would do to an exploding gradient",
            ),
            (
                "gradcli train specs/digits.yaml --clip norm=0.5",
                "how often it cuts, by how much, and how the other kind would turn the gradient",
            ),
        ),
        see=("exploding-gradient", "GC105", "GF102"),
        references=("pascanu2013",),
    ),
    Concept(
        name="curriculum",
        title="Curriculum learning",
        area="training",
        aliases=("curriculum learning", "self-paced learning", "easy-to-hard"),
        text="""
            Examples presented in an order, or with weights, that follow how hard they are.

            Easy-to-hard starts with examples of low loss. Self-paced learning takes those whose
            loss is below a threshold that rises with time. An adaptive one lets the threshold
            follow how well the model does. The current loss is a proxy for difficulty, and a
            mislabelled example looks like a hard one.
            """,
        formulas=(
            "L = Σ_i v_i(t)·L_i",
            "self-paced: v_i = 1 if L_i < λ(t), else 0: the minimiser of Σ v_i L_i − λ Σ v_i",
        ),
        offers=(
            (
                "gradcli train specs/digits.yaml --curriculum self_paced",
                "a run on easy examples first, and the hardest ones at its end",
            ),
        ),
        see=("easy_to_hard", "self_paced", "adaptive", "annealing", "mining"),
        references=("bengio2009", "kumar2010"),
    ),
    Concept(
        name="annealing",
        title="Annealing and schedules",
        area="training",
        aliases=("schedule", "cosine schedule", "learning rate schedule", "loss annealing"),
        text="""
            A number of the training that changes with time: a temperature, a loss weight, a
            learning rate.

            Exponential decay changes it by the same factor at every step, linear decay by the
            same amount, cosine decay slowly at both ends.
            """,
        formulas=(
            "exponential: T(t) = T_0·γ^t",
            "linear: T(t) = T_0 − a·t",
            "cosine: T(t) = T_0·(1 + cos(π·t/T_max))/2",
        ),
        often_wrong="""
            The linear and the cosine form for a temperature, without a floor. Both reach zero,
            where z/T is not defined, and the linear one goes on below it.
            """,
        offers=(
            (
                "gradcli train specs/digits.yaml --schedule cosine",
                "a run whose learning rate falls along a cosine",
            ),
            (
                "gradcli train specs/digits.yaml --anneal temperature=exponential:end=0.5",
                "a temperature that falls by half",
            ),
        ),
        see=(
            *("constant", "exponential", "linear", "cosine", "step", "warm_up"),
            *("temperature", "curriculum"),
        ),
        references=("loshchilov2017", "goyal2017"),
    ),
    Concept(
        name="gradient-accumulation",
        title="Gradient accumulation",
        area="training",
        aliases=("accumulation", "micro-batch"),
        text="""
            Gradients of several small batches added up before one step, where a large batch would
            not fit in memory.

            With a mean as the loss and batches of equal size, the sum over k of them divided by k
            is exactly the large batch's gradient. It is not with batch normalization, whose
            statistics are of each small batch.
            """,
        formulas=("g = (1/k) Σ_j g_j  for k batches of equal size",),
        offers=(
            (
                "gradcli train specs/digits.yaml --batch 16 --accumulate 4",
                "the steps of batches of 64, in a quarter of the memory",
            ),
        ),
        often_wrong="""
            The sum without 1/k: a gradient, hence a step, k times too large. With batches of
            different sizes each has to be weighted by its rows.
            """,
        see=("stochastic-gradient", "normalization"),
        references=("goodfellow2016",),
    ),
    Concept(
        name="mixed-precision",
        title="Mixed precision",
        area="training",
        aliases=("loss scaling", "float16", "half precision", "bfloat16"),
        text="""
            Forward and backward in 16 bits, weights and their updates in 32.

            float16 has few digits and a small range: gradients below 6e-8 are zero. The loss is
            therefore multiplied by a large factor, which every gradient carries, and divided out
            in float32 before the step. bfloat16 has float32's range and still fewer digits, and
            needs no scaling.
            """,
        formulas=("g = (1/s)·∇(s·L)",),
        offers=(
            (
                "gradcli flow --depth 50 --activation sigmoid",
                "in which layer each format underflows, and whether a loss scale helps",
            ),
            (
                "gradcli train specs/digits.yaml --precision mixed",
                "a run in float16, with the loss scale at each step",
            ),
            (
                "gradcli check specs/digits.yaml --dtype float32",
                "float32 gradients, judged as their precision deserves",
            ),
        ),
        see=("underflow", "rounding-error", "GC112"),
        references=("micikevicius2018",),
    ),
    Concept(
        name="stochastic-gradient",
        title="Stochastic gradient",
        area="training",
        aliases=("sgd", "stochastic estimate", "stochastic gradient descent", "mini-batch"),
        text="""
            The gradient of a random batch, as an estimate of that of all the data.

            It is unbiased, with a variance that falls as one over the batch size. A gradient
            check compares the gradient of one fixed batch, which is exact for that batch.
            """,
        formulas=("E[g_batch] = ∇L,  Var[g_batch] = σ²/B for B independent examples",),
        offers=(
            (
                "gradcli train specs/digits.yaml --approximations",
                "the gradient of random batches beside that of all data: bias and variance",
            ),
        ),
        see=("negative-sampling", "gradient-accumulation", "sparse-gradient"),
        references=("robbins1951",),
    ),
    Concept(
        name="sparse-gradient",
        title="Sparse gradients",
        area="training",
        aliases=("gradient compression", "top-k gradient", "sparse gradients"),
        text="""
            Only some entries of a gradient are sent or applied, to save communication.

            The k largest are a biased choice; what was left out is therefore kept and added next
            time (error feedback). A random choice is unbiased if each entry is divided by its
            chance of being chosen, at the price of more variance.
            """,
        formulas=("random: ĝ_i = g_i/π_i with probability π_i, else 0:  E[ĝ] = g",),
        offers=(
            (
                "gradcli train specs/digits.yaml --approximations",
                "the largest and random entries beside the exact gradient: bias, variance, bytes",
            ),
        ),
        see=("quantized-gradient", "stochastic-gradient"),
        references=("aji2017", "lin2018"),
    ),
    Concept(
        name="quantized-gradient",
        title="Quantised gradients",
        area="training",
        aliases=("quantised gradient", "gradient quantization", "stochastic rounding"),
        text="""
            Gradients stored or sent with few levels for each entry.

            Rounding to the nearest level is biased, and loses every entry below half a level;
            stochastic rounding goes up with a probability equal to the distance from the level
            below, and is right on average.
            """,
        formulas=("Q(g) = l with probability 1 − (g − l)/h, else l + h:  E[Q(g)] = g",),
        offers=(
            (
                "gradcli train specs/digits.yaml --approximations",
                "eight bits an entry beside the exact gradient: bias, variance, bytes",
            ),
        ),
        see=("sparse-gradient", "mixed-precision", "GC112"),
        references=("alistarh2017",),
    ),
)
