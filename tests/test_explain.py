"""Cards: every op, rule and concept has a whole one, in every format and at every width."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import gradcli
import gradcli.ops
from gradcli.analysis.catalogue import Card, ExplainReport, OpCard
from gradcli.analysis.catalogue.examples import example_options
from gradcli.analysis.catalogue.op_cards import op_card
from gradcli.analysis.catalogue.topics import find_cards, topics
from gradcli.cli.main import main
from gradcli.core.op import Initializer, Layer, Loss, Macro, Op
from gradcli.core.registry import CATALOGUE
from gradcli.core.training_op import Choice, Curriculum, Optimizer, Schedule
from gradcli.diagnostics.concept import all_concepts
from gradcli.diagnostics.rules import all_rules
from gradcli.errors import UsageError
from gradcli.report.card_sections import sections_of
from gradcli.report.render import render
from gradcli.report.surface import Surface
from gradcli.spec import CODES, load_plan, load_text

NAMES = [
    *dict.fromkeys(op.name for op in CATALOGUE),
    *all_concepts(),
    *all_rules(),
    *CODES,
]
CARDS = {id(card): card for name in NAMES for card in find_cards([name])}.values()
OPS = list(CATALOGUE)
WIDTHS = (60, 80, 120)
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")

every_name = pytest.mark.parametrize("name", NAMES)
every_op = pytest.mark.parametrize("op", OPS, ids=lambda op: f"{op.kind}-{op.name}")


def strings(value: Any) -> Iterator[str]:
    """Every text and number in a JSON value, keys included, as text."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    else:
        yield " ".join(str(value).split())


def run(*arguments: str, columns: int = 80) -> str:
    result = CliRunner().invoke(main, arguments, env={"COLUMNS": str(columns)})
    assert result.exit_code == 0, result.output
    return result.stdout


@every_name
def test_json_holds_all_that_a_card_shows(name: str) -> None:
    report = gradcli.explain(name)
    told = json.loads(render(report, "json", Surface()))
    assert told["command"] == "explain"
    for card, result in zip(report.results, told["results"], strict=True):
        known = " | ".join(strings(result))
        for section in sections_of(card):
            assert section.blocks, section.heading
            for block in section.blocks:
                text = " ".join(block.text.split())
                assert text
                if section.heading in ("Properties", "Parameters") or text.startswith("with "):
                    numbers = {f"{float(found):.4g}" for found in NUMBER.findall(known)}
                    shown = {f"{float(found):.4g}" for found in NUMBER.findall(text)}
                    assert shown <= numbers, text
                elif section.heading == "Over a run":  # bars, of numbers in the JSON
                    assert set(text.split()[::2]) == set(card.to_dict()["curves"])
                else:
                    pieces = text.split(", ") if section.heading == "See also" else [text]
                    assert all(piece in known for piece in pieces), text


@every_name
@pytest.mark.parametrize("width", WIDTHS)
def test_a_card_keeps_its_width(name: str, width: int) -> None:
    surface = Surface(width)
    drawn = render(gradcli.explain(name), "table", surface)
    kept = {
        line
        for card in gradcli.explain(name).results
        for section in sections_of(card)
        for block in section.blocks
        if block.kind == "code"
        for line in block.text.split("\n")
    }
    wide = [line for line in drawn.splitlines() if len(line) > width and line.strip() not in kept]
    assert not [line for line in wide if line[2:] not in kept and line not in kept]


@every_name
def test_a_card_is_readable_where_there_is_ascii_only(name: str) -> None:
    drawn = render(gradcli.explain(name), "table", Surface(unicode=False))
    assert drawn.isascii(), sorted({letter for letter in drawn if not letter.isascii()})


@every_name
def test_a_card_is_the_same_in_markdown(name: str) -> None:
    report = gradcli.explain(name)
    shown = render(report, "markdown", Surface())
    bare = re.sub(r"[\\`*]|&lt;|<", "", shown)
    for card in report.results:
        for section in sections_of(card):
            assert not section.heading or f"\n### {section.heading}\n" in shown
            for block in section.blocks:
                for text in (block.label, *block.text.splitlines()):
                    words = " ".join(re.sub(r"[\\`*<]", "", text).split())
                    assert words in " ".join(bare.split())
    assert shown.count("\n## ") + shown.startswith("## ") == len(report.results)


