"""Figures drawn with matplotlib, which is an optional extra, and their files."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gradcli.errors import UsageError
from gradcli.files import write_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["require_plotting", "save_figure"]


def require_plotting() -> None:
    """Raises UsageError, with what to install, where matplotlib cannot be imported."""
    try:
        import matplotlib.figure  # noqa: F401  (takes a while, and only figures need it)
    except ImportError as error:
        raise UsageError(
            f"a plot needs matplotlib ({error}): pip install 'gradcli[plot]'"
        ) from None


def save_figure(pictures: Sequence[Callable[[Any], None]], path: Path) -> None:
    """Write a figure of several pictures, each drawn on axes of its own, one below the other.

    The kind of file is that of its suffix. Raises UsageError where there is nothing to draw, where
    matplotlib is not installed, or where the file cannot be written.
    """
    require_plotting()
    import matplotlib
    from matplotlib.figure import Figure

    if not pictures:
        raise UsageError(f"{path} was not written: nothing was measured that could be drawn")
    # texts stay texts, and the same report gives the same bytes
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "gradcli"}):
        figure = Figure(figsize=(8, 4.5 * len(pictures)), layout="constrained")
        places = figure.subplots(len(pictures), squeeze=False)[:, 0]
        for axes, draw in zip(places, pictures, strict=True):
            draw(axes)
        picture = io.BytesIO()
        kind = path.suffix[1:]
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(picture, format=kind, dpi=150, metadata=metadata)
    write_file(path, picture.getvalue())
