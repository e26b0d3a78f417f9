"""A report as a picture of a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Group, RenderableType

from gradcli.report.layout import console_on
from gradcli.report.surface import Surface

__all__ = ["terminal_svg"]


def terminal_svg(renderables: Iterable[RenderableType], surface: Surface, *, title: str) -> str:
    """What is seen on the surface as SVG, the same bytes every time."""
    console = console_on(surface, io.StringIO(), record=True)
    console.print(Group(*renderables), crop=False)
    return console.export_svg(title=title, unique_id="gradcli")
