"""Which examples a run sees, and in which order."""

from __future__ import annotations

from math import gcd, lcm, prod

import numpy as np

from gradcli.core.arrays import Array
from gradcli.engine.model import Model, generator
from gradcli.errors import UsageError
from gradcli.spec.plan import LossPlan

__all__ = ["Batches"]


class Batches:
    """The rows of each batch, by its number: a function of the seed, whatever came before.

    Rows that a loss reads together, such as a pair, stay together. Where a loss mines its triples,
    the two rows of such a group are of one class, and a batch has two classes at least, so that
    there are both positives and negatives; groups of the largest classes that would be alone with
    their own are left out of a pass.
    """

    def __init__(self, model: Model, size: int | None, seed: int) -> None:
        """Raises UsageError where a batch of `size` (None: all rows) cannot be made."""
        assert model.plan.inputs is not None
        self.rows = model.plan.inputs.shape[0]
        self.seed = seed
        self.size = self.rows if size is None else min(size, self.rows)
        self.classes = _classes(model)
        if self.classes is not None and len(self.classes) > self.rows:
            if not self.whole:
                raise UsageError(
                    f"batch: the loss mines among {len(self.classes) // self.rows} rows of each of "
                    "the inputs'; write all"
                )
            self.classes = None
        self.group = 2 if self.classes is not None else _group(model)
        if self.size % self.group and self.size < self.rows:
            raise UsageError(
                f"batch: the loss reads rows in groups of {self.group}; {self.size} is no multiple"
            )
        if self.classes is not None and self.size < 4:
            raise UsageError("batch: mining needs at least two rows of each of two classes, so 4")
        self.a_pass = self._a_pass()
        """Batches in one pass over the data."""

    def _a_pass(self) -> int:
        if self.classes is None or self.whole:
            return self.rows // self.size
        pairs = [int(count) // 2 for count in np.unique(self.classes, return_counts=True)[1]]
        others = sum(pairs) - max(pairs)
        if not others:
            raise UsageError("batch: two rows of each of two classes are needed; write all")
        return max(1, min(2 * sum(pairs) // self.size, others))

    @property
    def whole(self) -> bool:
        """Whether a batch is all of the data."""
        return self.size == self.rows

    def at(self, number: int) -> Array:
        """The rows of the batch of this number, counted from 0."""
        if self.whole:
            return np.arange(self.rows)
        passes, position = divmod(number, self.a_pass)
        order = self._order(generator(self.seed, f"order of pass {passes}"))
        return order[position * self.size : (position + 1) * self.size]

    def drawn(self, number: int, weights: Array) -> Array:
        """Rows drawn with chances in proportion to their weights, each once where there are enough.

        Only where rows do not belong together.
        """
        assert self.group == 1
        rng = generator(self.seed, f"batch {number}")
        enough = int(np.count_nonzero(weights)) >= self.size
        chances = weights / weights.sum()
        return np.sort(rng.choice(self.rows, self.size, replace=not enough, p=chances))

    def _order(self, rng: np.random.Generator) -> Array:
        if self.classes is None:
            groups = rng.permutation(self.rows // self.group)
            return np.asarray(groups[:, None] * self.group + np.arange(self.group)).ravel()
        return _dealt(self.classes, self.a_pass, self.size // 2, rng)


def _group(model: Model) -> int:
    """How many rows of the inputs the losses read together; each may be several of theirs."""
    sizes = [
        together // gcd(together, _rows_of_one(model, each))
        for each in model.plan.losses
        if (together := len(each.op.rows_at(each.options))) > 1
    ]
    return lcm(*sizes)


def _rows_of_one(model: Model, loss: LossPlan) -> int:
    """How many rows a loss reads for one of the inputs'."""
    shape = model.network.slot_shape(loss.slot)
    return prod(shape[1:-1])


def _classes(model: Model) -> Array | None:
    """The classes of the rows, where a loss mines by them."""
    for each in model.plan.losses:
        if each.op.reads_at(each.options) == "identities" and each.target is not None:
            return np.asarray(model.targets[each.target]).ravel()
    return None


def _dealt(classes: Array, batches: int, pairs: int, rng: np.random.Generator) -> Array:
    """Rows for so many batches of so many pairs of one class, the classes dealt round.

    What is too much is taken from the largest classes. As long as there are as many pairs outside
    the largest as there are batches, each gets one of them.
    """
    own = []
    for each in rng.permutation(np.unique(classes)):
        rows = rng.permutation(np.flatnonzero(classes == each))
        own.append(rows[: len(rows) // 2 * 2].reshape(-1, 2))
    counts = np.array([len(each) for each in own])
    pairs = min(pairs, int(counts.sum()) // batches)
    while counts.sum() > batches * pairs:
        counts[counts.argmax()] -= 1
    stack = np.concatenate([each[:count] for each, count in zip(own, counts, strict=True)])
    hands = stack.reshape(pairs, batches, 2).swapaxes(0, 1)
    return np.asarray(hands[rng.permutation(batches)]).ravel()
