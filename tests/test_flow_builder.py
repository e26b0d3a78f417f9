"""Networks from options: what is built, what is refused, and the spec that is written of it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import gradcli
import gradcli.ops
from gradcli.analysis.flow import build_network, build_spec
from gradcli.analysis.flow.spec_file import spec_text
from gradcli.cli.main import main
from gradcli.engine.model import Model
from gradcli.errors import UsageError
from gradcli.spec import load_plan, load_text
from gradcli.spec.problems import Problems
from gradcli.spec.write_yaml import yaml_lines
from gradcli.spec.yaml_nodes import parse

SMALL: dict[str, Any] = {"depth": 2, "width": 6, "batch": 8}


def built(**parts: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Each node of a built network with the slots that it reads."""
    plan = load_plan(build_spec(**SMALL, **parts))
    return [(node.name.replace("residual_1.", "r."), node.inputs) for node in plan.nodes]


@pytest.mark.parametrize(
    ("parts", "nodes"),
    [
        ({"norm": "none"}, "dense_1 relu_1"),
        ({"norm": "batch"}, "dense_1 batch_norm_1 relu_1"),
        ({"norm": "layer", "norm_position": "pre"}, "dense_1 layer_norm_1 relu_1"),
        ({"norm": "rms", "norm_position": "post"}, "dense_1 relu_1 rms_norm_1"),
        ({"dropout": 0.1}, "dense_1 relu_1 dropout_1"),
        ({"norm": "batch", "norm_position": "post", "dropout": 0.1},
         "dense_1 relu_1 batch_norm_1 dropout_1"),
        ({"residual": True, "norm": "layer"}, "r.layer_norm_1 r.dense_1 r.relu_1 residual_1"),
        ({"residual": True, "norm": "layer", "norm_position": "post", "dropout": 0.5},
         "r.dense_1 r.relu_1 r.dropout_1 residual_1 layer_norm_1"),
    ],
)  # fmt: skip
def test_what_a_layer_is_made_of(parts: dict[str, Any], nodes: str) -> None:
    first = [name for name, _ in built(**parts)][: len(nodes.split())]
    assert first == nodes.split()


@pytest.mark.parametrize(
    ("option", "written", "entry"),
    [
        ("activation", "leaky_relu:alpha=0.3", {"leaky_relu": {"alpha": 0.3}}),
        ("init", "normal:std=1e-2", {"normal": {"std": 0.01}}),
        ("loss", "focal:gamma=1,alpha=null", {"focal": {"gamma": 1.0, "alpha": None}}),
    ],
)
@pytest.mark.parametrize("arch", ["mlp", "rnn"])
def test_options_in_one_word(arch: str, option: str, written: str, entry: Any) -> None:
    if (arch, option) == ("rnn", "activation"):
        written, entry = "tanh", "tanh"  # it has a choice of names alone
    same = {**SMALL, "arch": arch}
    assert build_network(**same, **{option: written}) == build_network(**same, **{option: entry})


@pytest.mark.parametrize(
    ("option", "written", "message"),
    [
        ("activation", "leaky_relu:slope=0.3", "leaky_relu has no parameter 'slope'"),
        ("activation", "leaky_rleu:alpha=0.3", "did you mean leaky_relu?"),
        ("init", "normal:std", "expected PARAM=VALUE, not 'std'"),
        ("loss", "huber:delta=-1", "delta cannot be '-1'"),
    ],
)
def test_options_in_one_word_that_do_not_fit(option: str, written: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        build_network(**{option: written})


def test_before_a_branch_the_shortcut_goes_around_the_normalization() -> None:
    nodes = dict(built(residual=True, norm="layer"))
    assert nodes["residual_1"] == (0, 3)
    assert nodes["r.layer_norm_1"] == (0,)


@pytest.mark.parametrize(
    ("given", "distribution", "std"),
    [
        ("normal", "normal", 1.0),
        ("uniform", "uniform", 1.0),
        (0.25, "normal", 0.25),
        ("0.25", "normal", 0.25),
        ("uniform:2", "uniform", 2.0),
    ],
)
def test_inputs_are_drawn_as_told(given: str | float, distribution: str, std: float) -> None:
    spec = build_spec(depth=1, width=50, batch=200, input=given)
    drawn = Model(load_plan(spec)).inputs["inputs"]
    assert drawn.std() == pytest.approx(std, rel=0.03)
    # a uniform variable ends at sqrt(3) standard deviations, ten thousand normal ones do not
    assert (np.abs(drawn).max() < 1.74 * std) == (distribution == "uniform")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"norm": "instance"}, "norm: expected one of none, batch, layer, rms, got 'instance'"),
        ({"norm": "batch", "norm_position": "after"}, "norm_position: expected pre or post"),
        ({"norm_position": "post"}, "norm_position: only for a network with a normalization"),
        ({"input": "cauchy"}, "input: expected normal or uniform"),
        ({"input": "normal:"}, "input: expected"),
        ({"input": "1:2"}, "input: expected"),
        ({"input": -1.0}, "input: expected"),
        ({"input": "nan"}, "input: expected"),
        ({"residual_scale": 0.3}, "residual_scale: only for residual networks"),
        ({"nrom": "batch"}, "nrom: expected depth, width"),
        ({"overwrite": True}, "overwrite: only for a spec that is written"),
    ],
)
def test_what_makes_no_sense_is_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}"):
        gradcli.flow(**SMALL, **parts)


