"""In which order backpropagation runs, keeps and forgets: with checkpoints, and without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from gradcli.analysis.graph.nodes import Skeleton

__all__ = ["Step", "checkpoints_of", "steps_of"]


class Step(NamedTuple):
    """Run a node, with its pullback kept or not; forget a slot's value; pull back through a node.

    `loss` works out the losses and pulls back through them: cotangents of the slots that they read.
    """

    does: Literal["run", "keep", "forget", "loss", "pull"]
    at: int = 0


def checkpoints_of(skeleton: Skeleton, segments: Sequence[range]) -> list[bool]:
    """For each slot, whether it is read behind the segment that computes it."""
    kept = [False] * len(skeleton.shapes)
    for segment in segments:
        for index in segment:
            kept[index + 1] = skeleton.last_read[index + 1] >= segment.stop
    return kept


def steps_of(skeleton: Skeleton, segments: Sequence[range]) -> Iterator[Step]:
    """Backpropagation over segments of the network, each but the last run twice.

    The first time, nothing is kept but what is read behind the segment. With one segment it is
    plain backpropagation, which keeps everything.
    """
    kept = checkpoints_of(skeleton, segments)
    done: list[list[int]] = [[] for _ in range(skeleton.count)]
    for slot in range(1, len(skeleton.shapes)):
        if not kept[slot]:
            done[skeleton.last_read[slot]].append(slot)
    for position, segment in enumerate(segments):
        last = position == len(segments) - 1
        for index in segment:
            yield Step("keep" if last else "run", index)
            if not last:
                yield from (Step("forget", slot) for slot in done[index])
    yield Step("loss")
    for position in range(len(segments) - 1, -1, -1):
        segment = segments[position]
        if position < len(segments) - 1:
            yield from (Step("keep", index) for index in segment)
        for index in reversed(segment):
            if skeleton.gets_gradient[index + 1]:
                yield Step("pull", index)
            yield Step("forget", index + 1)
