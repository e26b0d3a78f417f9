"""What an op claims of itself, in words: a label and a text for each claim."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from gradcli.report.loss_claims import CLAIM_LABELS, loss_claim_words, number

__all__ = ["claim_words"]

Words = tuple[str, str]


def claim_words(kind: str, claims: Mapping[str, Any]) -> list[Words]:
    """The claims of an op of this kind, one or several to a line."""
    if kind == "loss":
        return [(CLAIM_LABELS[field], text) for field, text in loss_claim_words(claims).items()]
    labels = _LABELS.get(kind, {}) if claims else {}
    return [(label, text) for label, say in labels.items() if (text := say(claims)) is not None]


def _interval(claims: Mapping[str, Any]) -> str:
    low, high = claims["range"]
    if math.isinf(low) and math.isinf(high):
        return "all numbers"
    if math.isinf(high):
        return f"{number(low)} and above"
    if math.isinf(low):
        return f"{number(high)} and below"
    return f"from {number(low)} to {number(high)}"


def _slope(claims: Mapping[str, Any]) -> str:
    growth = claims["feature_growth"]
    factor = "" if not growth else " · √n" if growth == 0.5 else f" · n^{growth:g}"
    features = " for n features" if growth else ""
    return f"at most {number(claims['lipschitz'])}{factor}{features} (Lipschitz constant)"


def _smoothness(claims: Mapping[str, Any]) -> str:
    if claims["kinks"]:
        places = " and ".join(number(kink) for kink in claims["kinks"])
        measure = claims.get("measure")
        return f"a kink where {measure} = {places}" if measure else f"a kink at {places}"
    constant = claims["smoothness"]
    if math.isinf(constant):
        return "no kink, yet a slope without a Lipschitz constant"
    return f"no kink; Lipschitz constant of the slope {number(constant)}"


def _affine(claims: Mapping[str, Any]) -> str | None:
    return ", ".join(claims["affine"]) or None


_SYMMETRY: Final = {"odd": "odd: f(-x) = -f(x)", "even": "even: f(-x) = f(x)", "none": None}

Say = Callable[[Mapping[str, Any]], str | None]

_LABELS: Final[Mapping[str, Mapping[str, Say]]] = MappingProxyType(
    {
        "activation": {
            "values": _interval,
            "slope": _slope,
            "smooth": _smoothness,
            "monotone": lambda claims: claims["monotone"],
            "convex": lambda claims: "yes" if claims["convex"] else "no",
            "symmetry": lambda claims: _SYMMETRY[claims["symmetry"]],
            "scaling": lambda claims: (
                "f(s·x) = s·f(x) for s > 0" if claims["homogeneous"] else None
            ),
        },
        "layer": {
            "rows": lambda claims: (
                "depend on each other" if claims["couples_rows"] else "each on its own"
            ),
            "features": lambda claims: (
                "each on its own" if claims["keeps_features"] else "depend on each other"
            ),
            "affine in": _affine,
            "mixes by": lambda claims: claims["mixing"],
        },
    }
)
