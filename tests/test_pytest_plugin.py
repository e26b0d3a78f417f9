"""The pytest plugin: specs are tests, failures are diagnoses; without specs it costs nothing."""

from __future__ import annotations

import importlib
import json
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from pytest_runs import outcomes, run_pytest
from test_report_junit import NETWORK, RIGHT, SPECS, WRONG

import gradcli

ROOT: Final = Path(__file__).parent.parent
BROKEN: Final = "gradcli: 1\ndefine:\n  f: {kind: aktivation, forward: x**2}\n"
LAYER: Final = """\
class Layer:
    def forward(self, x, parameters):
        return 2 * x

    def backward(self, x, parameters, output, cotangent):
        BODY
        return 2 * cotangent, {}
"""
WITH_LAYER: Final = {
    "gradcli": 1,
    "define": {
        "double": {
            "kind": "layer",
            "python": "layer.py",
            "class": "Layer",
            "inputs": {"x": {"shape": [4, 3]}},
        }
    },
    "data": {"inputs": {"shape": [8, 4]}, "targets": "auto"},
    "network": [{"dense": 3}, "double", {"dense": 2}],
    "loss": "mse",
}


def write(folder: Path, **specs: Any) -> None:
    """Write specs as `NAME.grad.yaml`: JSON is YAML too."""
    for name, spec in specs.items():
        text = spec if isinstance(spec, str) else json.dumps(spec)
        (folder / f"{name}.grad.yaml").write_text(text, encoding="utf-8")


def test_a_test_a_tensor_and_definition(tmp_path: Path) -> None:
    write(
        tmp_path,
        net={**RIGHT, **NETWORK},
        caught={**WRONG, "expect": "fail"},
        only={**RIGHT, **NETWORK, "check": {"only": ["dense_2.*"]}},
        proof={**RIGHT, "check": {"self_test": True}},
    )
    (tmp_path / "other.yaml").write_text("no spec")
    result = run_pytest(tmp_path, "--collect-only", "-q")
    assert result.returncode == 0, result.stdout
    found = [line for line in result.stdout.splitlines() if "::" in line]
    assert found == [
        "caught.grad.yaml::square",
        "caught.grad.yaml::expect: fail",
        "net.grad.yaml::square",
        *(f"net.grad.yaml::dense_{i}.{name}" for i in (1, 2) for name in ("weight", "bias")),
        "net.grad.yaml::inputs",
        *(f"only.grad.yaml::dense_2.{name}" for name in ("weight", "bias")),
        "proof.grad.yaml::square",
        "proof.grad.yaml::self-test",
    ]


def test_a_failure_is_the_diagnosis_and_no_traceback(tmp_path: Path) -> None:
    write(tmp_path, wrong={**WRONG, **NETWORK})
    result = run_pytest(tmp_path, "-v", "-rfP", "--strict-markers", "-W", "error")
    assert result.returncode == 1
    printed = result.stdout
    assert outcomes(printed) == {
        "wrong.grad.yaml::square": "failed",
        "wrong.grad.yaml::dense_1.weight": "failed",
        "wrong.grad.yaml::dense_1.bias": "failed",
        "wrong.grad.yaml::dense_2.weight": "passed",
        "wrong.grad.yaml::dense_2.bias": "passed",
        "wrong.grad.yaml::inputs": "failed",
    }
    assert "__ square in wrong.grad.yaml __" in printed
    assert "\nGC102 constant-factor in square  wrong.grad.yaml:1\n  exactly 1.5 times" in printed
    assert "\nworst entry [" in printed
    assert "wrong only because the gradient passes through square_1" in printed
    assert "FAILED wrong.grad.yaml::square - GC102 constant-factor in square: exactly" in printed
    assert "parameter 3×6 · 18/18 entries checked" in printed  # what passes says how well, with -rP
    for trace in ("Traceback", "pytest_plugin.py", "raise "):
        assert trace not in printed + result.stderr


def test_every_spec_is_red_exactly_where_check_is(tmp_path: Path) -> None:
    names = {f"s{at}": name for at, name in enumerate(SPECS) if name != "invalid"}
    for short, name in names.items():
        spec, options = SPECS[name]
        write(tmp_path, **{short: {**spec, "check": options}})
    found = outcomes(run_pytest(tmp_path, "-v").stdout)
    for short, name in names.items():
        report = gradcli.check(tmp_path / f"{short}.grad.yaml")
        own = [each for node, each in found.items() if node.startswith(f"{short}.grad")]
        assert own, name
        assert ("failed" in own) == (not report.passed), name
    skipped = {names[node.partition(".")[0]] for node, each in found.items() if each == "skipped"}
    assert skipped == {"undecided, allowed", "no claim", "nothing selected, allowed"}


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (("-k", "bias"), {"dense_1.bias": "failed", "dense_2.bias": "passed"}),
        (("wrong.grad.yaml::dense_2.weight",), {"dense_2.weight": "passed"}),
        (("wrong.grad.yaml::inputs",), {"inputs": "failed"}),
        (("-m", "not gradcli"), {}),
    ],
)
def test_some_of_the_tests(
    chosen: tuple[str, ...], expected: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, wrong={**WRONG, **NETWORK})
    found = outcomes(run_pytest(tmp_path, "-v", *chosen).stdout)
    assert found == {f"wrong.grad.yaml::{name}": each for name, each in expected.items()}


