"""A row of nodes in parts of about equal size."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["even_segments"]


def even_segments(sizes: Sequence[int], count: int) -> tuple[range, ...]:
    """Ranges of nodes, about `count`, each as soon closed as it holds its share of the sizes."""
    total = sum(sizes)
    segments, start, held = [], 0, 0
    for index, size in enumerate(sizes):
        held += size
        if held * count >= total or index == len(sizes) - 1:
            segments.append(range(start, index + 1))
            start, held = index + 1, 0
    return tuple(segments)
