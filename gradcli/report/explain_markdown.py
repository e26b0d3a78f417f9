"""Cards as Markdown."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from gradcli.analysis.catalogue import Card, ExplainReport
from gradcli.analysis.gradcheck.step_size import StepCurve
from gradcli.report.card_sections import Block, Section, head, sections_of
from gradcli.report.markdown import code, escaped, fenced, prose

__all__ = ["markdown_report"]

_SHORT: Final = ("prose", "formula")
"""Kinds of blocks that make items of a list."""


def markdown_report(report: ExplainReport, *, quiet: bool = False) -> str:
    """One card below the other."""
    return "\n\n".join(map(_card, report.results)) + "\n"


def _card(card: Card | StepCurve) -> str:
    title = head(card)
    return "\n\n".join(
        [f"## {escaped(title.name)} ({title.kind})", *map(_section, sections_of(card))]
    )


def _section(section: Section) -> str:
    heading = [f"### {section.heading}"] if section.heading else []
    several = len(section.blocks) > 1 or any(block.label for block in section.blocks)
    return "\n\n".join([*heading, *_blocks(section.blocks, bool(section.heading) and several)])


def _blocks(blocks: tuple[Block, ...], listed: bool) -> list[str]:
    """Paragraphs, and one list of the short pieces that follow each other."""
    parts: list[str] = []
    for is_item, group in groupby(blocks, lambda block: listed and block.kind in _SHORT):
        if is_item:
            parts.append("\n".join(f"- {_text(block)}" for block in group))
        else:
            parts += map(_text, group)
    return parts


def _text(block: Block) -> str:
    if block.kind == "code":
        return fenced(block.text)
    flowing = " ".join(block.text.split())
    if block.kind == "formula":
        return f"{code(block.label)}: {code(flowing)}" if block.label else code(flowing)
    return f"**{escaped(block.label)}**: {prose(flowing)}" if block.label else prose(flowing)
