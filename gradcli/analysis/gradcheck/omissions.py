"""Kinds of mistakes that leave out a part of the true gradient: rows of the batch, or a term."""

from __future__ import annotations

import numpy as np

from gradcli.analysis.gradcheck.mismatch import Diagnosis, Mismatch

__all__ = ["missing_batch_sum", "missing_term"]


def missing_batch_sum(case: Mismatch) -> Diagnosis | None:
    """The claim is what one row alone contributes to entries that several contribute to."""
    by_row = case.by_row
    if by_row is None or by_row.count < 2:
        return None
    for row in by_row.suspects():
        alone = by_row.of(row)
        if case.explains(alone) and np.count_nonzero(alone[case.wrong]) > case.wrong.sum() / 2:
            message = (
                f"the gradient is that of row {row} alone: the sum over the {by_row.count} rows of "
                "the batch is missing"
            )
            return Diagnosis("GC106", message, {"row": row, "rows": by_row.count})
    return None


def missing_term(case: Mismatch) -> Diagnosis | None:
    """The claim is the true gradient without one of the parts it is the sum of."""
    for part in case.contributions():
        if case.explains(case.n - part.values):
            return Diagnosis("GC111", part.message, {"missing": part.part})
    return None
