"""Two distributions compared, in words and numbers: shared by every rendering."""

from __future__ import annotations

import math
from typing import Final

from gradcli.analysis.losses.report import Comparison
from gradcli.report.characters import NOTHING
from gradcli.report.loss_claims import number

__all__ = ["HEADINGS", "share_rows", "sum_words"]

HEADINGS: Final = (
    "class", "target", "predicted", "log 1/predicted", "entropy", "cross-entropy", "divergence",
    "gradient",
)  # fmt: skip
"""Columns of the classes; the divergence is the cross-entropy without the entropy."""


def _figure(value: float) -> str:
    return NOTHING if math.isnan(value) else number(value)


def _in_nats(nats: float) -> str:
    if math.isinf(nats):
        return "infinite"
    return f"{number(nats)} nats ({number(nats / math.log(2))} bits)"


def share_rows(compared: Comparison) -> list[list[str]]:
    """A row for each class, and one of the sums."""
    rows = []
    for index, share in enumerate(compared.classes):
        columns = share.target, share.predicted, share.surprise
        shares = share.entropy, share.cross_entropy, share.divergence, share.gradient
        rows.append([str(index), *map(_figure, (*columns, *shares))])
    sums = compared.entropy, compared.cross_entropy, compared.divergence
    return [*rows, ["sum", "1", "1", "", *map(_figure, sums), ""]]


def sum_words(compared: Comparison, loss: str) -> list[tuple[str, str]]:
    """What the sums mean."""
    lines = [
        ("entropy", compared.entropy, "what the targets leave open to the best prediction"),
        ("cross-entropy", compared.cross_entropy, "what this prediction costs on average"),
        ("KL divergence", compared.divergence, "the difference, zero only where both are equal"),
    ]
    said = [(label, f"{_in_nats(nats)}: {meaning}") for label, nats, meaning in lines]
    return [*said, ("the loss itself", f"{number(compared.loss)} by {loss}")]
