"""What a loss claims about itself, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from gradcli.report.characters import NOTHING

__all__ = ["CLAIM_LABELS", "loss_claim_cells", "loss_claim_words", "number", "setting"]

Claims = Mapping[str, Any]

CLAIM_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "argument": "function of",
        "domain": "domain",
        "convex": "convex",
        "strong_convexity": "strongly convex",
        "lipschitz": "gradient",
        "smoothness": "curvature",
        "differentiable": "differentiable",
        "kinks": "kinks",
        "bounded": "bounded",
        "influence": "influence",
        "outlier": "an outlier",
        "breakdown": "breakdown point",
        "noise": "noise",
        "minimiser": "estimates",
    }
)
"""What each claim is called, in the order in which they are shown."""

_ARGUMENTS: Final = {
    "residual": "the residual p - y",
    "margin": "the margin y*p",
    "logit": "the logit p of an event",
    "probability": "the probability p of an event",
    "logits": "the logits p of a row, free up to a common summand",
    "log-probabilities": "the log-probabilities p of a row",
    "scores": "the order of the scores p of a row",
    "embeddings": "the differences of embeddings",
}
_ROWS: Final = ("logits", "log-probabilities", "scores", "embeddings")
_OUTLIERS: Final = {
    "grows": "pulls the harder the farther it lies",
    "constant": "pulls with one and the same force, however far it lies",
    "fades": "pulls the less the farther it lies",
    "none": "does not pull at all",
}


def number(value: float) -> str:
    """A constant as people write it, in at most four digits."""
    return f"{value + 0.0:.4g}" if math.isfinite(value) else "infinite"


def setting(value: Any) -> str:
    """The value of an option, as a spec has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def loss_claim_words(claims: Claims) -> dict[str, str]:
    """Each stated claim in words, by field, in the order of `CLAIM_LABELS`; what goes without
    saying is left out.

    `claims` are plain data, as `gradcli.core.traits.stated` gives them.
    """
    said = {field: _WORDS[field](claims) for field in CLAIM_LABELS if field in claims}
    return {field: text for field, text in said.items() if text}


def loss_claim_cells(claims: Claims) -> dict[str, str]:
    """The same in a word or two, for a column of a table; what takes a formula is left out."""
    return {field: say(claims) for field, say in _CELLS.items() if field in claims}


def _of(claims: Claims) -> str:
    """The argument by its shortest name, where it is stated."""
    return f"in the {claims['argument']}" if "argument" in claims else "in p"


def _domain(claims: Claims) -> str:
    low, high = claims["domain"]
    if math.isinf(low) and math.isinf(high):
        return ""
    return f"p between {number(low)} and {number(high)}"


def _strong_convexity(claims: Claims) -> str:
    strong = claims["strong_convexity"]
    if not strong:
        return "no" if claims.get("convex", True) else "no, not even convex"
    each = "row" if claims.get("argument") in _ROWS else "element"
    constant = number(strong)
    return f"yes: {constant} for each {each}, {constant}/n for the mean over n {each}s"


def _lipschitz(claims: Claims) -> str:
    constant = claims["lipschitz"]
    if math.isinf(constant):
        return "unbounded: the loss has no Lipschitz constant"
    return f"at most {number(constant)}, the Lipschitz constant of the loss"


def _smoothness(claims: Claims) -> str:
    constant = claims["smoothness"]
    if math.isinf(constant):
        return "unbounded: the gradient has no Lipschitz constant"
    return f"at most {number(constant)}, the Lipschitz constant of the gradient"


def _differentiable(claims: Claims) -> str:
    times = claims["differentiable"]
    if times < 0:
        return "no: the loss itself jumps"
    if times == 0:
        return "no: the slope jumps at a kink"
    return "once: the curvature jumps" if times == 1 else "without limit"


def _places(claims: Claims) -> str:
    return ", ".join(map(number, claims["kinks"])) or "none"


def _kinks(claims: Claims) -> str:
    measure = claims.get("measure")
    return f"{_places(claims)}, of {measure}" if measure else _places(claims)


def _influence(claims: Claims) -> str:
    if claims["influence"] is None:
        return "none: there is no prediction that a target pulls at"
    if claims.get("outlier") == "none":
        return "none: no target pulls at its prediction"
    size = "unbounded" if math.isinf(claims["lipschitz"]) else "bounded"
    return f"{claims['influence']}, up to a factor; {size}"


def _breakdown(claims: Claims) -> str:
    if claims["breakdown"] is None:
        return "not a location estimate"
    share = claims["breakdown"]["share"]
    if not share:
        return "0: one target alone can carry the minimiser anywhere"
    return f"{number(share)}: a smaller share of outliers cannot carry the minimiser off"


def _noise(claims: Claims) -> str:
    noise = claims["noise"]
    if noise is None:
        return "none of which it is the negative log-likelihood"
    return f"{noise['name']}: {noise['density']}"


def _minimiser(claims: Claims) -> str:
    minimiser = claims["minimiser"]
    if minimiser is None:
        return "no single prediction for a population"
    name = minimiser["name"]
    named = name if name.startswith("any ") else f"the {name}"
    if not minimiser["formula"]:
        return f"{named}: the p for which {minimiser['balance']} is zero on average"
    if minimiser["formula"] in ("mean", "quantile"):
        return str(named)
    return f"{named}: {minimiser['formula']}"


_WORDS: Final[Mapping[str, Callable[[Claims], str]]] = MappingProxyType(
    {
        "argument": lambda claims: _ARGUMENTS[claims["argument"]],
        "domain": _domain,
        "convex": lambda claims: f"{'yes' if claims['convex'] else 'no'}, {_of(claims)}",
        "strong_convexity": _strong_convexity,
        "lipschitz": _lipschitz,
        "smoothness": _smoothness,
        "differentiable": _differentiable,
        "kinks": _kinks,
        "bounded": lambda claims: "yes" if claims["bounded"] else "no, it grows without limit",
        "influence": _influence,
        "outlier": lambda claims: _OUTLIERS[claims["outlier"]],
        "breakdown": _breakdown,
        "noise": _noise,
        "minimiser": _minimiser,
    }
)


def _bound(claims: Claims, field: str) -> str:
    constant = claims[field]
    return "unbounded" if math.isinf(constant) else f"≤ {number(constant)}"


def _named(claims: Claims, field: str) -> str:
    return NOTHING if claims[field] is None else str(claims[field]["name"])


_TIMES: Final = {-1: "it jumps", 0: "no", 1: "once"}
_PULLS: Final = {
    "grows": "pulls harder",
    "constant": "pulls the same",
    "fades": "pulls less",
    "none": "does not pull",
}

_CELLS: Final[Mapping[str, Callable[[Claims], str]]] = MappingProxyType(
    {
        "argument": lambda claims: claims["argument"],
        "convex": lambda claims: "yes" if claims["convex"] else "no",
        "strong_convexity": lambda claims: number(claims["strong_convexity"] or 0),
        "lipschitz": lambda claims: _bound(claims, "lipschitz"),
        "smoothness": lambda claims: _bound(claims, "smoothness"),
        "differentiable": lambda claims: _TIMES.get(claims["differentiable"], "always"),
        "kinks": _places,
        "bounded": lambda claims: "yes" if claims["bounded"] else "no",
        "outlier": lambda claims: _PULLS[claims["outlier"]],
        "breakdown": lambda claims: (
            NOTHING if claims["breakdown"] is None else number(claims["breakdown"]["share"])
        ),
        "noise": lambda claims: _named(claims, "noise"),
        "minimiser": lambda claims: _named(claims, "minimiser"),
    }
)
