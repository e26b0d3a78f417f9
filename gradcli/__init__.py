"""Gradient checking and gradient-flow diagnosis for hand-written and deep networks."""

from __future__ import annotations

TYPE_CHECKING = False  # to import typing takes longer than all that is here
if TYPE_CHECKING:
    from typing import Any

    from gradcli.api import (
        catalogue,
        check,
        check_vjp,
        critical,
        curvature,
        explain,
        flow,
        gradcheck,
        graph,
        load,
        loss,
        paper,
        schema,
        train,
    )
    from gradcli.errors import SpecError

__version__ = "0.1.0"
__all__ = [
    "SpecError",
    "__version__",
    "catalogue",
    "check",
    "check_vjp",
    "critical",
    "curvature",
    "explain",
    "flow",
    "gradcheck",
    "graph",
    "load",
    "loss",
    "paper",
    "schema",
    "train",
]


if not TYPE_CHECKING:  # a type checker would take every name for one that there is

    def __getattr__(name: str) -> Any:
        """The API, loaded when it is first used: a bare import stays light."""
        if name == "SpecError":
            from gradcli.errors import SpecError

            return SpecError
        if name in __all__:
            from gradcli import api

            return getattr(api, name)
        raise AttributeError(f"module 'gradcli' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
