"""A drawn report as a picture of a terminal."""

from __future__ import annotations

import io

from gradcli.report.layout import Surface

__all__ = ["terminal_svg"]


def terminal_svg(text: str, surface: Surface, *, title: str) -> str:
    """Text with terminal colours as SVG, the same bytes every time."""
    from rich.console import Console
    from rich.text import Text

    console = Console(
        file=io.StringIO(),
        record=True,
        width=surface.width,
        force_terminal=True,
        color_system="standard",
        legacy_windows=False,
        _environ={},
    )
    console.print(Text.from_ansi(text), soft_wrap=True)
    return console.export_svg(title=title, unique_id="gradcli")
