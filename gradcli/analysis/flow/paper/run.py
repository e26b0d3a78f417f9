"""Published numbers measured again, network after network."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from gradcli.analysis.flow.paper.anchor import Anchor, Experiment
from gradcli.analysis.flow.paper.draw import Draw
from gradcli.analysis.flow.paper.estimate import CONFIDENCE
from gradcli.analysis.flow.paper.experiments import EXPERIMENTS
from gradcli.analysis.flow.paper.report import PaperReport, PaperRow
from gradcli.core.references import REFERENCES
from gradcli.errors import UsageError
from gradcli.spec import load_plan

__all__ = ["measure_experiments", "measure_paper"]

_APART: Final = 2**16
"""Seeds of the draws from one seed to the next, so that two seeds share no draw."""


def measure_paper(
    seed: int = 0,
    progress: Callable[[str, float, float], None] | None = None,
    *,
    partial: bool = False,
    without: Collection[str] = (),
) -> PaperReport:
    """Measure every published number again, on networks drawn from this seed on.

    `progress(what, done, of)` is called after each draw, in multiply-adds. With `partial`, Ctrl-C
    ends the measurement with the networks that are done by then. `without` are options that were
    given and that nothing here reads. Raises UsageError for these.
    """
    if without:
        raise UsageError(f"{', '.join(without)}: not with paper, which has networks of its own")
    return measure_experiments(EXPERIMENTS, seed, progress, partial=partial)


def measure_experiments(
    experiments: Sequence[Experiment],
    seed: int = 0,
    progress: Callable[[str, float, float], None] | None = None,
    *,
    partial: bool = False,
) -> PaperReport:
    """The same of these networks alone."""
    anchors = [anchor for each in experiments for anchor in each.anchors]
    done, total = 0, sum(each.cost for each in experiments)
    rows: list[PaperRow] = []
    interrupted = False

    def advance(experiment: Experiment) -> None:
        nonlocal done
        done += experiment.cost // experiment.draws
        if progress is not None:
            progress(experiment.network, done, total)

    try:
        for experiment in experiments:
            rows += _measured(experiment, seed, advance)
    except KeyboardInterrupt:
        if not partial:
            raise
        interrupted = True
    return PaperReport(
        results=tuple(rows),
        of=len(anchors),
        seed=seed,
        interrupted=interrupted,
    )


def _measured(
    experiment: Experiment, seed: int, advance: Callable[[Experiment], None]
) -> Iterator[PaperRow]:
    """All rows of one network."""
    plan = load_plan(experiment.spec(experiment.size))
    first = Draw(plan, experiment.size)
    values: dict[str, list[float]] = {anchor.name: [] for anchor in experiment.anchors}
    for number in range(experiment.draws):
        draw = Draw(plan.replace(seed=seed * _APART + number), experiment.size)
        # what measures everything comes first: the rest is then at hand
        for anchor in reversed(experiment.anchors):
            if anchor.measured is not None:
                values[anchor.name].append(anchor.measured.of(draw))
        advance(experiment)
    for anchor in experiment.anchors:
        yield _row(experiment, anchor, first, values[anchor.name])


def _row(experiment: Experiment, anchor: Anchor, first: Draw, values: Sequence[float]) -> PaperRow:
    size = experiment.size
    leeway, measured, band = 0.0, None, None
    if anchor.measured is not None:
        estimate = anchor.measured.estimate(values, size)
        leeway, measured = anchor.leeway(size), estimate.value
        band = (estimate.low - leeway, estimate.high + leeway)
    stated: Mapping[str, Any] = {
        name: getattr(anchor, name) for name in ("name", "quantity", "source", "drawn", "note")
    }
    return PaperRow(
        **stated,
        **size._asdict(),
        network=experiment.network,
        written=anchor.published,
        draws=len(values),
        theory=None if anchor.theory is None else anchor.theory(first),
        theory_leeway=anchor.theory_leeway(size),
        measured=measured,
        band=band,
        leeway=leeway,
        confidence=CONFIDENCE,
        references=tuple(REFERENCES[key] for key in anchor.references),
    )
