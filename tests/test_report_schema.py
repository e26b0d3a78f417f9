"""The published schema of reports: every command's JSON conforms to it, and wrong JSON does not."""

from __future__ import annotations

import copy
import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import click
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from test_flow_paper import QUICK

import gradcli
from gradcli import analysis
from gradcli.analysis.in_json import Shape
from gradcli.analysis.report_schema import REPORTS, report_schema
from gradcli.cli.main import main
from gradcli.errors import InternalError, SpecProblem, UsageError
from gradcli.report.json import jsonable

ROOT: Final = Path(__file__).parent.parent
SCHEMA: Final = gradcli.schema("report")
VALIDATOR: Final = Draft202012Validator(SCHEMA)

SMALL: Final = "--width 8 --batch 8 --seeds 2"
COMMANDS: Final = (
    "check specs/digits.yaml specs/quickstart.yaml specs/course-notes missing.yaml",
    "check specs/triplet_digits.yaml --timing",
    "check specs/quickstart.yaml --self-test",
    "flow --depth 20 --activation sigmoid --remedies " + SMALL,
    "flow specs/exploding_gain.yaml --seeds 2",
    "flow --arch lstm --depth 4 " + SMALL,
    "flow --depth 3 --seeds 1 --width 4 --batch 4 --dtype float32 --timing",
    "flow specs/multi_task_uncertainty.yaml --seeds 2",
    "flow --paper",
    "flow missing.yaml",
    "flow --critical --activation tanh",
    "flow --critical --activation relu",
    "graph specs/residual_tanh.yaml --run",
    "graph specs/triplet_digits.yaml --timing",
    "graph missing.yaml",
    "loss huber mae:delta",
    "loss huber mae adaptive_robust",
    "loss cross_entropy --targets 0.2,0.8 --predictions 0.5,0.5",
    "loss specs/course-notes/huber.yaml missing.yaml",
    "curvature specs/quickstart.yaml",
    "curvature specs/iris.yaml --method lanczos --timing",
    "curvature missing.yaml",
    "train specs/digits.yaml --steps 4 --clip norm=1 --check-every 4 --approximations",
    "train specs/digits.yaml --steps 2 --curriculum self_paced --anneal temperature=exponential",
    "train specs/multi_task_uncertainty.yaml --steps 2 --precision mixed",
    "train specs/triplet_digits.yaml --steps 2",
    "train missing.yaml",
    "list",
    "explain huber dense GC102 SP001 lipschitz consistency he_normal",
    "explain step-size specs/quickstart.yaml",
)
"""Calls whose reports have results of every kind, most of their optional parts, and errors."""


def documents() -> Iterator[tuple[str, Any]]:
    for line in COMMANDS:
        result = CliRunner().invoke(main, [*line.split(), "--format", "json"])
        if result.stdout:
            yield line, json.loads(result.stdout)


