"""What the shell is offered to complete; loaded names are loaded when it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

__all__ = [
    "activations",
    "curricula",
    "files",
    "gates",
    "grades",
    "initializers",
    "kinds",
    "losses",
    "losses_and_files",
    "optimizers",
    "schedules",
    "templates",
    "topics_and_files",
    "training_gates",
]

Complete = Callable[["click.Context", "click.Parameter", str], "list[CompletionItem]"]


def _offering(names: Callable[[], Iterable[str]], *, and_files: bool = False) -> Complete:
    """Those of the names that begin like the word, in upper or lower case; and files."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        word = incomplete.lower()
        known = [CompletionItem(name) for name in names() if name.lower().startswith(word)]
        # files first: the script for bash forgets what it was told before them
        return [CompletionItem(incomplete, type="file"), *known] if and_files else known

    return complete


def _catalogue(kind: str | None = None) -> list[str]:
    from gradcli import api

    return [row.name for row in api.catalogue(kind).results]


def _kinds() -> tuple[str, ...]:
    from gradcli.analysis.catalogue import KINDS

    return KINDS


def _templates() -> list[str]:
    from gradcli import api

    return [row.name for row in api.templates().results]


def _gates() -> tuple[str, ...]:
    from gradcli.analysis.flow.report import GATES

    return GATES


def _training_gates() -> tuple[str, ...]:
    from gradcli.analysis.training.report import GATES

    return GATES


def _grades() -> Iterable[str]:
    from gradcli.analysis.verdict import GRADES

    return GRADES


activations = _offering(partial(_catalogue, "activations"))
curricula = _offering(partial(_catalogue, "curricula"))
files = _offering(tuple, and_files=True)
gates = _offering(_gates)
grades = _offering(_grades)
initializers = _offering(partial(_catalogue, "initializers"))
kinds = _offering(_kinds)
losses = _offering(partial(_catalogue, "losses"))
losses_and_files = _offering(partial(_catalogue, "losses"), and_files=True)
optimizers = _offering(partial(_catalogue, "optimizers"))
schedules = _offering(partial(_catalogue, "schedules"))
templates = _offering(_templates)
topics_and_files = _offering(_catalogue, and_files=True)
training_gates = _offering(_training_gates)
