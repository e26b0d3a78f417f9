"""The published numbers beside the measured ones: frozen data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from gradcli.analysis.facts import Facts
from gradcli.analysis.in_json import Shape
from gradcli.analysis.verdict import ReportOfResults
from gradcli.errors import ExitCode

__all__ = ["PaperReport", "PaperRow"]

_ROUNDING: Final = 1e-12
"""Part of a number by which arithmetic alone may be off."""


@dataclass(frozen=True)
class PaperRow(Facts):
    """One published number, and what came of measuring it again.

    `network` is what it is of, with `depth` layers (or blocks, or steps) of `width` units and
    `batch` examples, of which `draws` were drawn; 0 where it is computed only. `written` is the
    number as published, `published` its value. `measured` has the `band` in which the published
    number has to lie, with the chance `confidence`; `leeway` is the part of it, on either side,
    that the size of the network leaves open. Of a bound, the band is open above. `theory` is the
    number as computed, which has to agree to the last digit written, but for `theory_leeway`; of a
    single draw (`drawn`) it has to lie in the band instead. `references` is the literature.
    """

    name: str
    network: str
    depth: int
    width: int
    batch: int
    draws: int
    quantity: str
    written: str
    source: str
    theory: float | None
    theory_leeway: float
    drawn: bool
    measured: float | None
    band: tuple[float, float] | None
    leeway: float
    confidence: float
    references: tuple[str, ...]
    note: str

    in_json: ClassVar = Shape(added={"published": None, "verdict": None, "mismatches": None})

    @property
    def published(self) -> float:
        return float(self.written)

    @property
    def last_digit(self) -> float:
        """Half a unit of the last digit written; whole numbers count as exact."""
        _, point, decimals = self.written.partition(".")
        return 0.5 * 10.0 ** -len(decimals) if point else 0.0

    @property
    def is_bound(self) -> bool:
        """Whether what is measured may not exceed the published number."""
        return self.band is not None and math.isinf(self.band[1])

    @property
    def mismatches(self) -> tuple[Literal["measured", "theory"], ...]:
        """What does not agree with the published number."""
        found: list[Literal["measured", "theory"]] = []
        if self.band is not None and not self._within(self.published, self.last_digit):
            found.append("measured")
        if self.theory is not None and not self._told(self.theory):
            found.append("theory")
        return tuple(found)

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        return "fail" if self.mismatches else "pass"

    def _told(self, theory: float) -> bool:
        if self.drawn:
            return self._within(theory, 0.0)
        leeway = self.last_digit + self.theory_leeway + _ROUNDING * max(1.0, abs(self.published))
        return abs(theory - self.published) <= leeway

    def _within(self, value: float, digit: float) -> bool:
        assert self.band is not None
        low, high = self.band
        rounding = _ROUNDING * max(1.0, abs(value))
        return low - digit - rounding <= value <= high + digit + rounding

    def to_dict(self) -> dict[str, Any]:
        return {
            **super().to_dict(),
            "published": self.published,
            "verdict": self.verdict,
            "mismatches": list(self.mismatches),
        }


@dataclass(frozen=True)
class PaperReport(ReportOfResults):
    """All rows that were measured, of so many that there are: Ctrl-C may have cut it short."""

    results: tuple[PaperRow, ...]
    of: int
    seed: int = 0
    interrupted: bool = False

    command = "flow"
    drawn_as = "paper"

    @property
    def mismatches(self) -> tuple[PaperRow, ...]:
        return tuple(row for row in self.results if row.verdict == "fail")

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        return "fail" if self.mismatches else "pass"

    @property
    def exit_code(self) -> ExitCode:
        if self.interrupted:
            return ExitCode.INTERRUPTED
        return ExitCode.WRONG if self.mismatches else ExitCode.OK

    def __str__(self) -> str:
        lines = [f"{len(self.results) - len(self.mismatches)} of {self.of} published numbers match"]
        for row in self.mismatches:
            found = f"measured {row.measured}, theory {row.theory}"
            lines.append(f"  {row.network}: {row.quantity}: published {row.written}, {found}")
        return "\n".join(lines)
