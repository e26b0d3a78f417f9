"""The figure of a flow: what its curves are, the file, and what is said without matplotlib."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import gradcli
from gradcli.analysis.flow import FlowReport, FlowResult
from gradcli.cli.main import main
from gradcli.errors import UsageError
from gradcli.report.flow_plot import curves, save_plot

SMALL: dict[str, Any] = {"depth": 5, "width": 8, "batch": 4, "seeds": 3, "remedies": False}
COMMAND = ("flow", "--depth", "5", "--width", "8", "--batch", "4", "--seeds", "3")


def flow(**built: Any) -> FlowResult:
    return gradcli.flow(**{**SMALL, **built}).results[0]


def test_curves_are_the_numbers_of_the_report() -> None:
    result = flow()
    found = curves(result)
    assert list(found) == ["gradient", "weight gradient", "bound", "prediction"]
    assert result.mean_field is not None
    assert found["prediction"][0] == [0, 1, 2, 3, 4, 5]
    first, *_, last = found["prediction"][1]
    assert last == found["gradient"][1][-1]
    assert first - last == pytest.approx(result.mean_field.log10_total)
    places, norms = found["gradient"]
    assert places == [0, 1, 2, 3, 4, 5]
    assert norms[0] == result.log10_input_gradient_norm
    assert norms[1:] == [layer.log10_gradient_norm for layer in result.layers]
    assert found["weight gradient"][0] == [1, 2, 3, 4, 5]
    _, bound = found["bound"]
    assert bound[-1] == pytest.approx(norms[-1])
    assert bound[0] == pytest.approx(norms[-1] + result.log10_bound)
    assert all(most >= norm - 1e-12 for most, norm in zip(bound, norms, strict=True))


def test_the_bound_has_no_place_inside_a_branch() -> None:
    branch = [{"dense": 8}, "tanh", {"dense": 8}, "tanh"]
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"shape": [4, 8]}, "targets": "auto"},
        "network": [{"residual": branch}, {"residual": branch}, {"dense": 1}],
        "loss": "mse",
    }
    result = gradcli.flow(spec, seeds=1, remedies=False).results[0]
    assert curves(result)["bound"][0] == [0, 2, 4]
    assert curves(result)["prediction"][0] == [0, 2, 4]


def test_a_prediction_runs_back_from_the_last_layer() -> None:
    result = flow(gain=1.5)
    layers = tuple(replace(layer, predicted_gain=10.0) for layer in result.layers)
    _, predicted = curves(replace(result, layers=layers))["prediction"]
    assert np.diff(predicted) == pytest.approx([-1.0] * 5)
    assert predicted[-1] == result.layers[-1].log10_gradient_norm
    unknown = (replace(layers[0], predicted_gain=None), *layers[1:])
    assert "prediction" not in curves(replace(result, layers=unknown))


def test_ranges_hold_every_draw() -> None:
    draws = [flow(seed=seed, seeds=1) for seed in range(3)]
    assert draws[0].ranges == ()
    for place, (low, high) in enumerate(flow().ranges):
        norms = [
            each.layers[place - 1].log10_gradient_norm if place else each.log10_input_gradient_norm
            for each in draws
        ]
        assert (low, high) == pytest.approx((min(norms), max(norms)), abs=1e-12)


@pytest.mark.parametrize("known", [True, False], ids=["nothing", "matplotlib alone"])
def test_without_matplotlib_it_is_said_before_anything_is_measured(
    known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that is None in sys.modules is one that cannot be imported."""
    monkeypatch.setitem(sys.modules, "matplotlib" if known else "matplotlib.figure", None)
    path = tmp_path / "flow.svg"
    result = CliRunner().invoke(main, [*COMMAND, "--plot", str(path)])
    assert result.exit_code == 2
    assert "a plot needs matplotlib" in result.stderr
    assert "pip install 'gradcli[plot]'" in result.stderr
    assert result.stdout == ""
    assert not path.exists()


@pytest.mark.parametrize(
    ("file", "message"),
    [("flow.pdf", "must end in .svg or .png"), ("none/flow.svg", "there is no such folder")],
)
def test_files_of_other_kinds_and_places_are_refused(
    file: str, message: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(main, [*COMMAND, "--plot", str(tmp_path / file)])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.mark.plot
class TestWithMatplotlib:
    """Where it is installed."""

    @pytest.fixture(autouse=True)
    def _matplotlib(self) -> None:
        pytest.importorskip("matplotlib", reason="matplotlib is not installed")

    def test_a_svg_names_its_curves_and_is_the_same_twice(self, tmp_path: Path) -> None:
        paths = [tmp_path / "a.svg", tmp_path / "b.svg"]
        for path in paths:
            result = CliRunner().invoke(main, [*COMMAND, "--plot", str(path)])
            assert result.exit_code == 0, result.output
        text = paths[0].read_text("utf-8")
        assert text == paths[1].read_text("utf-8")
        for said in ("weight gradient", "bound", "gradient, 3 seeds", "5 x 8 relu", "layer"):
            assert f">{said}" in text

    def test_a_png_of_several_networks(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        over_time = gradcli.flow(arch="rnn", depth=6, width=8, batch=4, seeds=2, remedies=False)
        save_plot(FlowReport((flow(), *over_time.results)), path)
        assert path.read_bytes().startswith(b"\x89PNG")

    def test_what_is_not_finite_is_left_out(self, tmp_path: Path) -> None:
        result = flow(depth=40, activation="gelu", gain=1e9)
        assert math.isnan(result.log10_total)
        save_plot(FlowReport((result,)), tmp_path / "a.svg")

    def test_nothing_measured_and_a_place_that_takes_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="nothing was measured"):
            save_plot(FlowReport(()), tmp_path / "a.svg")
        (tmp_path / "b.svg").mkdir()
        with pytest.raises(UsageError, match="cannot be written"):
            save_plot(FlowReport((flow(),)), tmp_path / "b.svg")
