"""`gradcli graph` on the command line: what it prints in every format and at every width."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from graph_languages import Drawn, read_dot, read_mermaid
from graph_specs import ALL, HEADS, MIXED, RECURRENT, graph_of, mlp
from rich.cells import cell_len

import gradcli
from gradcli.cli.main import main
from gradcli.report.graph_words import branches, count, own_name
from gradcli.report.render import render
from gradcli.report.surface import Surface

ROOT = Path(__file__).parent.parent
READERS: dict[str, Callable[[str], Drawn]] = {"dot": read_dot, "mermaid": read_mermaid}


@pytest.fixture(autouse=True)
def plain(no_wishes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository as working directory, in an environment without wishes."""
    monkeypatch.chdir(ROOT)


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["graph", *arguments], input=stdin)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("specs/digits.yaml", 0, ""),
        ("specs/lstm_last.yaml --run", 0, ""),
        ("specs/deep_residual.yaml --all --quiet", 0, ""),
        ("specs/digits.yaml --format dot --dtype float32", 0, ""),
        ("missing.yaml", 2, "missing.yaml"),
        ("missing.yaml --format mermaid", 2, "missing.yaml"),
        ("specs/course-notes/swish.yaml", 2, "has definitions only"),
        ("specs/digits.yaml --format png", 2, "'png' is not one of"),
        ("specs/digits.yaml --report graph.png", 2, "must end in one of .json"),
        ("specs/digits.yaml --max-memory 1KiB --run", 2, "are allowed"),
        ("", 2, "Missing argument 'SPEC'"),
    ],
)
def test_exit_codes_and_messages(arguments: str, code: int, message: str) -> None:
    result = run(*arguments.split())
    assert (result.exit_code, message in result.output) == (code, True), result.output
    assert "Traceback" not in result.output


def test_a_spec_comes_from_standard_input() -> None:
    result = run("-", "--format", "json", stdin=(ROOT / "specs/digits.yaml").read_text("utf-8"))
    assert result.exit_code == 2  # its data is beside the file, not here
    assert "data/digits.npz" in result.output
    spec = json.dumps(mlp(2))
    assert json.loads(run("-", "--format", "json", stdin=spec).stdout)["results"][0]["depth"] == 6


@pytest.mark.parametrize("language", READERS)
@pytest.mark.parametrize("spec", ALL.values(), ids=ALL)
def test_drawings_hold_every_node_and_edge(spec: Any, language: str) -> None:
    report = gradcli.graph(spec)
    (result,) = report.results
    drawn = READERS[language](render(report, language, Surface()))
    names = {name: lines[0] for name, lines in drawn.labels.items()}
    assert sorted(names.values()) == sorted(node.name for node in result.nodes)
    edges = sorted((names[start], names[end]) for start, end in drawn.edges)
    assert edges == sorted((name, node.name) for node in result.nodes for name in node.reads)
    for name, blocks in drawn.blocks.items():
        node = next(node for node in result.nodes if node.name == names[name])
        assert node.name.startswith("".join(f"{block}." for block in blocks))
        assert any(str(node.parameters) in line for line in drawn.labels[name]) or (
            not node.parameters
        )


@pytest.mark.parametrize("language", READERS)
@pytest.mark.parametrize(
    "name",
    ['a "quoted" name', "back\\slash \\n \\N", "<b>&amp;#35;</b>", "`code` ; } --> n1", "ünï → ∂"],
)
def test_names_are_text_in_every_drawing(name: str, language: str) -> None:
    report = gradcli.graph({**MIXED, "name": name})
    assert READERS[language](render(report, language, Surface())).title == name


def test_control_characters_are_spelled_out() -> None:
    report = gradcli.graph({**MIXED, "name": "bell\x07\nend"})
    for language, read in READERS.items():
        assert read(render(report, language, Surface())).title == "bell\\x07\\x0aend"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("dot", 'digraph "a" {\n  n0 [label="x\\N"];\n}\n'),
        ("dot", 'digraph "a" {\n  n0 [label="x"];\n  n0 [label="y"];\n}\n'),
        ("dot", 'digraph "a"b" {\n}\n'),
        ("dot", 'digraph "a" {\n  subgraph cluster_0 {\n    label="b";\n}\n'),
        ("mermaid", '---\ntitle: "a"\n---\nflowchart TD\n  n0["a <b>"]\n'),
        ("mermaid", '---\ntitle: "a"\n---\nflowchart TD\n  n0["a "b""]\n'),
        ("mermaid", '---\ntitle: "a"\n---\nflowchart TD\n  n0["a #quot"]\n'),
        ("mermaid", '---\ntitle: "a"\n---\nflowchart TD\n  n0(["a"]\n'),
        ("mermaid", '---\ntitle: "a"\n---\nflowchart TD\n  subgraph b0 ["x"]\n'),
    ],
)
def test_the_readers_refuse_what_is_wrong(language: str, text: str) -> None:
    with pytest.raises((AssertionError, IndexError)):
        READERS[language](text)