@every_op
def test_an_op_card_is_whole(op: Op) -> None:
    card = op_card(op)
    assert card.summary.endswith(".")
    assert [parameter.name for parameter in card.parameters] == [each.name for each in op.params]
    if not isinstance(op, (Initializer, Layer, Macro)):
        assert card.forms
        assert all(form.formula for form in card.forms)
        has_gradient = not isinstance(op, (Optimizer, Schedule, Curriculum))
        assert all(bool(form.derivative) == has_gradient for form in card.forms)
    if op.kind == "loss" and isinstance(op, Loss):
        assert card.claims["convex"] in (True, False)
    assert set(card.references) == set(op.references)


def test_formulas_are_shown_at_the_choices_that_they_depend_on() -> None:
    op = CATALOGUE.find("triplet", Loss)
    assert op is not None
    assert [form.options for form in op_card(op).forms] == [
        {"distance": "squared"}, {"distance": "euclidean"},
    ]  # fmt: skip


@pytest.mark.parametrize("op", CATALOGUE.all(Layer), ids=lambda op: op.name)
def test_the_example_of_a_layer_fits_a_narrow_terminal(op: Layer) -> None:
    assert max(map(len, op_card(op).example.splitlines())) <= 58


@every_op
def test_the_example_of_an_op_is_a_spec(op: Op) -> None:
    card = op_card(op)
    loss = "" if "loss:" in card.example else "\nloss: mse"
    for shape in ("[6, 3]", "[6, 4, 3]"):  # recurrent layers want time steps
        head = f"gradcli: 1\ndata: {{inputs: {{shape: {shape}}}, targets: auto}}\n"
        try:
            plan = load_text(f"{head}{card.example}{loss}\n")
        except gradcli.SpecError as error:
            problem = error
        else:
            used = {node.op for node in plan.nodes} | {each.op for each in plan.losses}
            used |= {term.op for term in plan.terms}
            used |= {each.weighting.op for each in plan.losses if each.weighting}
            chosen = plan.sections.get("train", {}).values()
            used |= {each.op for each in chosen if isinstance(each, Choice)}
            assert op in used or isinstance(op, (Initializer, Macro))
            return
    raise problem


@pytest.mark.parametrize("name", ["dense", "rnn", "lstm", "gru", "batch_norm"])
def test_the_options_of_an_example_are_those_of_a_spec_without_them(name: str) -> None:
    """PyTorch's default draws biases as well, which `bias_init: zeros`, written, would not."""
    op = CATALOGUE.find(name, Layer)
    assert op is not None
    data = {"inputs": {"shape": [6, 4, 3]}, "targets": "auto"}
    needed = {key: value for key, value in example_options(op).items() if key == "units"}
    plans = [
        load_plan({"gradcli": 1, "data": data, "network": [{name: options}], "loss": "mse"})
        for options in (needed, example_options(op))
    ]
    without, written = ({key: each.init for key, each in p.parameters.items()} for p in plans)
    assert without == written


def test_uncertainty_is_that_of_tasks() -> None:
    (card,) = gradcli.explain("uncertainty").results
    assert card.name == "uncertainty-weighting"


def test_no_formula_negates_twice() -> None:
    for card in map(op_card, OPS):
        assert "-(-" not in str(card.to_dict()), card.name


def shown(name: str) -> str:
    return " ".join(run("explain", name).split())


