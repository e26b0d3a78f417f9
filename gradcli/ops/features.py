"""What layers on the features of a row have in common."""

from __future__ import annotations

from gradcli.core.op import Shape

__all__ = ["require_features"]


def require_features(shape: Shape) -> None:
    """ValueError for inputs that have no feature axis beside the rows."""
    if len(shape) < 2:
        raise ValueError(f"needs inputs with rows and features, got shape {shape}")
