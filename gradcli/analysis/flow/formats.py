"""What number formats hold of a signal, and what a network run in one of them would show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from gradcli.analysis.flow.report import LayerFlow, Plain, Precision
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding

__all__ = ["FORMATS", "format_findings", "plain_readings", "underflow"]

FORMATS: Final[Mapping[str, tuple[int, int]]] = {
    "float16": (-24, 16),
    "bfloat16": (-133, 128),
    "float32": (-149, 128),
    "float64": (-1074, 1024),
}
"""log2 of the smallest subnormal and of the first power of two that overflows."""


_PLAIN: Final = ("float32", "float64")
"""Formats in which networks are run without a loss scale, and their norms taken."""


def underflow(entries: Sequence[float]) -> dict[str, Precision]:
    """How each number format fares; `entries` are log10 of rms entries, from the input on."""
    bits = [entry / math.log10(2) for entry in entries]
    known = not any(math.isnan(entry) for entry in bits)
    found = {}
    for name, (smallest, overflow) in FORMATS.items():
        below = [back for back, entry in enumerate(reversed(bits)) if entry < smallest]
        scale = _loss_scale(min(bits) - smallest, overflow - max(bits)) if known else None
        found[name] = Precision(below[0] if below else None, scale)
    return found


def _loss_scale(above: float, below: float) -> float | None:
    """The power of two nearest to 1 that brings a signal into a format; None if none does.

    `above` is by how many bits its least entry is above the format's smallest number, `below` by
    how many its largest is below overflow.
    """
    at_least = -above if math.isfinite(above) else math.inf
    if at_least > below or not max(abs(above), abs(below)) < math.inf:
        return None
    lowest, highest = math.ceil(at_least), math.ceil(below) - 1
    shift = min(max(0, lowest), highest)
    return 2.0**shift if lowest <= shift < 1024 else None


def plain_readings(
    norms: Sequence[float], entries: Sequence[float], layers: Sequence[LayerFlow]
) -> dict[str, Plain]:
    """What the same pass shows where nothing is rescaled; log10 of norms and rms entries as above.

    A norm is the root of a sum of squares, which leave a format's range at half the decades at
    which the entries do.
    """
    bits = math.log10(2)
    found = {}
    for name in _PLAIN:
        smallest, overflow = FORMATS[name]
        zeros = (back for back, e in enumerate(reversed(entries)) if 2 * e / bits < smallest)
        infinite = (back for back, n in enumerate(reversed(norms)) if 2 * n / bits >= overflow)
        largest = 2.0 ** (overflow - 1) * 2  # infinite where the power itself would raise
        lost = (layer.name for layer in layers if layer.activation_rms >= largest)
        found[name] = Plain(next(zeros, None), next(infinite, None), next(lost, None))
    return found


def format_findings(
    entries: Sequence[float],
    formats: Mapping[str, Precision],
    places: Sequence[str],
    dtype: str,
    file: str,
) -> Iterator[Finding]:
    """Formats that a gradient that does arrive falls out of, with the loss scale that saves it.

    `places` are where the entries of the signal belong, the end that it reaches last first.
    """
    below = {name: each for name, each in formats.items() if each.layers is not None}
    if not below or not all(map(math.isfinite, entries)):
        return
    said, where = [], []
    for name, each in below.items():
        assert each.layers is not None
        where.append(places[-1 - each.layers])
        scale = (
            "no loss scale helps, since the signal spans more than the format"
            if each.loss_scale is None
            else f"a loss scale of 2^{round(math.log2(each.loss_scale))} saves it"
        )
        said.append(f"of {name} from {where[-1]} on ({scale})")
    yield finding(
        "GF113",
        where[0],
        "on its way back the typical entry of the gradient falls below the smallest number "
        + "; ".join(said),
        severity="warning" if dtype in below else "note",
        file=file,
        data={n: {"layers": e.layers, "loss_scale": e.loss_scale} for n, e in below.items()},
    )
