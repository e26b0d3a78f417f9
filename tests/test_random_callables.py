"""A fixed set of random compositions: none that is right fails, and no mistake goes unnoticed.

`python tests/random_callables.py` does the same with thousands, and prints the numbers.
"""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed, which the functions are of")

import random_callables as random  # noqa: E402  (needs PyTorch)

pytestmark = pytest.mark.torch

HARD = {
    275: "a sort whose kink is hidden in the noise",
    320: "stairs that are hidden under a slope",
    1017: "a tie of five in a sort",
    1384: "a function that is constant but for its rounding",
    1476: "stairs of an inner value, far above the rounding of the function",
    1514: "a root beside a function of a million",
    1532: "a step narrower than can be seen",
    1809: "kinks nearer than can be seen",
    1933: "a tie whose middle slope is twice what is claimed",
    2083: "a tie that ends before it can be seen",
    2304: "stairs wider than the argument is large",
    2667: "a bump beside a function of a million",
    3600: "a function rounded to zero all around",
    3831: "squares, sorted, below the noise",
    4939: "a tie at zero beside numbers of a million",
    5987: "stairs that one of two spacings sees",
    10335: "a function that is constant, beside a claim that is rounded to be nearly so",
    10500: "a dent far narrower than can be seen",
    10894: "shares of a tie that do not add up to one, as they are rounded",
    11735: "what is zero by arithmetic, and its rounding",
    11886: "stairs of a far larger entry",
}


def test_the_same_number_is_the_same_composition() -> None:
    one, other = (random.draw(7) for _ in range(2))
    assert (one.names, one.point.tolist()) == (other.names, other.point.tolist())
    assert one.value(one.point) == other.value(other.point)


@pytest.mark.parametrize("number", [*HARD, *range(10_000, 10_060)])
def test_a_right_gradient_passes_and_a_wrong_one_does_not(number: int) -> None:
    ((_, outcome),) = random.outcomes([number])
    assert outcome.right != "fail", outcome
    assert outcome.wrong != "unnoticed", outcome


@pytest.mark.parametrize("number", [10_218, 10_894, *range(10_000, 10_020)])
def test_so_it_is_in_float32(number: int) -> None:
    ((_, outcome),) = random.outcomes([number], "float32")
    assert outcome.right != "fail", outcome
    assert outcome.wrong != "unnoticed", outcome


def test_most_are_decided() -> None:
    right, wrong = [], []
    for _, outcome in random.outcomes(range(20_000, 20_040)):
        right.append(outcome.right)
        wrong.append(outcome.wrong)
    assert right.count("inconclusive") <= 4
    assert wrong.count("told") >= 20
