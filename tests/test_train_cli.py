"""`gradcli train` as it is called: options, files, widths, mistakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import gradcli
from gradcli.cli.main import main
from gradcli.errors import UsageError

SPECS = Path(__file__).parent.parent / "specs"
DIGITS = str(SPECS / "digits.yaml")
SPEC = """\
gradcli: 1
data: {inputs: {shape: [64, 4], distribution: normal}, targets: auto, batch: 16}
network: [dense: 8, tanh, dense: 3]
loss: {cross_entropy: {temperature: 2}}
train:
  steps: 12
  optimizer: {adam: {beta1: 0.8}}
  lr: 0.01
  schedule: {cosine: {end: 0.1}}
  anneal: {temperature: {exponential: {end: 0.5}}}
  clip: {norm: 0.5}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["train", *arguments])


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def document(*arguments: str) -> dict[str, object]:
    (result,) = json.loads(run(*arguments, "--format", "json").stdout)["results"]
    assert isinstance(result, dict)
    return result


def test_the_section_is_what_the_options_are(spec: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.yaml"
    bare.write_text(SPEC.split("train:")[0])
    options = [
        *("--steps", "12", "--optimizer", "adam:beta1=0.8", "--lr", "0.01"),
        *("--schedule", "cosine:end=0.1", "--anneal", "temperature=exponential:end=0.5"),
        *("--clip", "norm=0.5"),
    ]
    written, given = document(str(spec)), document(str(bare), *options)
    for each in (written, given):
        del each["spec"], each["name"]
    assert written == given
    assert written["batch"] == 16


def test_the_command_line_wins(spec: Path) -> None:
    told = document(str(spec), "--steps", "3", "--optimizer", "sgd", "--batch", "all")
    assert told["optimizer"] == "sgd"
    assert told["batch"] == 64
    assert isinstance(told["steps"], list)
    assert len(told["steps"]) == 3


def test_every_step_is_logged_as_it_is_done(spec: Path, tmp_path: Path) -> None:
    log = tmp_path / "steps.jsonl"
    told = document(str(spec), "--log", str(log))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines == told["steps"]
    first = log.read_bytes()
    run(str(spec), "--log", str(log))
    assert log.read_bytes() == first


def test_only_a_log_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    """What fails beside it, such as a closed standard output, is not its fault."""
    from gradcli.cli.step_log import step_log

    with pytest.raises(BrokenPipeError), step_log(str(tmp_path / "steps.jsonl")):
        raise BrokenPipeError(32, "Broken pipe")
    with (
        pytest.raises(UsageError, match="cannot be written: Is a directory"),
        step_log(str(tmp_path)),
    ):
        pass


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_log_that_fills_the_disk_is_told(spec: Path) -> None:
    result = run(str(spec), "--log", "/dev/full")
    assert result.exit_code == 2
    assert "/dev/full cannot be written: No space left on device" in result.stderr


def test_weights_are_kept_and_a_run_goes_on(spec: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.npz"
    assert run(str(spec), "--save-weights", str(file), "-q").exit_code == 0
    with np.load(file) as kept:
        assert kept["dense_1.weight"].shape == (8, 4)
    rest = run(str(spec), "--resume", str(file), "--steps", "20")
    assert rest.exit_code == 0
    assert "8 steps after the 12 before" in rest.stdout


def test_a_gate_makes_it_one() -> None:
    diverging = run(DIGITS, "--lr", "1e6", "--steps", "30", "--fail-on", "diverged,non-finite")
    assert diverging.exit_code == 1
    assert "✗ DIVERGED" in diverging.stdout
    assert "exit 1: --fail-on diverged" in diverging.stdout
    assert run(DIGITS, "--lr", "1e6", "--steps", "30").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--optimizer", "adma"], "there is no optimizer 'adma'; did you mean adam?"),
        (["--optimizer", "adam:beta=1"], "adam has no option 'beta'; did you mean beta2?"),
        (["--optimizer", "adam:beta1=2"], "beta1 cannot be 2; expected a number at least 0"),
        (["--schedule", "cosin"], "there is no schedule 'cosin'; did you mean cosine?"),
        (["--anneal", "temperature"], "'temperature' is not WHAT=NAME"),
        (["--anneal", "temprature=constant"], "the loss has no 'temprature'"),
        (["--anneal", "temperature=linear"], "a temperature has to stay above 0"),
        (["--clip", "nrm=1"], "'nrm=1' is neither norm=C nor value=C"),
        (["--clip", "norm=0"], "'norm=0' is neither norm=C nor value=C"),
        (["--loss-scale", "8"], "loss_scale: only with precision: mixed"),
        (["--loss-scale", "x"], "'x' is neither dynamic nor a number above 0"),
        (["--fail-on", "divergence"], "'divergence' is none of diverged"),
        (["--batch", "0"], "'0' is neither all nor a number of entries"),
        (["--batch", "1000"], "batch: 1000 is more than the"),
        (["--check-every", "3"], "check_every: 3 is beyond the last of 2 steps"),
        (["--fail-on", "check-failed"], "fail_on check-failed: only with check_every"),
        (["--resume", "missing.npz"], "missing.npz"),
        (["--save-weights", "run.txt"], "an .npz file"),
        (["--log", "no/such/folder.jsonl"], "cannot be written"),
        (["--log", "spec.yaml"], "'spec.yaml' is named as a spec is"),
        (["--curriculum", "easy"], "there is no curriculum 'easy'"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_wrong_option_is_told(arguments: list[str], said: str, spec: Path) -> None:
    result = run(str(spec), *arguments, "--steps", "2")
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_a_wrong_section_is_told_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.replace("beta1", "beta3").replace("cosine", "cosin"))
    result = run(str(path))
    assert result.exit_code == 2
    told = result.stderr
    assert "spec.yaml:7:22" in told
    assert "adam has no option 'beta3'" in told
    assert "there is no schedule 'cosin'" in told
    assert "did you mean cosine?" in told


def test_what_cannot_be_trained_is_refused(tmp_path: Path) -> None:
    definitions = run(str(SPECS / "course-notes" / "swish.yaml"))
    assert definitions.exit_code == 2
    assert "nothing to train" in definitions.stderr
    missing = run("missing.yaml")
    assert missing.exit_code == 2


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("spec_name", ["digits", "triplet_digits", "multi_task_uncertainty"])
def test_it_fits_the_terminal(width: int, spec_name: str) -> None:
    result = CliRunner(env={"COLUMNS": str(width)}).invoke(
        main, ["train", f"specs/{spec_name}.yaml", "--steps", "14", "--clip", "norm=1"]
    )
    assert result.exit_code == 0
    longest = max(map(len, result.stdout.splitlines()))
    assert longest <= max(width, 60)  # the chart has a least width


@pytest.mark.parametrize("kind", ["json", "md", "svg", "txt"])
def test_reports_are_written(kind: str, spec: Path, tmp_path: Path) -> None:
    file = tmp_path / f"report.{kind}"
    assert run(str(spec), "--report", str(file), "-q").exit_code == 0
    assert "GT" in file.read_text() or "learning" in file.read_text()


def test_ctrl_c_prints_what_is_known(tmp_path: Path) -> None:
    """The process itself is interrupted after its first hundred steps."""
    code = (
        "import os, signal, sys\n"
        "from gradcli.analysis.training import run\n"
        "step = run._Run.step\n"
        "def stopping(self, number):\n"
        "    if number == 100:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    return step(self, number)\n"
        "run._Run.step = stopping\n"
        "from gradcli.cli.main import main\n"
        f"sys.argv = ['gradcli', 'train', {DIGITS!r}, '--steps', '100000', '--save-weights',"
        f" {str(tmp_path / 'run.npz')!r}]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 130, done.stderr
    assert "in 99 steps" in done.stdout
    assert "exit 130: interrupted" in done.stdout
    with np.load(tmp_path / "run.npz") as kept:
        assert kept["run/steps"].tolist() == [99, 99]


def test_the_version_of_a_run_in_python_is_the_same(spec: Path) -> None:
    told = gradcli.train(spec).to_dict()
    del told["seed"]
    printed = json.loads(run(str(spec), "--format", "json").stdout)
    del printed["seed"]
    from gradcli.report.json import jsonable

    assert jsonable(told) == printed
