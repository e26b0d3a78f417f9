"""The gates of a recurrent layer: which of them hands the state on, and how far they are open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from gradcli.analysis.flow.report import Gate
from gradcli.core.steps import Step

__all__ = ["KEEPING", "gates_of"]

KEEPING: Final = {"lstm": "forget", "gru": "update"}
"""The gate that hands the state on, the second of each layer's."""


def gates_of(steps: Sequence[Step]) -> tuple[Gate, ...]:
    """Each gate over all steps, units and examples."""
    names = dict.fromkeys(name for step in steps for name in step.gates)
    found = []
    for name in names:
        openings = np.stack([step.gates[name] for step in steps]).astype(float)
        found.append(
            Gate(
                name,
                float(openings.mean()),
                float(np.mean(openings < 0.1)),
                float(np.mean(openings > 0.9)),
            )
        )
    return tuple(found)
