"""The summands of a loss: their values, and what their pullbacks add to the cotangents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.record import Record
from gradcli.spec.plan import LossPlan

__all__ = ["LossValue", "Summand", "add_to", "loss_pullback", "term_pullback"]

Key = TypeVar("Key", int, str)


class LossValue(Record):
    """Total loss (replicas,) and its pullback.

    `pullback()` gives the cotangents of the slots the loss reads and of the parameters.
    """

    total: Array
    pullback: Callable[[], tuple[dict[int, Array], dict[str, Array]]]


class Summand(Record):
    """One loss of the whole: `share` times the sum of its values over `own_axes`.

    `pull` is the pullback of the values.
    """

    values: Array
    own_axes: tuple[int, ...]
    share: Any
    pull: Callable[[Array], tuple[Array, ...]]

    @property
    def total(self) -> Array:
        return np.asarray(self.values.sum(axis=self.own_axes) * self.share)

    @property
    def by_row(self) -> Array:
        """What each row contributes, for a loss that takes rows one by one."""
        return np.asarray(self.values.sum(axis=self.own_axes[1:]) * self.share)


def add_to(cotangents: dict[Key, Array], key: Key, value: Array) -> None:
    """Add a cotangent to those of a slot or a parameter, which is there already or not."""
    known = cotangents.get(key)
    cotangents[key] = value if known is None else known + value


def loss_pullback(
    loss: LossPlan, summand: Summand, rounded: Callable[[Array], Array]
) -> Callable[[dict[int, Array], dict[str, Array]], None]:
    """Adds a loss's cotangents to those of slots and parameters; `rounded` nudges its seed."""
    values = summand.values

    def add(seeds: dict[int, Array], gradients: dict[str, Array]) -> None:
        shares = rounded(np.full(values.shape, summand.share, values.dtype))
        dp, *dlearned = summand.pull(shares)
        add_to(seeds, loss.slot, dp)
        for full, cotangent in zip(loss.learned, dlearned, strict=True):
            add_to(gradients, full, cotangent)

    return add


def term_pullback(
    name: str, pull: Callable[[Array], Array], values: Array, weight: Array
) -> Callable[[dict[int, Array], dict[str, Array]], None]:
    """Adds a penalty's cotangent to those of the parameters."""

    def add(seeds: dict[int, Array], gradients: dict[str, Array]) -> None:
        add_to(gradients, name, pull(np.full(values.shape, weight, values.dtype)))

    return add
