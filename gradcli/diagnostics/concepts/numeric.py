"""Concepts of the numeric check: differences, their errors, and how a comparison is judged."""

from __future__ import annotations

from typing import Final

from gradcli.diagnostics.concept import Concept

__all__ = ["CONCEPTS"]

CONCEPTS: Final = (
    Concept(
        name="gradient-check",
        title="Gradient check",
        area="numeric check",
        aliases=("gradcheck", "gradient checking"),
        text="""
            A comparison of a computed gradient, entry by entry, with derivatives that were
            measured from the function's values.

            The measurement has an error of its own, so that a difference proves a mistake only
            where it is larger. gradcli measures that error, asks two independent methods,
            recognises kinks, and calls an entry wrong only if real differences from both sides
            say so too. What the arithmetic cannot tell is inconclusive, not green.
            """,
        often_wrong="""
            That one fixed step and one tolerance decide. They call right gradients wrong (at a
            kink, in float32, near saturation) and let wrong ones through (behind the tolerance).
            And that random operations cannot be checked: dropout's mask is drawn once for a
            check, and the derivative of batch normalization goes through the batch's statistics.
            """,
        offers=(
            ("gradcli check specs/digits.yaml", "every gradient of a network"),
            (
                "gradcli check specs/course-notes/swish.yaml",
                "a wrong one, and what is wrong with it",
            ),
            (
                "gradcli check specs/quickstart.yaml --self-test",
                "mistakes planted on purpose, to see that the check can fail",
            ),
        ),
        see=("relative-error", "grades", "central-difference", "complex-step", "subgradient"),
        references=("griewank2008",),
    ),
    Concept(
        name="relative-error",
        title="Relative error",
        area="numeric check",
        text="""
            The difference of two numbers over the larger of their sizes: 0 for equal ones, at
            most 2.

            It does not depend on the scale of the loss. Where both numbers are zero it is counted
            as zero; where the true gradient is zero and both are rounding noise it means nothing,
            and such entries are passed as below resolution and not graded.
            """,
        formulas=("|analytic − numeric| / max(|analytic|, |numeric|)",),
        see=("grades", "gradient-check"),
    ),
    Concept(
        name="grades",
        title="Grades of a check",
        area="numeric check",
        aliases=("grade", "excellent", "good", "acceptable", "likely-bug", "tolerance"),
        text="""
            Four words for the largest relative error of a tensor.

            `--require` sets the worst that passes: good by default, acceptable in float32, or a
            number of your own. An error that is certain and yet within the grade gets a warning,
            GC113.
            """,
        formulas=(
            "excellent: below 1e-7",
            "good: below 1e-5",
            "acceptable: below 1e-3",
            "likely bug: 1e-3 and above",
        ),
        offers=(
            (
                "gradcli check specs/quickstart.yaml --require excellent",
                "a check that only the best grade passes",
            ),
        ),
        see=("relative-error", "GC113", "gradient-check"),
    ),
    Concept(
        name="forward-difference",
        title="Forward difference",
        area="numeric check",
        aliases=("one-sided difference",),
        text="""
            A slope from two values, at the point and one step beside it.

            What the series leaves out makes an error proportional to the step h, and the rounding
            of the values one proportional to 1/h. At the best step about half of the digits are
            left: some 1e-8 in float64.
            """,
        formulas=(
            "f'(x) ≈ (f(x + h) − f(x))/h",
            "error ≈ h/2·|f''| + 2ε·|f|/h",
            "best h = 2·√(ε·|f|/|f''|)",
        ),
        offers=(
            (
                "gradcli check specs/quickstart.yaml --oracle forward --require acceptable",
                "a check by forward differences alone",
            ),
        ),
        see=("central-difference", "step-size", "rounding-error"),
        references=("press2007",),
    ),
    Concept(
        name="central-difference",
        title="Central difference",
        area="numeric check",
        aliases=("finite difference", "numerical gradient", "two-sided difference"),
        text="""
            A slope from two values, one step to either side of the point.

            The error falls with the square of the step h, since the second derivatives of both
            sides cancel; rounding adds one proportional to 1/h. At the best step about two thirds
            of the digits are left: some 1e-11 in float64. Across a kink it measures the mean of
            both slopes.
            """,
        formulas=(
            "f'(x) ≈ (f(x + h) − f(x − h))/(2h)",
            "error ≈ h²/6·|f'''| + ε·|f|/h",
            "best h = (3ε·|f|/|f'''|)^(1/3)",
        ),
        offers=(
            (
                "gradcli check specs/quickstart.yaml --oracle central --step 1e-5",
                "a check by central differences with a step of your own",
            ),
        ),
        see=("forward-difference", "step-size", "extrapolation"),
        references=("press2007",),
    ),
    Concept(
        name="step-size",
        title="Step size of a difference",
        area="numeric check",
        aliases=("step", "optimal step", "truncation error"),
        text="""
            The distance h between the points of a difference, which trades one error for another.

            Large steps see the curve of the function (truncation), small ones the last digits of
            its values (rounding). On logarithmic axes the error over h is a V; its lowest point
            lies near √ε for forward and near ε^(1/3) for central differences if function and
            derivatives are of size one: 1.5e-8 and 6e-6 in float64, 3e-4 and 5e-3 in float32.
            With other scales it lies elsewhere, and for each entry of a gradient somewhere else.

            gradcli therefore uses no fixed step: it walks a ladder of steps, extrapolates, and
            measures the noise; its own operations are differentiated by the complex step, which
            has no such trade.
            """,
        formulas=(
            "forward: error ~ h + ε/h, best h ~ ε^(1/2), error then ~ ε^(1/2)",
            "central: error ~ h² + ε/h, best h ~ ε^(1/3), error then ~ ε^(2/3)",
        ),
        offers=(
            (
                "gradcli explain step-size specs/quickstart.yaml",
                "measures that error on a spec and draws it over the step",
            ),
            (
                "gradcli check specs/quickstart.yaml --oracle central --step 1e-3",
                "too large a step: compare with 1e-5 and 1e-9",
            ),
        ),
        see=("forward-difference", "central-difference", "complex-step", "rounding-error"),
        references=("press2007",),
    ),
    Concept(
        name="complex-step",
        title="Complex step",
        area="numeric check",
        text="""
            A derivative from the imaginary part of one value at a point beside the real axis.

            Nothing is subtracted, so that the step may be tiny (1e-20) and the derivative is
            exact to rounding. The function has to be analytic as a program: abs, maximum,
            comparisons and casts to real numbers break it silently. gradcli's operations are
            written so that it holds, and the ladder of real differences cross-checks it.
            """,
        formulas=("f'(x) = Im f(x + i·h)/h + O(h²)",),
        offers=(
            (
                "gradcli check specs/quickstart.yaml --oracle complex --require excellent",
                "a check by complex steps alone",
            ),
        ),
        see=("step-size", "forward-mode"),
        references=("squire1998",),
    ),
    Concept(
        name="extrapolation",
        title="Extrapolation of differences",
        area="numeric check",
        aliases=("richardson extrapolation", "neville", "ladder"),
        text="""
            Differences at several steps combined so that their leading errors cancel.

            Central differences at h and h/4 have errors of 16 : 1, from which both can be
            corrected; repeated over a ladder of steps this gives many more digits than any one
            step. What neighbouring estimates disagree by is a measure of the error that is left.
            """,
        formulas=("(16·D(h/4) − D(h))/15 has an error of order h⁴",),
        offers=(
            (
                "gradcli check specs/quickstart.yaml --oracle ladder",
                "a check by extrapolated differences alone",
            ),
        ),
        see=("central-difference", "step-size"),
        references=("richardson1911", "press2007"),
    ),
    Concept(
        name="rounding-error",
        title="Rounding error",
        area="numeric check",
        aliases=("machine epsilon", "cancellation", "precision", "numerical stability"),
        text="""
            The relative error of storing a number in so many digits: ε is the spacing of numbers
            beside 1.

            A difference of two nearly equal values keeps the error and loses the digits: that is
            cancellation, and why a difference quotient is worth far less than the values
            themselves. A formula is stable where no such difference occurs: log(1 + exp(x))
            overflows beyond 710, maximum(x, 0) + log1p(exp(-abs(x))) never does.
            """,
        formulas=(
            "ε = 2.2e-16 in float64, 1.2e-7 in float32, 9.8e-4 in float16, 7.8e-3 in bfloat16",
        ),
        see=("step-size", "GC112", "mixed-precision"),
        references=("higham2002",),
    ),
)