def test_an_invalid_spec_has_no_drawing_and_its_problem_is_told() -> None:
    result = run("missing.yaml", "--format", "dot")
    assert result.stdout == ""
    assert "SP001" in result.stderr


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("spec", ["deep_residual", "multi_task_uncertainty", "rnn_sequence"])
def test_nothing_is_wider_than_the_terminal(
    spec: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = run(f"specs/{spec}.yaml", "--run").output
    assert max(map(cell_len, text.splitlines())) <= width
    headings = next(line for line in text.splitlines() if line.lstrip().startswith("node "))
    assert (
        headings.split()[: 4 if width == 60 else 5]
        == (["node", "shape", "parameters", "forward", "backward"][: 4 if width == 60 else 5])
    )


def test_the_tree_shows_blocks_above_what_is_in_them() -> None:
    lines = branches(graph_of(MIXED))
    assert [own_name(line) for line in lines] == [
        "inputs",
        "dense_1",
        "layer_norm_1",
        "residual_1",
        "├ dense_1",
        "├ tanh_1",
        "└ residual_1",
        "  ├ gelu_1",
        "  └ dense_1",
        "batch_norm_1",
        "prelu_1",
        "dropout_1",
        "dense_2",
        "loss",
        "├ mse",
        "├ l2",
        "└ l1",
    ]
    assert [line.order for line in lines][3:10] == [8, 3, 4, 7, 5, 6, 9]
    heads = [own_name(line) for line in branches(graph_of(HEADS))]
    assert heads[3:8] == ["kind.dense_1", "size", "├ dense_1", "├ elu_1", "└ dense_2"]


def test_long_graphs_are_folded_unless_all_is_asked_for() -> None:
    short = run("specs/deep_residual.yaml").output
    whole = run("specs/deep_residual.yaml", "--all").output
    assert "83 of 123 lines left out; --all shows every one" in " ".join(short.split())
    assert len(whole.splitlines()) == len(short.splitlines()) + 83 - 2
    assert "left out" not in whole


def test_every_number_of_the_table_is_in_the_json() -> None:
    result = json.loads(run("specs/digits.yaml", "--format", "json").stdout)["results"][0]
    table = run("specs/digits.yaml").output
    numbers = {int(word.replace(",", "")) for word in re.findall(r"\b\d[\d,]{3,}\b", table)}
    known = {
        result["parameters"],
        result["numeric"]["evaluations"],
        round(result["numeric"]["ratio"]),
    }
    for what in (result, *result["nodes"]):
        known |= {sum((what[way] or {}).values()) for way in ("forward", "backward")}
        known.add(what["parameters"])
    known |= {mode[end] for mode in result["modes"] for end in ("inputs", "outputs")}
    assert numbers <= known


@pytest.mark.parametrize("form", ["table", "json", "markdown", "dot", "mermaid"])
def test_the_same_command_gives_the_same_bytes(form: str) -> None:
    first, second = (run("specs/rnn_sequence.yaml", "--format", form).stdout for _ in range(2))
    assert first == second


def test_reports_are_written_in_every_kind(tmp_path: Path) -> None:
    kinds = ("json", "md", "svg", "txt", "dot", "mmd")
    files = [f"--report={tmp_path / 'graph'}.{kind}" for kind in kinds]
    assert run("specs/digits.yaml", *files).exit_code == 0
    assert read_dot((tmp_path / "graph.dot").read_text("utf-8")).title == "digits"
    assert read_mermaid((tmp_path / "graph.mmd").read_text("utf-8")).title == "digits"
    assert all((tmp_path / f"graph.{kind}").stat().st_size for kind in kinds)


def test_markdown_has_a_table_of_nodes() -> None:
    text = run("specs/multi_task_uncertainty.yaml", "--format", "markdown").stdout
    assert "| `└ dense_2` | 150×2 | 18 | 4,800 |" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 2  # of two tables


def test_ascii_where_the_terminal_has_no_more() -> None:
    report = gradcli.graph(RECURRENT, run=True)
    assert render(report, "table", Surface(unicode=False)).isascii()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9_999_999, "9,999,999"),
        (10_000_000, "10 M"),
        (123_456_789, "123.5 M"),
        (9_999_000_000, "9,999 M"),
        (12_345_678_901, "12.35 G"),
        (5 * 10**15, "5,000 T"),
        (5 * 10**20, "500,000,000 T"),
    ],
)
def test_long_numbers_have_a_unit(number: int, text: str) -> None:
    assert count(number) == text


def test_a_graph_of_ten_thousand_layers() -> None:
    result = graph_of(mlp(5_000, width=2, rows=2))
    assert (len(result.nodes), result.depth, result.live.values) == (10_003, 10_002, 2)
    assert result.checkpointing is not None
    assert result.checkpointing.segments == 100
    assert len(branches(result)) == len(result.nodes)


def test_blocks_within_blocks_as_deep_as_a_spec_goes() -> None:
    inner: list[Any] = [{"dense": 3}]
    for _ in range(14):
        inner = ["tanh", {"residual": inner}]
    spec = {**mlp(1, width=3), "network": inner}
    result = graph_of(spec)
    assert result.depth == 14 * 2 + 2
    assert result.live.values == 13 + 3  # the shortcuts around the innermost block, and its own
    report = gradcli.graph(spec)
    for language, read in READERS.items():
        assert max(map(len, read(render(report, language, Surface())).blocks.values())) == 14
