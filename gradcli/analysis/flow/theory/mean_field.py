"""What theory says of a network, as the report holds it."""

from __future__ import annotations

from dataclasses import dataclass

from gradcli.analysis.facts import Facts

__all__ = ["MeanField"]


@dataclass(frozen=True)
class MeanField(Facts):
    """What mean-field theory expects of the network; None for what it does not say.

    `log10_total` is the expected total, layer by layer, and `z_score` how far the measured one is
    from it, in standard deviations of a draw together with what finite width leaves open. `q` and
    `chi` are the variance of the pre-activations and the factor on the squared gradient to which
    the network's last layer tends where it is repeated for ever, `depth_scale` = 1/|ln χ| the
    layers in which that changes a squared gradient by a factor e. `missing` says why nothing is
    expected.
    """

    chi: float | None = None
    q: float | None = None
    log10_total: float | None = None
    depth_scale: float | None = None
    z_score: float | None = None
    missing: str | None = None
