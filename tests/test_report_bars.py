"""Rows of bars: every value has its height, and what is no number is seen."""

from __future__ import annotations

import math

from gradcli.report.bars import bars, decades


def test_bars_rise_with_their_shares() -> None:
    assert bars([i / 7.99 for i in range(8)]) == "▁▂▃▄▅▆▇█"
    assert bars([-1.0, 0.0, 1.0, 2.0]) == "▁▁██"
    assert bars([0.0, math.nan, math.inf]) == "▁××"


def test_decades_span_what_there_is() -> None:
    assert decades([1e-8, 1e-4, 1.0], 3) == "▁▅█"
    assert decades([1.0, 1.0001, 1.0], 3) == "▁▁▁"  # what hardly changes is level
    assert decades([1.0, 0.0, 100.0, math.nan], 4) == "▁ █×"
    assert decades([1.0] * 8 + [1e6] * 8, 4) == "▁▁██"
    assert decades([0.0, 0.0], 2) == ""
