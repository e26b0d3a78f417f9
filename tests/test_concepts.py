"""Every concept is complete, what it points to exists, and what it shows works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

import gradcli
import gradcli.ops
from gradcli.analysis.catalogue.topics import key_of_topic, topics
from gradcli.analysis.verdict import GRADES
from gradcli.cli.main import main
from gradcli.cli.values import topics_and_specs
from gradcli.core.references import REFERENCES
from gradcli.diagnostics.concept import AREAS, Concept, all_concepts

ROOT = Path(__file__).parent.parent
ALL = list(all_concepts().values())

every_concept = pytest.mark.parametrize("concept", ALL, ids=[each.name for each in ALL])
every_offer = pytest.mark.parametrize(
    "command",
    [command for each in ALL for command, _ in each.offers],
    ids=lambda command: command.removeprefix("gradcli "),
)

NAMED = """
    chain rule, backprop, backpropagation, backward pass, computational graph, topological
    order, automatic differentiation, forward mode, reverse mode, JVP, VJP, Jacobian, cotangent,
    subgradient, gradient check, relative error, grades, forward difference, central difference,
    step size, complex step, rounding error, Hessian, Hessian-vector product, HVP, Newton, BFGS,
    L-BFGS, Gauss-Newton, Fisher information, natural gradient, gradient flow, vanishing
    gradient, vanishing gradients, exploding gradient, gain, rate, product of norms, saturation,
    dead unit, dead units, mean field, edge of chaos, underflow, initialization, Xavier, Glorot,
    He, Kaiming, LeCun, residual connection, skip connection, normalization, gates, LSTM gates,
    backpropagation through time, BPTT, maximum likelihood, entropy, cross-entropy, KL, KL
    divergence, logits, label smoothing, entropy regularization, temperature, multi-task
    weighting, uncertainty weighting, contrastive loss, triplet loss, mining, semi-hard,
    consistency, convexity, strong convexity, Lipschitz, smoothness, boundedness, influence
    function, breakdown point, probabilistic interpretation, clipping, norm clipping, value
    clipping, curriculum, self-paced learning, easy-to-hard, annealing, schedule, cosine
    schedule, gradient accumulation, accumulation, mixed precision, checkpointing, gradient
    checkpointing, sparse gradients, quantised gradients, stochastic gradient, complexity,
    activation memory, recomputation, numerical gradient, adaptive loss, loss parameters,
    validation loss, negative sampling, importance sampling, prediction interval, prediction
    intervals, calibration, mse, mae, huber, quantile, binary cross-entropy, sigmoid, tanh,
    ReLU, leaky ReLU, ELU, Swish, SiLU, softmax, dense, linear, residual, L1, L2, he_normal,
    GC102, gc102, constant-factor, SP007, mean squared error, mean absolute error, Huber loss,
    pinball, negative log-likelihood, focal loss, hinge loss, 0-1 loss, batch normalization,
    dropout, logistic function, weight decay
"""
"""What the course names, as somebody might ask for it."""


@pytest.mark.parametrize("name", [" ".join(name.split()) for name in NAMED.split(",")])
def test_whatever_the_course_names_has_a_card(name: str) -> None:
    assert gradcli.explain(name).results


@every_concept
def test_a_concept_is_complete(concept: Concept) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", concept.name)
    assert concept.area in AREAS
    assert concept.summary.endswith("."), concept.summary
    assert len(concept.summary) <= 200
    assert len(concept.text.split()) >= 20
    assert all(line.endswith((".", "?", ")", ":")) for line in concept.description.splitlines())
    assert concept.see
    assert concept.name not in concept.see
    assert concept.references or concept.area == "numeric check"


@every_concept
def test_what_a_concept_points_to_exists(concept: Concept) -> None:
    index = topics()
    for name in concept.see:
        assert key_of_topic(name) in index, name
    assert set(concept.references) <= set(REFERENCES)


def test_no_two_concepts_share_a_name() -> None:
    names = [key_of_topic(name) for each in ALL for name in (each.name, *each.aliases)]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


@every_offer
def test_an_offered_command_is_one(command: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "gradcli"
    context = click.Context(main)
    name, found, rest = main.resolve_command(context, arguments)
    assert found is not None
    made = found.make_context(name, list(rest), parent=context)
    for argument in arguments:
        if argument.startswith("specs/"):
            assert (ROOT / argument).is_file()
    if name == "explain":
        topic_names, specs = topics_and_specs(made.params["topics"])
        assert gradcli.explain(*topic_names, sources=[ROOT / spec for spec in specs]).results
    if name == "list":
        options = {key: made.params[key] for key in ("search", "where")}
        assert gradcli.catalogue(made.params["kind"], **options).passed


@pytest.mark.parametrize(
    "concept", [each for each in ALL if each.example], ids=lambda concept: concept.name
)
def test_an_example_is_a_spec_whose_gradients_are_right(concept: Concept, tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(concept.example, encoding="utf-8")
    assert gradcli.check(path).passed


def test_the_grades_are_those_of_the_check() -> None:
    told = dict(line.split(": below ") for line in all_concepts()["grades"].formulas[:3])
    assert {word: float(bound) for word, bound in told.items()} == dict(GRADES)


def test_open_questions_say_what_is_known_and_what_is_left_out() -> None:
    asked = [each for each in ALL if each.area == "open question"]
    assert {each.name for each in asked} == {
        *("learned-loss", "prediction-interval", "calibration", "negative-sampling")
    }
    assert "out of gradcli's scope" in all_concepts()["learned-loss"].description
