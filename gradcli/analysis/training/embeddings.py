"""Embeddings that a loss compares: which triplets still teach anything, how far they spread."""

from __future__ import annotations

import numpy as np

from gradcli.analysis.training.passes import Pass
from gradcli.core.arrays import Array, Parameters
from gradcli.core.record import Record
from gradcli.spec.plan import LossPlan

__all__ = ["Embeddings", "embeddings_at"]


class Embeddings(Record):
    """A batch of embeddings under a loss that compares rows.

    `active` is the share of its pairs or triplets whose value is not zero, `hardness` the mean of
    d(anchor, positive) - d(anchor, negative) in units of the margin (None for pairs), and `spread`
    the rms distance of the embeddings from their mean.
    """

    active: float
    hardness: float | None
    spread: float


def embeddings_at(done: Pass, parameters: Parameters) -> Embeddings | None:
    """Of the first loss that compares rows; None where there is none."""
    network = done.network
    for position, loss in enumerate(network.plan.losses):
        if loss.op.couples_rows:
            with np.errstate(all="ignore"):
                return _embeddings(done, position, loss, parameters)
    return None


def _embeddings(done: Pass, position: int, loss: LossPlan, parameters: Parameters) -> Embeddings:
    p = done.trace.slots[loss.slot]
    p = p.reshape(-1, p.shape[-1]).astype(np.float64)
    values, *_ = done.network.run_loss(position, loss, done.trace.slots, parameters)
    triples = _triples(done, loss.name, parameters, len(p), loss.op.rows_at(loss.options))
    spread = float(np.sqrt(np.square(p - p.mean(axis=0)).sum(axis=-1).mean()))
    hardness = None
    if triples is not None and len(triples):
        squared = loss.options.get("distance") == "squared"
        margin = float(loss.options.get("margin", 1.0))
        hardness = _lead(p, triples, squared=squared) / margin
    return Embeddings(float(np.mean(values > 0)), hardness, spread)


def _triples(
    done: Pass, name: str, parameters: Parameters, rows: int, together: tuple[str, ...]
) -> Array | None:
    """Rows of anchors, positives and negatives (triples, 3); None for pairs."""
    if len(together) == 3:
        return np.arange(rows).reshape(-1, 3)
    mined = done.network.details(done.trace.slots, parameters).get(name, {}).get("triples")
    return None if mined is None else np.asarray(mined, int).reshape(-1, 3)


def _lead(p: Array, triples: Array, *, squared: bool) -> float:
    anchor, positive, negative = (p[triples[:, role]] for role in range(3))
    near = np.square(anchor - positive).sum(axis=-1)
    far = np.square(anchor - negative).sum(axis=-1)
    return float(np.mean(near - far if squared else np.sqrt(near) - np.sqrt(far)))
