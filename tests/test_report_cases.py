"""Cases of a check: one is red exactly where the exit code is not 0, and no error is left out."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, Final

import pytest
import python_layers
from corpus import check as check_function
from corpus.planted import PLANTED
from layer_specs import PLACES, layer
from layer_specs import check as check_layer

import gradcli
from gradcli.analysis.gradcheck.report import CheckReport
from gradcli.report.check_cases import cases

ROOT: Final = Path(__file__).parent.parent
WAYS: Final = re.findall(r'(?:case|self.how ==) "(.*?)"', inspect.getsource(python_layers.Wrong))
"""What a layer can have wrong with its gradients, or do that it must not."""

EXPECTED: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"expect": "fail"},
    {"expect": {"check": "GC005"}},
    {"check": {"skip": ["mine", "mine.*"]}},
)


def hold(report: CheckReport) -> None:
    """Every result's cases are red as its exit code is, and tell every error."""
    for result in report.results:
        found = cases(result)
        assert any(case.is_red for case in found) == (result.exit_code != 0), report
        assert len({(case.name, case.subject) for case in found}) == len(found)
        told = "\n".join(f"{case.text}\n{case.notes}" for case in found)
        for each in result.findings:
            assert each.severity != "error" or each.message in told, each


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("at", range(len(WAYS)))
def test_layers_with_one_thing_wrong(at: int, place: str) -> None:
    """Each with one of the expectations in turn."""
    spec = PLACES[place](layer("Wrong", how=WAYS[at]))
    hold(check_layer({**spec, **EXPECTED[at % len(EXPECTED)]}))


@pytest.mark.parametrize("name", list(PLANTED)[::5])
def test_functions_with_planted_mistakes(name: str) -> None:
    case = PLANTED[name]
    hold(check_function(case.fun, case.wrong, case.point, case.vector))


def test_specs_with_every_outcome() -> None:
    hold(gradcli.check(ROOT / "specs" / "course-notes"))


def test_a_case_that_is_left_out_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plant: every case but the red ones."""
    report = gradcli.gradcheck(lambda x: x**2, lambda x: 3 * x, 2.0)
    hold(report)
    real = cases
    green = lambda result: [case for case in real(result) if not case.is_red]  # noqa: E731
    monkeypatch.setitem(globals(), "cases", green)
    with pytest.raises(AssertionError):
        hold(report)