@pytest.fixture(scope="module")
def reports() -> dict[str, Any]:
    """What the commands print, by command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr("gradcli.analysis.flow.paper.run.EXPERIMENTS", QUICK)
        return dict(documents())


def is_valid(document: Any) -> bool:
    return VALIDATOR.is_valid(document)


def test_it_is_a_schema_of_the_draft_that_it_names() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


def test_what_commands_print_conforms(reports: dict[str, Any]) -> None:
    assert len(reports) >= len(COMMANDS) - 1
    for line, document in reports.items():
        assert [error.message for error in VALIDATOR.iter_errors(document)] == [], line


def test_every_command_with_json_is_in_it_and_tried(reports: dict[str, Any]) -> None:
    context = click.Context(main)
    with_json = set()
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        if any(option.name == "form" for option in command.params):
            with_json.add(name)
    assert with_json == set(SCHEMA["properties"]["command"]["enum"])
    assert with_json == {document["command"] for document in reports.values()}
    assert with_json == {report.command for report in REPORTS}


def test_every_class_of_reports_is_entered() -> None:
    """Of a command with several, the others would hide one that is forgotten."""
    found = set()
    for module in pkgutil.walk_packages(analysis.__path__, f"{analysis.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            is_ours = isinstance(value, type) and value.__module__ == module.name
            if is_ours and getattr(value, "command", "") and "results" in value.__annotations__:
                found.add(value)
    assert found == set(REPORTS)


@pytest.mark.parametrize("name", SCHEMA["$defs"])
def test_every_definition_is_needed_by_a_report(name: str, reports: dict[str, Any]) -> None:
    """One that no report reaches could say anything: with it closed, some report is refused."""
    closed = {**SCHEMA, "$defs": {**SCHEMA["$defs"], name: False}}
    validator = Draft202012Validator(closed)
    assert not all(map(validator.is_valid, reports.values()))


PLANTS: Final[dict[str, Callable[[Any], Any]]] = {
    "another schema": lambda d: d.update(schema="gradcli/2"),
    "no seed": lambda d: d.pop("seed"),
    "an unknown key": lambda d: d.update(extra=1),
    "an unknown command": lambda d: d.update(command="chek"),
    "results of another command": lambda d: d.update(command="flow"),
    "an exit code that there is not": lambda d: d.update(exit_code=5),
    "results that are no list": lambda d: d.update(results={}),
    "no name": lambda d: d["results"][0].pop("name"),
    "an unknown verdict": lambda d: d["results"][0].update(verdict="passed"),
    "an unknown key of a result": lambda d: d["results"][0].update(met_by=None),
    "a loss that is a text": lambda d: d["results"][0].update(loss="2.5"),
    "a tensor without a shape": lambda d: d["results"][0]["tensors"][0].pop("shape"),
    "a shape of fractions": lambda d: d["results"][0]["tensors"][0].update(shape=[1.5]),
    "an unknown kind": lambda d: d["results"][0]["tensors"][0].update(kind="weight"),
    "an error that is null": lambda d: d["results"][0]["tensors"][0].update(max_rel_error=None),
    "a worst entry without its value": lambda d: d["results"][0]["tensors"][0]["worst"].pop(
        "numeric"
    ),
    "an invalid result with tensors": lambda d: d["results"][-1].update(tensors=[]),
    "a problem without a line": lambda d: d["results"][-1]["errors"][0].pop("line"),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_wrong_json_is_refused(plant: str, reports: dict[str, Any]) -> None:
    document = copy.deepcopy(reports[COMMANDS[0]])
    assert is_valid(document)
    PLANTS[plant](document)
    assert not is_valid(document)


def test_no_key_of_any_result_may_be_missing_or_misnamed(reports: dict[str, Any]) -> None:
    optional = {"details", "self_test"}
    for line, document in reports.items():
        for at, result in enumerate(document["results"]):
            for key in set(result) - optional:
                changed = copy.deepcopy(document)
                changed["results"][at][f"{key}_"] = changed["results"][at].pop(key)
                assert not is_valid(changed), (line, key)
            break  # all results of a command are of one schema, and this takes time


def test_numbers_that_json_lacks_are_texts() -> None:
    tensor = gradcli.check(ROOT / "specs/quickstart.yaml").to_dict()
    for value, expected in (("inf", True), ("-inf", True), ("nan", True), ("infinity", False)):
        tensor["results"][0]["tensors"][0]["max_abs_error"] = value
        assert is_valid(jsonable(tensor)) == expected


@dataclass(frozen=True)
class Part:
    """A part."""

    size: float


@dataclass(frozen=True)
class Result:
    """A result of one's own."""

    name: str
    pair: tuple[int, float]
    parts: tuple[Part, ...]
    hidden: object = None
    errors: tuple[SpecProblem, ...] = ()

    in_json: ClassVar = Shape(without=("hidden",), added={"total": None}, optional=("pair",))

    @property
    def total(self) -> float:
        return sum(part.size for part in self.parts)


@dataclass(frozen=True)
class OwnReport:
    """A report of one's own."""

    results: tuple[Result, ...]
    command = "own"


def own(**changed: Any) -> dict[str, Any]:
    result = {"name": "a", "pair": [1, 2.5], "parts": [{"size": "inf"}], "total": 1.0, **changed}
    return {
        "schema": "gradcli/1", "command": "own", "version": "1", "exit_code": 0, "seed": None,
        "results": [{key: value for key, value in result.items() if value is not ...}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"pair": ...}, True),
        ({"pair": [1]}, False),
        ({"pair": [1, 2, 3]}, False),
        ({"pair": [1.5, 2]}, False),
        ({"total": ...}, False),
        ({"total": None}, False),
        ({"parts": [{}]}, False),
        ({"parts": [{"size": 1, "more": 1}]}, False),
        ({"hidden": 1}, False),
        ({"errors": []}, False),
    ],
)
def test_a_new_report_is_read_off_its_fields(changed: dict[str, Any], expected: bool) -> None:
    schema = report_schema([OwnReport])  # type: ignore[list-item]
    assert Draft202012Validator(schema).is_valid(own(**changed)) == expected
    assert schema["$defs"]["Result"]["else"]["description"] == "A result of one's own."


def test_a_type_without_a_form_in_json_is_a_bug_of_ours() -> None:
    @dataclass(frozen=True)
    class Odd:
        results: tuple[set[int], ...]
        command = "odd"

    with pytest.raises(InternalError, match="no JSON Schema for the type"):
        report_schema([Odd])  # type: ignore[list-item]
    Odd.__annotations__["results"] = "tuple[complex, ...]"
    with pytest.raises(InternalError, match="no JSON Schema for the class complex"):
        report_schema([Odd])  # type: ignore[list-item]


def test_the_command_prints_either_schema() -> None:
    for arguments, expected in (
        (["schema", "report"], SCHEMA),
        (["schema", "spec"], gradcli.schema()),
        (["schema"], gradcli.schema()),
    ):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0
        assert json.loads(result.stdout) == json.loads(json.dumps(expected))
    assert CliRunner().invoke(main, ["schema", "reports"]).exit_code == 2
    with pytest.raises(UsageError, match="not of 'reports'"):
        gradcli.schema("reports")  # type: ignore[arg-type]