@pytest.mark.parametrize("part", [{"norm": "batch"}, {"dropout": 0.1}, {"write_spec": "a.yaml"}])
def test_a_spec_is_not_built_anew(part: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"^{next(iter(part))}: only for a network that is built"):
        gradcli.flow(build_spec(**SMALL), **part)


def test_a_share_that_cannot_be_dropped_is_a_problem_of_the_spec() -> None:
    report = gradcli.flow(**SMALL, dropout=1.5)
    assert report.verdict == "invalid"
    assert "below 1" in str(report)


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--activation gelu --gain 1.5 --bias-std 0.1 --seed 4 --input uniform:0.5 --no-remedies",
        "--residual --residual-scale 0.7 --norm rms --norm-position post --dropout 0.2",
        "--norm batch --loss cross_entropy --dtype float32 --seeds 2",
        "--init pytorch_default --gain 1e-8 --threshold 3.5 --fail-on vanishing,dead",
    ],
)
def test_the_spec_that_is_written_measures_the_same(options: str, tmp_path: Path) -> None:
    """Every number in the results; only the name of the file stands there besides."""
    path = tmp_path / "built.yaml"
    size = ("--depth", "3", "--width", "6", "--batch", "8")
    asked = ("flow", *size, *options.split(), "--write-spec", str(path), "--format", "json")
    first = CliRunner().invoke(main, asked)
    again = CliRunner().invoke(main, ["flow", str(path), "--format", "json"])
    assert first.stdout.count("\n") > 50
    assert again.stdout.replace(str(path), "").splitlines()[5:] == first.stdout.splitlines()[5:]
    assert again.exit_code == first.exit_code
    for section in ("gradcli:", "data:", "network:", "loss:"):
        lines = path.read_text().splitlines()
        (at,) = (i for i, line in enumerate(lines) if line.startswith(section))
        assert lines[at - 1].startswith("# ")


def test_a_file_that_exists_is_replaced_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists already: --overwrite replaces it"):
        gradcli.flow(**SMALL, write_spec=path)
    assert path.read_text() == "mine"
    gradcli.flow(**SMALL, write_spec=path, overwrite=True)
    assert path.read_text() == spec_text(build_spec(**SMALL))
    assert [each.name for each in tmp_path.iterdir()] == ["mine.yaml"]


def test_what_cannot_be_written_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        gradcli.flow(**SMALL, write_spec=tmp_path / "none" / "a.yaml")
    with pytest.raises(UsageError, match="no ordinary file"):
        gradcli.flow(**SMALL, write_spec=tmp_path, overwrite=True)

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UsageError, match=r"a\.yaml cannot be written: No space left on device"):
        gradcli.flow(**SMALL, write_spec=tmp_path / "a.yaml")
    assert list(tmp_path.iterdir()) == []


def test_an_invalid_network_is_not_written(tmp_path: Path) -> None:
    gradcli.flow(**SMALL, dropout=1.5, write_spec=tmp_path / "a.yaml")
    assert list(tmp_path.iterdir()) == []


AWKWARD = {
    "words": ["no", "1e-3", "yes: sir", "ünïcode", "# hash", "", "a\nb", "null"],
    "numbers": [1e-8, 1e300, -0.0, 3, np.float64(0.1), True, None],
    "nested": [{"a": [{"b": (1, 2)}, "c"]}, [{"d": {}}], []],
    "long": {f"key_{i}": float(i) for i in range(20)},
}


def test_what_is_written_is_read_as_it_was() -> None:
    """Words that look like something else, extremes, nesting; read back by the specs' reader."""
    text = "\n".join(yaml_lines(AWKWARD))

    def plain(node: Any) -> Any:
        if node.is_mapping:
            return {key: plain(child) for key, child in node.value.items()}
        return [plain(child) for child in node.value] if node.is_list else node.value

    read = plain(parse(text, Problems("written")))
    assert read == {**AWKWARD, "nested": [{"a": [{"b": [1, 2]}, "c"]}, [{"d": {}}], []]}
    assert max(map(len, text.splitlines())) <= 100


def test_a_written_spec_is_a_spec() -> None:
    spec = build_spec(**SMALL, loss={"sum": ["mse", {"l2": {"weight": 1e-4}}]})
    plan, again = load_plan(spec), load_text(spec_text(spec), "built.yaml")
    assert [node.name for node in again.nodes] == [node.name for node in plan.nodes]
    assert again.parameters.keys() == plan.parameters.keys()


def test_weights_beyond_the_range_of_numbers_are_refused_in_words() -> None:
    report = gradcli.flow(depth=3, width=4, gain=1e300)
    assert report.verdict == "invalid"
    (problem,) = report.results[0].errors
    assert problem.message.endswith("cannot be drawn: its spread is beyond the largest number")
