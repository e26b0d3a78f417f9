"""What tests of `gradcli loss` share."""

from __future__ import annotations

import pytest

from gradcli.analysis.losses import LossReport, LossResult

without_claims = pytest.mark.usefixtures("unclaimed")


def only(report: LossReport) -> LossResult:
    """The one result of a report."""
    (result,) = report.results
    return result
