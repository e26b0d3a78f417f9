"""Every option of every command does something, seen by running the command with and without."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import click
import pytest
from click.testing import CliRunner

from gradcli import api
from gradcli.analysis import flow, training
from gradcli.cli.main import main
from gradcli.core.param import Param
from gradcli.spec.options import SECTIONS, Option


class Use(NamedTuple):
    """An option in use: a command line without it, and what it makes of that.

    `codes` are the exit codes without and with it. `said` is in what the command prints or writes
    with the option and not without, `gone` the other way round.
    """

    without: str
    option: str
    said: str = ""
    gone: str = ""
    codes: tuple[int, int] = (0, 0)


def named(*uses: Use) -> dict[str, Use]:
    """Uses by the option, as it is spelled."""
    return {use.option.split()[0]: use for use in uses}


def told(base: str) -> dict[str, Use]:
    """The options of every command with a report."""
    return named(
        Use(base, "--format json", '"schema": "gradcli/1"'),
        Use(base, "--report out.json", 'out.json: {\n  "schema": "gradcli/1"'),
        Use(f"FORCE_COLOR {base}", "--no-color", gone="\x1b["),
        Use(f"{base} --report folder.md", "--traceback", "Traceback", codes=(2, 2)),
    )


def running(base: str, quiet: Use) -> dict[str, Use]:
    """Those of every command that reads specs."""
    return told(base) | named(
        quiet,
        quiet._replace(option="-q"),
        Use(base, "--timing", "took "),
        Use(base, "--max-memory 1", "more than the 1", codes=(0, 2)),
    )


FLOW = "flow --depth 4 --width 8 --batch 4 --seeds 2 --no-remedies"
TRAIN = "train net.yaml --steps 2"
TWO = "loss cross_entropy --targets 0.5,0.5"

USES = {
    "": named(
        Use("", "--version", "gradcli 0.", codes=(2, 0)),
        Use("", "-V", "gradcli 0.", codes=(2, 0)),
    ),
    "check": running(
        "check net.yaml",
        Use("check net.yaml", "--quiet", gone="dense_1"),
    )
    | named(
        Use("check net.yaml --format json", "--seed 7", '"seed": 7'),
        Use("check net.yaml", "--dtype float32", "requires acceptable"),
        Use("check python.yaml", "--allow-python", "30 of 30", "SP018", (2, 0)),
        Use("check wrong.yaml", "--require 0.9", gone="GC102", codes=(1, 0)),
        Use("check net.yaml", "--only *.bias", gone="dense_1.weight"),
        Use("check net.yaml", "--skip *.bias", gone="dense_1.bias"),
        Use("check net.yaml", "--wrt inputs", gone="dense_1.weight"),
        Use("check net.yaml", "--entries 3", "3/"),
        Use("check net.yaml", "--budget 1", "projections"),
        Use("check net.yaml --format json", "--oracle ladder", '"oracle": "ladder"'),
        Use("check net.yaml --oracle central", "--step 0.5"),  # too large: others decide
        Use("check vacuous.yaml", "--strict", codes=(0, 3)),
        Use("check undecided.yaml", "--allow-inconclusive", codes=(3, 0)),
        Use("check net.yaml", "--self-test", "caught"),
        Use("check net.yaml", "--order 2", "Hv[dense_1.weight]"),
    ),
    "flow": running(FLOW, Use(FLOW, "--quiet", gone="dense_4"))
    | named(
        Use("flow --width 8 --batch 4 --seeds 1 --no-remedies", "--depth 3", "3 layers of 8"),
        Use("flow --depth 3 --batch 4 --seeds 1 --no-remedies", "--width 9", "3 layers of 9"),
        Use(FLOW, "--arch gru", "gru"),
        Use(FLOW, "--activation tanh", "tanh", "relu"),
        Use(f"{FLOW} --write-spec a.yaml", "--init orthogonal", "init: orthogonal"),
        Use(FLOW, "--gain 50", "exploding"),
        Use(f"{FLOW} --write-spec a.yaml", "--bias-std 0.5", "bias_init: {normal: {std: 0.5}}"),
        Use("flow --depth 4 --width 8 --seeds 2 --no-remedies --write-spec a.yaml", "--batch 5",
            "shape: [5, 8]"),
        Use(f"{FLOW} --write-spec a.yaml", "--loss huber", "loss: huber"),
        Use(FLOW, "--residual", "residual"),
        Use(f"{FLOW} --residual --write-spec a.yaml", "--residual-scale 0.25", "scale: 0.25"),
        Use(f"{FLOW} --write-spec a.yaml", "--norm layer", "layer_norm"),
        Use(f"{FLOW} --norm layer --write-spec a.yaml", "--norm-position post"),
        Use(f"{FLOW} --write-spec a.yaml", "--dropout 0.25", "dropout: {p: 0.25}"),
        Use(f"{FLOW} --write-spec a.yaml", "--input uniform:0.5", "uniform"),
        Use(FLOW, "--write-spec a.yaml", "a.yaml: # What `gradcli flow` built"),
        Use(f"{FLOW} --write-spec net.yaml", "--overwrite", gone="exists", codes=(2, 0)),
        Use("flow --depth 4 --width 8 --batch 4 --no-remedies", "--seeds 3", "over 3 seeds"),
        Use(FLOW, "--threshold 30", "threshold 30"),
        Use(f"{FLOW} --gain 50", "--fail-on exploding", codes=(0, 1)),
        Use(f"{FLOW.removesuffix(' --no-remedies')} --gain 50", "--no-remedies", gone="remedy"),
        Use(f"{FLOW} --gain 50", "--remedies", "remedy"),
        Use(FLOW, "--plot out.gif", "must end in .svg or .png", codes=(0, 2)),
        Use("flow --activation tanh", "--critical", "edge of chaos"),
        Use(FLOW, "--paper", "not with paper", codes=(0, 2)),
        Use("flow --depth 40 --width 8 --batch 4 --seeds 1 --no-remedies", "--all", "dense_22"),
        Use(f"{FLOW} --format json", "--seed 7", '"seed": 7'),
        Use(f"{FLOW} --write-spec a.yaml", "--dtype float32", "dtype: float32"),
        Use("flow layer.yaml", "--allow-python", gone="SP018", codes=(2, 0)),
    ),
    "loss": running("loss huber", Use("loss huber", "--quiet", gone="outlier"))
    | named(
        Use("loss huber", "--param delta=2", "delta = 2"),
        Use("loss mae", "--window -1 80", "60"),
        Use("loss cross_entropy", "--targets 0.5,0.5", "predictions", codes=(0, 2)),
        Use(TWO, "--predictions 0.25,0.75", "KL divergence", codes=(2, 0)),
        Use(TWO, "--logits 0,1", "KL divergence", codes=(2, 0)),
        Use("loss layer.yaml", "--allow-python", gone="SP018", codes=(2, 0)),
    )
    | named(Use("loss net.yaml", "--max-memory 1", "more than the 1", codes=(0, 2))),
    "curvature": running(
        "curvature net.yaml",
        Use("curvature net.yaml", "--quiet", gone="Gauss-Newton"),
    )
    | named(
        Use("curvature net.yaml", "--method lanczos", "Lanczos"),
        Use("curvature net.yaml --method lanczos", "--probes 5"),
        Use("curvature net.yaml --method lanczos", "--iterations 3"),
        Use("curvature net.yaml --method lanczos", "--tolerance 0.1"),
        Use("curvature net.yaml", "--no-steps", gone="L-BFGS"),
        Use("curvature net.yaml --no-steps", "--steps", "L-BFGS"),
        Use("curvature net.yaml", "--damping 7.25", "7.25"),
        Use("curvature net.yaml", "--history 3", "L-BFGS, 3"),
        Use("curvature net.yaml", "--plot out.gif", "must end in .svg or .png", codes=(0, 2)),
        Use("curvature net.yaml --format json", "--seed 7", '"seed": 7'),
        Use("curvature net.yaml --format json", "--dtype float32"),
        Use("curvature layer.yaml", "--allow-python", gone="SP018", codes=(2, 0)),
    ),
    "train": running(TRAIN, Use(TRAIN, "--quiet", gone="update/weight"))
    | named(
        Use("train net.yaml", "--steps 3", "in 3 steps"),
        Use(TRAIN, "--batch 2", "batches of 2"),
        Use(TRAIN, "--optimizer adam:beta1=0.5", "adam:beta1=0.5"),
        Use(TRAIN, "--lr 0.25", "learning rate 0.25"),
        Use(TRAIN, "--schedule cosine", "cosine"),
        Use(f"{TRAIN} --format json", "--anneal mse=linear", '"mse": 1.0'),
        Use(TRAIN, "--clip norm=1e-3", "by norm 0.001 cuts 2 of 2"),
        Use(TRAIN, "--accumulate 2", "2 of them a step"),
        Use(TRAIN, "--precision mixed", "mixed"),
        Use(f"{TRAIN} --precision mixed", "--loss-scale 8", "2^3"),
        Use(TRAIN, "--curriculum self_paced", "self_paced"),
        Use(TRAIN, "--check-every 2", "step 2 pass"),
        Use(TRAIN, "--approximations", "top 1%"),
        Use(f"{TRAIN} --lr 1e200", "--fail-on diverged", "--fail-on diverged", codes=(0, 1)),
        Use(TRAIN, "--log steps.jsonl", '{"number": 2'),
        Use(TRAIN, "--save-weights kept.npz", "run/steps"),
        Use("train net.yaml --steps 4", "--resume run.npz", "after the 1 before"),
        Use(f"{TRAIN} --format json", "--seed 7", '"seed": 7'),
        Use(TRAIN, "--dtype float32", "float32"),
        Use("train layer.yaml --steps 2", "--allow-python", gone="SP018", codes=(2, 0)),
    ),
    "graph": running("graph net.yaml", Use("graph net.yaml", "--quiet", gone="tanh_1"))
    | named(
        Use("graph net.yaml", "--run", "measured"),
        Use("graph deep.yaml", "--all", "dense_22"),
        Use("graph net.yaml --format json", "--seed 7", '"seed": 7'),
        Use("graph net.yaml", "--dtype float32"),
        Use("graph layer.yaml", "--allow-python", gone="SP018", codes=(2, 0)),
    ),
    "explain": told("explain huber"),
    "list": told("list terms")
    | named(
        Use("list losses", "--search focal", gone="huber"),
        Use("list losses", "--where not-convex", gone="huber"),
    ),
    "new": named(Use("new network net.yaml", "--overwrite", "written", codes=(2, 0))),
    "schema": {},
}  # fmt: skip
"""What each option does, by command and spelling; that of help is tried for itself."""

SPECS = {
    "net": "data: {inputs: {shape: [4, 3]}, targets: auto}\n"
    "network: [{dense: 2}, tanh, {dense: 2}]\nloss: mse",
    "deep": "data: {inputs: {shape: [4, 3]}, targets: auto}\n"
    "network: [{repeat: {times: 40, layers: [{dense: 3}, tanh]}}]\nloss: mse",
    "wrong": "define:\n  a: {kind: activation, forward: x**2, derivative: 3 * x}",
    "vacuous": "define:\n  a: {kind: activation, forward: 0 * x, derivative: 0 * x}",
    "undecided": "define:\n"
    "  a: {kind: activation, forward: log(x), derivative: 1/x, domain: {x: [-2, -1]}}",
}


@pytest.fixture
def folder(no_wishes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in SPECS.items():
        Path(f"{name}.yaml").write_text(f"gradcli: 1\n{text}\n", "utf-8")
    Path("folder.md").mkdir()
    api.template("function").write(Path("python.yaml"))
    api.template("layer").write(Path("layer.yaml"))
    api.train("net.yaml", steps=1, save_weights="run.npz")
    return tmp_path


def run(line: str) -> tuple[int, str]:
    """The exit code, and all that is printed and newly written; `FORCE_COLOR` may come first."""
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    first, _, rest = line.partition(" ")
    forced = first == "FORCE_COLOR"
    arguments = (rest if forced else line).split()
    result = CliRunner().invoke(main, arguments, env={"FORCE_COLOR": "1"} if forced else {})
    files = [path for path in sorted(Path().iterdir()) if path.is_file()]
    made = [path for path in files if before.get(path) != path.read_bytes()]
    texts = [f"{path}: {path.read_text('utf-8', 'replace')}" for path in made]
    for path in made:
        path.unlink()
        if path in before:
            path.write_bytes(before[path])
    return result.exit_code, "\n".join([result.output, *texts])


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(use, id=f"{command} {option}")
        for command, uses in USES.items()
        for option, use in uses.items()
    ],
)
@pytest.mark.usefixtures("folder")
def test_an_option_does_what_it_is_for(use: Use) -> None:
    code, plain = run(use.without)
    code_with, changed = run(f"{use.without} {use.option}")
    assert (code, code_with) == use.codes, plain + changed
    assert changed != plain
    assert use.said in changed
    assert not use.said or use.said not in plain
    assert not use.gone or use.gone in plain
    assert not use.gone or use.gone not in changed


def spelled(command: click.Command) -> set[str]:
    """Every spelling of every option, but for that of help."""
    return {
        word
        for param in command.params
        if isinstance(param, click.Option)
        for word in (*param.opts, *param.secondary_opts)
    }


def commands(group: click.Group) -> dict[str, click.Command]:
    """The group itself, as "", and its commands, by name."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {"": group} | {name: each for name, each in found.items() if each is not None}


