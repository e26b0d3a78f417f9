"""The figure of a spectrum: what its curves are, and the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import gradcli
from gradcli.cli.main import main
from gradcli.errors import UsageError
from gradcli.report.curvature_plot import curves, save_plot

QUICK = "specs/quickstart.yaml"


def test_curves_of_assembled_matrices_are_their_eigenvalues_by_sign() -> None:
    (result,) = gradcli.curvature(QUICK).results
    found = curves(result)
    hessian = result.spectra["hessian"]
    values = np.array(hessian.eigenvalues)
    places, up = found["Hessian"]
    _, down = found["Hessian, negative"]
    assert len(up) == hessian.positive
    assert len(down) == hessian.negative
    assert places == list(range(1, len(up) + 1))
    np.testing.assert_array_equal(up, np.sort(values)[::-1][: len(up)])
    np.testing.assert_array_equal(down, -np.sort(values)[: len(down)])
    assert len(found["Gauss-Newton"][0]) == result.spectra["gauss_newton"].rank
    assert "Gauss-Newton, negative" not in found


def test_curves_of_sampled_matrices_are_shares_of_the_spectrum() -> None:
    (result,) = gradcli.curvature(QUICK, method="lanczos").results
    for places, shares in curves(result).values():
        assert sum(shares) == pytest.approx(1)
        assert places == sorted(places)


@pytest.mark.plot
class TestWithMatplotlib:
    """Where it is installed."""

    @pytest.fixture(autouse=True)
    def _matplotlib(self) -> None:
        pytest.importorskip("matplotlib", reason="matplotlib is not installed")

    @pytest.mark.parametrize("method", ["exact", "lanczos"])
    def test_a_svg_names_its_curves_and_is_the_same_twice(
        self, method: str, tmp_path: Path
    ) -> None:
        paths = [tmp_path / "a.svg", tmp_path / "b.svg"]
        for path in paths:
            line = ["curvature", QUICK, "--method", method, "--plot", str(path)]
            result = CliRunner().invoke(main, line)
            assert result.exit_code == 0, result.output
        text = paths[0].read_text("utf-8")
        assert text == paths[1].read_text("utf-8")
        for said in ("Hessian", "empirical Fisher", "quickstart: "):
            assert f">{said}" in text

    def test_what_has_no_curvature_is_not_drawn(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="nothing was measured"):
            save_plot(gradcli.curvature("missing.yaml"), tmp_path / "a.svg")
