"""Cards as Markdown."""

from __future__ import annotations

from gradcli.analysis.catalogue import Card, ExplainReport
from gradcli.report.card_sections import Block, Section, head, sections_of
from gradcli.report.markdown import code, escaped, fenced

__all__ = ["markdown_report"]


def markdown_report(report: ExplainReport, *, quiet: bool = False) -> str:
    """One card below the other."""
    return "\n\n".join(map(_card, report.results)) + "\n"


def _card(card: Card) -> str:
    title = head(card)
    return "\n\n".join(
        [f"## {escaped(title.name)} ({title.kind})", *map(_section, sections_of(card))]
    )


def _section(section: Section) -> str:
    heading = [f"### {section.heading}"] if section.heading else []
    listed = section.heading and len(section.blocks) > 1
    return "\n\n".join([*heading, *_blocks(section.blocks, bool(listed))])


def _blocks(blocks: tuple[Block, ...], listed: bool) -> list[str]:
    """Paragraphs, and items of one list where several short pieces follow each other."""
    parts: list[str] = []
    items: list[str] = []
    for block in blocks:
        if block.kind == "code":
            parts += ["\n".join(items)] * bool(items) + [fenced(block.text)]
            items = []
        elif listed:
            items.append(_item(block))
        else:
            parts.append(_text(block))
    return parts + ["\n".join(items)] * bool(items)


def _item(block: Block) -> str:
    label = f"{code(block.label)} " if block.label else ""
    return f"- {label}{_text(block)}"


def _text(block: Block) -> str:
    flowing = " ".join(block.text.split())
    return code(flowing) if block.kind == "formula" else escaped(flowing)
