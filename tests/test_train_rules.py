"""Each rule on runs written by hand, on either side of the threshold that its text states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from training_runs import layer, steps

from gradcli.analysis.flow.units import Shares
from gradcli.analysis.training.breakdown import Breakdown, Underflow
from gradcli.analysis.training.embeddings import Embeddings
from gradcli.analysis.training.findings import Told, findings_of
from gradcli.analysis.training.report import CheckedStep, ClipStep, Step
from gradcli.analysis.training.score import Score
from gradcli.analysis.training.tasks import TaskStep
from gradcli.diagnostics.finding import Finding


def told(run: Sequence[Step], first: float = 1.0, last: float = 0.5, **known: Any) -> Told:
    return Told(**{"file": "net.yaml", "steps": run, "checks": (), "breakdown": None,
                   "underflow": None, "clips": "norm 1", "first": Score(first, None, {}),
                   "last": Score(last, None, {}), **known})  # fmt: skip


def found(run: Told, code: str) -> Finding | None:
    """The one finding of this code; none where there is none."""
    those = [each for each in findings_of(run)[0] if each.code == code]
    assert len(those) <= 1
    return those[0] if those else None


SIZES = (1.0, 8.0, 0.125)
"""Whatever the loss is measured in, the same is said of it."""


def test_of_a_run_that_learns_there_is_nothing_to_say() -> None:
    assert findings_of(told(steps([1.0, 0.9, 0.8]))) == ((), "learning")


@pytest.mark.parametrize(
    ("losses", "last", "since"),
    [
        ([1.0, 5.0, 11.1, 12.0, 13.0], 13.0, 2),  # eleven times the first, three steps in a row
        ([1.0, 5.0, 11.0, 12.0, 13.0], 13.0, None),
        ([1.0, 5.0, 11.1, 12.0, 13.0], 11.0, None),  # not on all data
        ([1.0, 12.0, 1.0, 12.0, 12.0, 12.0], 13.0, 3),
        ([-1.0, 5.0, 9.1, 9.2, 9.3], 9.5, 2),  # ten times its size above it
        ([-1.0, 5.0, 8.9, 9.2, 9.3], 9.5, None),
        ([1.0] * 11 + [2.5, 1.0, 12.0, 12.0, 12.0], 12.0, 13),
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_divergence(losses: list[float], last: float, since: int | None, size: float) -> None:
    run = told(steps([size * loss for loss in losses]), size * losses[0], size * last)
    finding = found(run, "GT102")
    assert (finding and finding.data["step"]) == since
    assert (findings_of(run)[1] == "diverged") is (since is not None)


@pytest.mark.parametrize("most", [0.9, math.inf, math.nan])
def test_divergence_names_the_layer_that_changes_most(most: float) -> None:
    layers = (layer(update_ratio=0.8), layer(name="dense_2", update_ratio=most))
    run = told(steps([1.0, 1.0, 12.0, 12.0, 12.0], layers=[layers] * 5), last=12.0)
    finding = found(run, "GT102")
    assert finding is not None
    assert finding.where == "dense_2"


def test_what_follows_divergence_is_no_spike() -> None:
    run = told(steps([1.0] * 11 + [2.5, 1.0, 12.0, 12.0, 12.0]), last=12.0)
    diverged, spike = found(run, "GT102"), found(run, "GT103")
    assert diverged is not None
    assert spike is not None
    assert (diverged.data["step"], spike.data["steps"]) == (13, [12])


@pytest.mark.parametrize(("ratio", "verdict"), [(1.0, "non-finite"), (1.1, "diverged")])
def test_no_numbers_are_divergence_where_the_weights_were_left_behind(
    ratio: float, verdict: str
) -> None:
    layers = [(layer(update_ratio=0.01),), (layer(update_ratio=ratio),), (layer(),)]
    run = steps([1.0, 1.0, math.nan], layers=layers)
    ended = told(run, last=math.nan, breakdown=Breakdown(3, "dense_1", "backward"))
    assert findings_of(ended)[1] == verdict
    finding = found(ended, "GT101")
    assert finding is not None
    assert finding.message == "its gradient is no longer finite at step 3; the run ends there"


@pytest.mark.parametrize("more", [0, 2])
def test_a_spike_and_how_many_more(more: int) -> None:
    """The one at step 12 is the worst: twice the median of those before, and a little."""
    losses = [1.0] * 24
    losses[11] = 2.2
    for index in range(more):
        losses[14 + 3 * index] = 2.1
    layers = [(layer(), layer(name="dense_2", gradient_norm=7.0 if at == 11 else 2.0))
              for at in range(24)]  # fmt: skip
    finding = found(told(steps(losses, layers=layers)), "GT103")
    assert finding is not None
    assert finding.where == "dense_2"
    assert finding.data == {"steps": [12, 15, 18][: 1 + more], "loss": 2.2}
    assert ("at step 12, and 2 more;" if more else "at step 12;") in finding.message
    assert "3.5 times" in finding.message


@pytest.mark.parametrize(
    ("losses", "seen"),
    [
        ([1.0] * 10 + [2.01], True),
        ([1.0] * 10 + [1.99], False),
        ([1.0] * 9 + [2.01], False),  # ten have to be there to compare with
        ([0.8, 1.2] * 5 + [2.7], True),  # 1 ± 0.2: eight deviations lead to 2.6
        ([0.8, 1.2] * 5 + [2.5], False),
        ([9.0] * 10 + [1.0] * 20 + [2.01], True),  # of the last twenty alone
        ([-1.0] * 10 + [5.0], False),  # "twice" says nothing of what is below zero
        ([1.0] * 10 + [math.inf], False),
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_what_a_spike_is(losses: list[float], seen: bool, size: float) -> None:
    run = steps([size * loss for loss in losses])
    assert (found(told(run), "GT103") is not None) is seen


@pytest.mark.parametrize(
    ("first", "last", "length", "codes", "verdict"),
    [
        (1.0, 1.021, 5, {"GT114"}, "rising"),
        (1.0, 1.019, 5, set(), "learning"),
        (-1.0, -0.979, 5, {"GT114"}, "rising"),
        (1.0, 0.981, 40, {"GT104"}, "plateau"),
        (1.0, 1.019, 40, {"GT104"}, "plateau"),
        (1.0, 0.981, 39, set(), "learning"),
        (1.0, 0.979, 40, {"GT113"}, "learning"),
        (1.0, 1.021, 40, {"GT114"}, "rising"),
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_what_is_gained_on_all_data(
    first: float, last: float, length: int, codes: set[str], verdict: str, size: float
) -> None:
    run = told(steps([size] * length), size * first, size * last)
    findings, amounts_to = findings_of(run)
    assert {each.code for each in findings} == codes
    assert amounts_to == verdict


@pytest.mark.parametrize(
    ("steep", "flat", "since"),
    [
        (39, 21, 40),
        (42, 18, None),  # twenty steps it has to be,
        (165, 55, 166),  # or a quarter of all
        (176, 44, None),
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_a_loss_that_settles_is_dated(
    steep: int, flat: int, since: int | None, size: float
) -> None:
    """It falls by a twentieth a step, and is level at the end; windows are a twentieth long."""
    losses = [20.0 - 0.05 * at for at in range(steep)]
    run = steps([size * loss for loss in (*losses, *[losses[-1] - 0.05] * flat)])
    finding = found(told(run, size, size / 2), "GT113")
    assert (finding and finding.data["from"]) == since


@pytest.mark.parametrize(("ratio", "seen"), [(0.11, True), (0.09, False)])
def test_large_updates(ratio: float, seen: bool) -> None:
    """The first step is not counted, nor are steps that were refused, nor weights of zero."""
    ratios = [9.0, *[0.01] * 4, *[ratio] * 5]
    layers = [(layer(update_ratio=each),) for each in ratios]
    run = steps([1.0] * 10, layers=layers)
    assert (found(told(run), "GT106") is not None) is seen
    assert found(told(run[:9]), "GT106") is None
    refused = steps([1.0] * 10, layers=layers, skipped=[False] * 9 + [True])
    assert found(told(refused), "GT106") is None
    zero = [(layer(update_ratio=each, weight_norm=0.0),) for each in ratios]
    assert found(told(steps([1.0] * 10, layers=zero)), "GT106") is None


@pytest.mark.parametrize(("after", "seen"), [(0.5, True), (0.4, False)])
@pytest.mark.parametrize("kind", ["dead", "saturated"])
def test_units_lost(kind: str, after: float, seen: bool) -> None:
    """Counted on all data, and dated by the batches."""
    first, last = (Score(1.0, None, {"dense_1": Shares(**{"dead": 0.25, "saturated": 0.25, **own})})
                   for own in ({}, {kind: after}))  # fmt: skip
    for shares, since in (((0.25, 0.5, 0.25, 0.5, 0.5), 4), ((0.25, 0.5, 0.25, 0.5, 0.25), 5)):
        layers = [(layer(**{kind: share}),) for share in shares]
        run = told(steps([1.0] * 5, layers=layers)).replace(first=first, last=last)
        finding = found(run, "GT107")
        assert (finding is not None) is seen
        if finding is not None:
            assert finding.data == {"kind": kind, "before": 0.25, "after": 0.5, "step": since}


@pytest.mark.parametrize(("lost", "seen"), [(0.051, True), (0.049, False)])
def test_underflow(lost: float, seen: bool) -> None:
    run = told(steps([1.0]), underflow=Underflow(1, lost, "dense_1", 2.0**9))
    finding = found(run, "GT108")
    assert (finding is not None) is seen
    if finding is not None:
        assert "a loss scale of 2^9 " in finding.message


@pytest.mark.parametrize(
    ("cosines", "share"),
    [
        ([-0.5, -0.5, 0.5], "67%"),
        ([-0.5, 0.5], None),  # not more than half
        ([-0.5, math.nan, math.nan], "100%"),  # of those that are known
        ([0.0, 0.0, 0.0], None),
        ([math.nan], None),
    ],
)
def test_conflict(cosines: list[float], share: str | None) -> None:
    tasks = [
        (TaskStep("a", 1.0, 1.0, 1.0, {"b": cosine}), TaskStep("b", 1.0, 1.0, 1.0, {"a": cosine}))
        for cosine in cosines
    ]
    finding = found(told(steps([1.0] * len(cosines), tasks=tasks)), "GT109")
    assert (finding is not None) is (share is not None)
    if finding is not None:
        assert f"in {share} of the steps" in finding.message


@pytest.mark.parametrize(
    ("active", "since"),
    [
        ([0.5] * 3 + [0.0] * 10, 4),
        ([0.5] * 3 + [0.0] * 12, 4),
        ([0.0] * 10, 1),
        ([0.5] * 3 + [0.0] * 9, None),
        ([0.0] * 9 + [0.5], None),
    ],
)
def test_nothing_active(active: list[float], since: int | None) -> None:
    embeddings = [Embeddings(share, None, 1.0) for share in active]
    finding = found(told(steps([1.0] * len(active), embeddings=embeddings)), "GT110")
    assert (finding and finding.data["step"]) == since


@pytest.mark.parametrize(
    ("spreads", "active", "since"),
    [
        ([1.0, 0.04, 0.06, 0.04], 0.6, 2),
        ([1.0, 0.04], 0.5, None),  # as many triplets outside the margin as inside
        ([1.0, 0.06], 0.6, None),
        ([1.0], 0.6, None),
    ],
)
def test_collapse(spreads: list[float], active: float, since: int | None) -> None:
    embeddings = [Embeddings(active, None, 3 * spread) for spread in spreads]
    finding = found(told(steps([1.0] * len(spreads), embeddings=embeddings)), "GT111")
    assert (finding and finding.data["step"]) == since


@pytest.mark.parametrize(("cut", "seen"), [(3, True), (2, False)])
def test_clipping(cut: int, seen: bool) -> None:
    """More than half of four steps, and by how much: the median of those that are cut."""
    factors = [0.1, 0.2, 0.4][:cut] + [1.0] * (4 - cut)
    clips = [ClipStep(factor, 1.0, 1.0, 1.0) for factor in factors]
    finding = found(told(steps([1.0] * 4, clip=clips)), "GT105")
    assert (finding is not None) is seen
    if finding is not None:
        assert finding.data == {"clipped": 3, "of": 4, "factor": 0.2}


def test_a_check_that_fails_on_the_way() -> None:
    passed, failed = CheckedStep(5, "pass", 1e-9, ()), CheckedStep(10, "fail", 0.5, ("dense_1.w",))
    finding = found(told(steps([1.0] * 10), checks=(passed, failed)), "GT112")
    assert finding is not None
    assert finding.where == "dense_1.w"
    assert finding.file == "net.yaml"
    assert "after step 10: relative error 0.5" in finding.message