@pytest.mark.parametrize(
    ("topic", "right", "wrong"),
    [
        ("huber", "convex yes", "That it is not convex"),
        ("huber", "no kink", "or not smooth"),
        ("influence function", "For squared error it is y − μ", "(y − μ)² for squared error"),
        ("xavier_normal", "2/(fan_in + fan_out)", "Variance 1/fan_in, which is LeCun's rule"),
        ("xavier", "2/(fan_in + fan_out)", "Var(W) = 1/fan_in. That is LeCun's rule"),
        ("uncertainty weighting", "zero at σ² = L", "σ² = √L (it is L)"),
        ("entropy regularization", "loss − λ·H(p), λ > 0", "loss + λ·H(p)"),
        ("contrastive loss", "Y = 1 means dissimilar", '"Y = 1 similar"'),
        ("semi-hard", "d(a, p) < d(a, n) < d(a, p) + m", "closer than the positive but within"),
        ("vanishing gradient", "the geometric mean", "is the condition. The product bounds"),
        ("product of norms", "An upper bound", "exploding because the bound is large"),
        ("exploding gradient", "weights drawn too large", "unbounded activations such as ReLU"),
        ("elu", "no kink", "smooth everywhere"),
        ("swish", "1 + exp(-beta*x)", "a further factor beta"),
        ("quantile", "-tau", "the gradient tau − 1 if y < p"),
        ("mse", "2 for each element, 2/n for the mean", "2·(p − y) for the mean over n elements"),
        ("strong convexity", "mean over n elements has 2/n", "with constant 2. That is"),
        ("clipping", "the direction stays", 'preserves the direction "when'),
        ("backward cost", "2·Σ_i n_i·n_{i+1}", "O(weights × forward pass)"),
        ("label smoothing", "ε H(u, p)", "That it is entropy regularization"),
        ("computational graph", "can be far fewer", "That memory is width × depth"),
        ("chain rule", "alternates", "Π W_lᵀ · Π diag(f'(z_l))"),
    ],
)
def test_where_the_course_is_wrong_the_card_is_right(topic: str, right: str, wrong: str) -> None:
    told = shown(topic)
    before, heading, after = told.partition("Often written, and wrong")
    assert heading
    assert right.lower() in (before + after.partition("With gradcli")[0]).lower()
    assert wrong.lower() in after.lower()


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (("HUBER",), ["huber"]),
        (("backprop",), ["backpropagation"]),
        (("BPTT",), ["backpropagation-through-time"]),
        (("glorot",), ["xavier-initialization"]),
        (("silu",), ["swish"]),
        (("vanishing", "gradient"), ["vanishing-gradient"]),
        (("vanishing", "GC102"), ["vanishing", "constant-factor"]),
        (("leaky relu",), ["leaky_relu"]),
        (("leaky-relu", "leaky_relu"), ["leaky_relu"]),
        (("non-finite",), ["non-finite"] * 3),
        (("Vanishing Gradients",), ["vanishing-gradient"]),
        (("sp007",), ["unknown-name"]),
    ],
)
def test_topics_are_found_by_any_of_their_names(asked: tuple[str, ...], names: list[str]) -> None:
    assert [card.name for card in gradcli.explain(*asked).results] == names


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("huberr", "did you mean huber?"),
        ("vanishing gradeint", "did you mean vanishing-gradient"),
        ("lipshitz", "did you mean lipschitz"),
        ("GC1O2", "did you mean GC1"),
        ("leaky_rleu", "did you mean leaky_relu"),
        ("?", "gradcli list shows all there are"),
        ("x" * 10_000, "gradcli list"),
    ],
)
def test_a_misspelled_topic_is_answered_with_the_nearest(asked: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        gradcli.explain(asked)
    assert hint in str(caught.value)


def test_an_explanation_reads_well_as_text() -> None:
    told = str(gradcli.explain("huber", "GC101"))
    assert told.splitlines()[0].startswith("huber: Quadratic near zero")
    assert told.splitlines()[1].startswith("sign-flipped: ")


def test_the_same_command_gives_the_same_bytes_in_a_pipe_and_without_colour() -> None:
    assert run("explain", "elu") == run("explain", "elu", "--no-color")
    assert "\x1b" not in run("explain", "elu")
    assert run("explain", "elu", "--format", "json") == run("explain", "elu", "--format", "json")


def test_a_card_says_what_its_op_claims() -> None:
    card = op_card(CATALOGUE.find("tanh", *{type(op) for op in OPS}))  # type: ignore[arg-type]
    assert isinstance(card, OpCard)
    drawn = render(ExplainReport((card,)), "table", Surface())
    for text in ("from -1 to 1", "at most 1 (Lipschitz", "odd: f(-x) = -f(x)", "0.7698"):
        assert text in drawn


@pytest.mark.parametrize(
    ("topic", "told"),
    [
        ("tanh", "1 for each element forward, 11 backward"),
        ("l2", "1 for each element forward, 2 backward"),
        # 20 rows of 6 features, the example's 3 units: 20·3·(6 + 5 + 1), and backward three sums
        ("dense", "720 forward and 1,359 backward for an input of 4×5×6"),
    ],
)
def test_a_card_says_what_its_op_costs(topic: str, told: str) -> None:
    (card,) = gradcli.explain(topic).results
    assert ("operations", told) in card.facts


def test_every_topic_has_one_card_or_several() -> None:
    assert {type(card).__name__ for card in CARDS} == {each.__name__ for each in Card.__args__}
    assert all(topics().values())


@pytest.mark.parametrize("code", [code for code in CODES if CODES[code].example])
def test_the_example_of_a_spec_error_has_it_and_no_other(code: str, tmp_path: Path) -> None:
    example = CODES[code].example
    path = tmp_path / "example.yaml"
    if example.startswith("gradcli check"):
        path = tmp_path / example.split()[-1]
    else:
        path.write_text(example, encoding="utf-8")
    report = gradcli.check(path, allow_python="--allow-python" in example)
    assert {problem.code for problem in report.results[0].errors} == {code}


def test_only_what_no_spec_can_have_today_has_no_example() -> None:
    assert [code for code in CODES if not CODES[code].example] == ["SP020"]