def unused(group: click.Group) -> set[str]:
    """Options that no entry of the table uses."""
    return {
        f"{name} {word}"
        for name, each in commands(group).items()
        for word in spelled(each)
        if word not in USES.get(name, {})
    }


def choices(option: Option) -> set[str]:
    """The words that an option of a spec may be."""
    forms = [alternative.form for alternative in option.alternatives]
    return {word for form in forms if isinstance(form, Param) for word in form.choices}


def literals(kind: Any) -> set[str]:
    """The words that a type allows."""
    if get_origin(kind) is Literal:
        return set(get_args(kind))
    return set().union(*map(literals, get_args(kind)))


@pytest.mark.parametrize("section", SECTIONS)
def test_words_are_the_same_in_a_spec_on_the_command_line_and_from_python(section: str) -> None:
    command = {param.name: param.type for param in commands(main)[section].params}
    call = get_type_hints(getattr(api, section), localns={**vars(training), **vars(flow)})
    for name, option in SECTIONS[section].items():
        if not isinstance(option, Option) or not choices(option):
            continue
        if isinstance(command[name], click.Choice):
            assert set(command[name].choices) == choices(option)
        assert literals(call[name]) in (choices(option), set())


def test_every_option_is_in_use() -> None:
    assert not unused(main)
    for name, each in commands(main).items():
        assert set(USES[name]) <= spelled(each), name


@pytest.mark.parametrize("name", commands(main))
@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_is_every_command_s(name: str, word: str) -> None:
    commands(main)[name].get_params(click.Context(main))  # what Click makes now it keeps
    result = CliRunner().invoke(main, [*name.split(), word])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: gradcli {name}".rstrip())


def test_an_option_that_nothing_uses_is_found() -> None:
    added = click.Command("check", params=[click.Option(["--new-option", "-n"])])
    found = unused(click.Group("gradcli", commands={"check": added}))
    assert found == {"check --new-option", "check -n"}
    assert "more" not in USES
    other = click.Group("gradcli", commands={"more": click.Command("more", params=added.params)})
    assert unused(other) == {"more --new-option", "more -n"}


def test_the_words_of_the_table_are_options_of_their_lines() -> None:
    for name, uses in USES.items():
        for word, use in uses.items():
            assert use.option.split()[0] == word
            assert name in ("", *itertools.islice(use.without.split(), 2)), use
