"""The spectrum of a Hessian as a figure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from gradcli.analysis.curvature.report import CurvatureReport, CurvatureResult
from gradcli.report import curvature_words as words
from gradcli.report.figure import save_figure

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["curves", "save_plot"]


def curves(result: CurvatureResult) -> dict[str, tuple[list[float], list[float]]]:
    """What is drawn, by the name of the matrix: places on the axis, and |eigenvalues| or shares.

    Of assembled matrices all eigenvalues that rounding can tell from zero, the largest first, those
    of the Hessian in two curves by sign; else the places of Lanczos with their shares.
    """
    found: dict[str, tuple[list[float], list[float]]] = {}
    for spectrum in result.spectra.values():
        name = words.NAMES[spectrum.matrix]
        if not spectrum.eigenvalues:
            if spectrum.density:
                places, shares = zip(*spectrum.density, strict=True)
                found[name] = list(places), list(shares)
            continue
        rounding = spectrum.largest_error
        for sign, told in ((1, name), (-1, f"{name}, negative")):
            sizes = sorted((sign * value for value in spectrum.eigenvalues), reverse=True)
            sizes = [size for size in sizes if size > rounding]
            if sizes:
                found[told] = [float(i + 1) for i in range(len(sizes))], sizes
    return found


def save_plot(report: CurvatureReport, path: Path) -> None:
    """Write a figure of the spectra; see `save_figure`."""
    drawn = (result for result in report.results if curves(result))
    save_figure([partial(_draw, result) for result in drawn], path)


def _draw(result: CurvatureResult, axes: Any) -> None:
    exact = result.method == "exact"
    for name, (places, values) in curves(result).items():
        line = "" if not exact else "--" if name.endswith("negative") else "-"
        marker = "" if exact and len(places) > 1 else "."
        axes.plot(places, values, linestyle=line, marker=marker, label=name)
    axes.set_yscale("log")
    if exact:
        axes.set_xlabel("rank")
        axes.set_ylabel("|eigenvalue|")
    else:
        axes.set_xscale("symlog", linthresh=1e-3 * max(abs(result.sharpness), 1e-300))
        axes.set_xlabel("eigenvalue")
        axes.set_ylabel("share of the spectrum")
    axes.set_title(f"{result.name}: λ_max = {words.figure(result.sharpness)}")
    axes.grid(alpha=0.3)
    axes.legend()
