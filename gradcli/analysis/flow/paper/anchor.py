"""What is published, and the networks on which it is measured again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gradcli.analysis.flow.paper.draw import Draw, Size
from gradcli.analysis.flow.paper.reading import Reading
from gradcli.core.record import Record

__all__ = ["Anchor", "Experiment", "Spec", "dense", "few_units", "stacked"]

Spec = dict[str, Any]


Leeway = Callable[[Size], float]


def few_units(part: float) -> Leeway:
    """What a number is off in networks of finite width n, so many times 1/n."""
    return lambda size: part / size.width


_nothing: Final = few_units(0.0)


class Anchor(Record, kw_only=True):
    """One published number, and where the same number comes from here.

    `published` is the number as it is written: its last digit says how exact it is. `source` says
    by whom, `references` are keys of `gradcli.core.references`.
    `measured` is what networks show. `leeway` widens its band by what theory, which is for endless
    networks, leaves open at this size.
    `theory` computes the number, which has to be the published one to its last digit, but for what
    `theory_leeway` leaves open; with `drawn`, which is for a number of a single draw, it has to lie
    within the band instead. `note` is what else there is to say.
    """

    name: str
    quantity: str
    published: str
    source: str
    references: tuple[str, ...] = ()
    measured: Reading | None = None
    leeway: Leeway = _nothing
    theory: Callable[[Draw], float] | None = None
    theory_leeway: Leeway = _nothing
    drawn: bool = False
    note: str = ""


class Experiment(Record, kw_only=True):
    """A network, of which so many are drawn, with everything that is published of it."""

    network: str
    spec: Callable[[Size], Mapping[str, Any]]
    size: Size
    draws: int
    anchors: tuple[Anchor, ...]

    @property
    def cost(self) -> int:
        """Multiply-adds of its products of matrices, forward and back; a weight is drawn as well,
        which takes the time of 32 of them.
        """
        depth, width, batch = self.size
        return self.draws * depth * width**2 * (3 * batch + 32)


def stacked(size: Size, *layers: Any) -> Spec:
    """The spec of these layers, as often as the network is deep, and a linear head."""
    return {
        "gradcli": 1,
        "data": {"inputs": {"shape": [size.batch, size.width]}, "targets": "auto"},
        "network": [
            {"repeat": {"times": size.depth, "layers": list(layers)}},
            {"dense": {"units": 1, "name": "head"}},
        ],
        "loss": "mse",
    }


def dense(size: Size, variance: float, bias_variance: float = 0.0) -> Spec:
    """A layer whose weights have this variance over the width, σ_w², and biases with σ_b²."""
    entry: Spec = {"units": size.width, "init": {"normal": (variance / size.width) ** 0.5}}
    if bias_variance:
        entry["bias_init"] = {"normal": bias_variance**0.5}
    return {"dense": entry}