def test_several_processes_find_the_same(tmp_path: Path) -> None:
    write(tmp_path, wrong={**WRONG, **NETWORK}, right={**RIGHT, **NETWORK})
    result = run_pytest(tmp_path, "-p", "xdist", "-n", "2", "-q", "-rf")
    assert "4 failed, 8 passed" in result.stdout, result.stdout
    assert "GC102 constant-factor in square" in result.stdout
    assert "Traceback" not in result.stdout


def test_an_invalid_spec_is_an_error_of_collection_shown_in_its_source(tmp_path: Path) -> None:
    write(tmp_path, broken=BROKEN, right=RIGHT)
    result = run_pytest(tmp_path)
    assert result.returncode == 2
    assert (
        "broken.grad.yaml:3:13: SP009 kind cannot be 'aktivation'\n"
        " 3 │   f: {kind: aktivation, forward: x**2}\n"
        "   │             ^^^^^^^^^^\n" in result.stdout
    )
    assert "did you mean activation?" in result.stdout
    assert "Traceback" not in result.stdout
    assert "ERROR broken.grad.yaml" in result.stdout


def test_options_that_contradict_are_an_error_of_collection(tmp_path: Path) -> None:
    write(tmp_path, odd={**RIGHT, "check": {"step": 0.1}})
    result = run_pytest(tmp_path)
    assert result.returncode == 2
    assert "step: only with oracle: central or forward" in result.stdout
    assert "Traceback" not in result.stdout


def test_python_is_run_where_that_is_allowed(tmp_path: Path) -> None:
    write(tmp_path, layer=WITH_LAYER)
    (tmp_path / "layer.py").write_text(LAYER.replace("BODY", "pass"))
    refused = run_pytest(tmp_path)
    assert refused.returncode == 2
    assert "SP018" in refused.stdout
    assert "pass --gradcli-allow-python if you trust this spec" in refused.stdout
    allowed = run_pytest(tmp_path, "--gradcli-allow-python", "-v")
    assert set(outcomes(allowed.stdout).values()) == {"passed"}
    (tmp_path / "pytest.ini").write_text("[pytest]\ngradcli_allow_python = true\n")
    assert outcomes(run_pytest(tmp_path, "-v").stdout) == outcomes(allowed.stdout)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("cotangent *= 1", ""),
        ("cotangent *= 2", "GC006"),
        ("self.calls = getattr(self, 'calls', 0) + 1; cotangent = cotangent * self.calls", "GC005"),
        ("raise ValueError('no')", "GC007"),
    ],
)
def test_what_a_layer_does_beside_its_gradients_is_some_test(
    body: str, code: str, tmp_path: Path
) -> None:
    """The definition alone is left out, so that nothing but the layer in its network tells."""
    write(tmp_path, layer={**WITH_LAYER, "check": {"skip": ["double", "double.*"]}})
    (tmp_path / "layer.py").write_text(LAYER.replace("BODY", body))
    result = run_pytest(tmp_path, "--gradcli-allow-python", "-v", "-W", "error")
    report = gradcli.check(tmp_path / "layer.grad.yaml", allow_python=True)
    assert ("failed" in outcomes(result.stdout).values()) == (not report.passed)
    assert code in result.stdout
    assert bool(code) == (not report.passed)
    assert "Traceback" not in result.stdout


def test_a_warning_is_no_wrong_gradient(tmp_path: Path) -> None:
    write(tmp_path, layer=WITH_LAYER)
    body = "import warnings; warnings.warn('old', DeprecationWarning)"
    (tmp_path / "layer.py").write_text(LAYER.replace("BODY", body))
    result = run_pytest(tmp_path, "--gradcli-allow-python", "-v", "-W", "error")
    assert set(outcomes(result.stdout).values()) == {"passed"}, result.stdout


def test_what_only_misspells_is_no_pass(tmp_path: Path) -> None:
    write(tmp_path, net={**RIGHT, **NETWORK, "check": {"only": ["dense_1.*", "dens_2.*"]}})
    result = run_pytest(tmp_path)
    assert result.returncode == 1
    assert "nothing was checked of dens_2.*: nothing here is called so" in result.stdout


def test_the_seed_is_an_option(tmp_path: Path) -> None:
    write(tmp_path, net={**WRONG, **NETWORK, "check": {"only": ["inputs"]}})

    def worst(*arguments: str) -> str:
        printed = run_pytest(tmp_path, *arguments).stdout
        return next(line for line in printed.splitlines() if line.startswith("worst entry"))

    own, other = worst(), worst("--gradcli-seed", "7")
    assert other != own
    (tmp_path / "pytest.ini").write_text("[pytest]\ngradcli_seed = 7\n")
    assert worst() == other
    assert worst("--gradcli-seed", "0") == own
    wrong = run_pytest(tmp_path, "--gradcli-seed", "seven")
    assert wrong.returncode == 4
    assert "gradcli_seed: expected a whole number, got 'seven'" in wrong.stdout + wrong.stderr


def test_without_specs_nothing_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "test_light.py").write_text(
        "import sys\n\n"
        "def test_light():\n"
        "    heavy = {'numpy', 'rich', 'yaml', 'click', 'gradcli.api', 'gradcli.errors'}\n"
        "    assert not heavy & set(sys.modules)\n"
        "    assert 'gradcli.pytest_plugin' in sys.modules\n"
    )
    result = run_pytest(tmp_path, "-q")
    assert result.returncode == 0, result.stdout


def test_it_is_what_the_package_tells_pytest_to_load() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"gradcli": "gradcli.pytest_plugin"}
    plugin = importlib.import_module("gradcli.pytest_plugin")
    assert callable(plugin.pytest_collect_file)
