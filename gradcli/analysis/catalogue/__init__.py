"""What gradcli has and knows: the cards of ops, rules and concepts, and the lists of them."""

from __future__ import annotations

from gradcli.analysis.catalogue.cards import Card, OpCard
from gradcli.analysis.catalogue.report import ExplainReport, ListReport, Row
from gradcli.analysis.catalogue.rows import KINDS, catalogue_rows, template_rows
from gradcli.analysis.catalogue.topics import find_cards

__all__ = [
    "KINDS",
    "Card",
    "ExplainReport",
    "ListReport",
    "OpCard",
    "Row",
    "catalogue_rows",
    "find_cards",
    "template_rows",
]
