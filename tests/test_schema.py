"""The JSON Schema: no valid spec is refused, and what a schema can see of a mistake is."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

import gradcli
import gradcli.ops
from gradcli.analysis.catalogue.op_cards import op_card
from gradcli.cli.main import main
from gradcli.core.op import Op
from gradcli.core.param import Param
from gradcli.core.registry import CATALOGUE, Catalogue
from gradcli.diagnostics.concept import all_concepts
from gradcli.diagnostics.explanation import sections
from gradcli.diagnostics.rules import all_rules
from gradcli.errors import InternalError
from gradcli.spec import load_plan
from gradcli.spec.problems import Problems
from gradcli.spec.schema import json_schema
from gradcli.spec.schema.values import closed
from gradcli.spec.yaml_nodes import parse

ROOT = Path(__file__).parent.parent
SCHEMA = gradcli.schema()
VALIDATOR = Draft202012Validator(SCHEMA)
DATA = "data: {inputs: {shape: [6, 4]}, targets: auto}"
NETWORK = f"{DATA}\nnetwork: [dense: 3]"


def read(text: str) -> Any:
    """A spec's text as plain data, read as specs are."""
    problems = Problems("spec.yaml", text)
    root = parse(text, problems)
    problems.raise_any()
    assert root is not None
    return root.plain()


def accepts(text: str) -> bool:
    return VALIDATOR.is_valid(read(text))


def written_specs() -> Iterator[tuple[str, str]]:
    """Every valid spec that the project shows somewhere, with where."""
    for path in sorted((ROOT / "specs").rglob("*.yaml")):
        yield str(path.relative_to(ROOT)), path.read_text("utf-8")
    readme = (ROOT / "README.md").read_text("utf-8")
    for number, block in enumerate(
        re.findall(r"^```yaml\n(gradcli: .*?)^```$", readme, re.M | re.S)
    ):
        yield f"README-{number}", block
    for code, rule in all_rules().items():
        example = sections(rule)["Example"]
        if example.startswith("gradcli:"):
            yield code, example
    for concept in all_concepts().values():
        if concept.example:
            yield concept.name, concept.example
    for op in CATALOGUE:
        example = op_card(op).example
        loss = "" if "loss:" in example else "\nloss: mse"
        yield f"{op.kind}-{op.name}", f"gradcli: 1\n{DATA}\n{example}{loss}"


SPECS = dict(written_specs())


def test_it_is_a_schema_of_the_draft_that_it_names() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)
    references = set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', json.dumps(SCHEMA)))
    assert references <= set(SCHEMA["$defs"])


@pytest.mark.parametrize("name", SPECS)
def test_every_spec_conforms(name: str) -> None:
    errors = [
        f"{list(error.absolute_path)}: {error.message[:200]}"
        for error in VALIDATOR.iter_errors(read(SPECS[name]))
    ]
    assert not errors


@pytest.mark.parametrize(
    "text",
    [
        f"{NETWORK}\nloss: {{sum: [mse: 0.5, l2: 1.0e-4, {{huber: {{delta: 2, weight: 3}}}}]}}",
        f"{NETWORK}\nloss: mse\ncheck:\nflow: {{fail-on: vanishing, seeds: 1e1}}",
        f"{NETWORK}\nloss: mse\ncheck: {{require: 1e-6, only: [a*, b], allow-inconclusive: true}}",
        f"{NETWORK}\nloss: mse\nexpect: {{check: GC102, flow: healthy}}",
        f"{DATA}\nnetwork: [{{dense: {{units: 3, init: {{normal: 0.1}}, name: first}}}}, tanh: ]",
        f"{DATA}\nnetwork: [{{residual: [{{residual: [tanh]}}]}}, dense: 2]\nloss: mse",
        "data: {file: a.csv, inputs: [a, b], targets: c}\nnetwork: [dense: 3]\nloss: mse",
        "data: {file: a.npy}\nnetwork: [dense: 3]",
        "data: {inputs: {values: [[1, 2], [3, 4]]}}\nnetwork: [dense: 1]",
        "define: {f: {kind: activation, forward: x, domain: {x: [0, inf]}, at: {x: 1}}}",
        "define: {f: {kind: loss, params: {tau: 0.1}, forward: p - y, gradient: 1}}",
        "define: {f: {kind: function, inputs: {x: {values: 3}}, forward: x, gradient: {x: g}}}",
        "define: {f: {kind: layer, python: m.py, class: C, params: {a: [1]}, "
        "inputs: {x: {shape: [2], dtype: int}}}}",
        f"define: {{f: {{kind: activation, forward: x}}}}\n{DATA}\nnetwork: [f, {{f: {{}}}}]",
    ],
)
def test_whatever_a_spec_may_write_conforms(text: str) -> None:
    assert accepts(f"gradcli: 1\n{text}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gradcli: 2\ndefine: {f: {kind: activation, forward: x}}",
        f"gradcli: 1\ndta: 1\n{NETWORK}",
        f"{NETWORK}",
        "gradcli: 1\nnetwork: [dense: 3]",
        f"gradcli: 1\nseed: -1\n{NETWORK}",
        f'gradcli: 1\nseed: "1"\n{NETWORK}',
        f"gradcli: 1\ndtype: float16\n{NETWORK}",
        f"gradcli: 1\n{DATA}\nnetwork: []",
        f"gradcli: 1\n{DATA}\nnetwork: [16]",
        f"gradcli: 1\n{DATA}\nnetwork: [desne: 3]",
        f"gradcli: 1\n{DATA}\nnetwork: [dense]",
        f"gradcli: 1\n{DATA}\nnetwork: [dense: -4]",
        f"gradcli: 1\n{DATA}\nnetwork: [dense: 1.5]",
        f"gradcli: 1\n{DATA}\nnetwork: [dense: many]",
        f"gradcli: 1\n{DATA}\nnetwork: [{{dense: 3, name: a}}]",
        f"gradcli: 1\n{DATA}\nnetwork: [{{dense: {{unts: 3}}}}]",
        f"gradcli: 1\n{DATA}\nnetwork: [{{dense: {{units: 3, bias: no}}}}]",
        f"gradcli: 1\n{DATA}\nnetwork: [{{dense: {{units: 3, init: he_norml}}}}]",
        f"gradcli: 1\n{DATA}\nnetwork: [{{dense: {{units: 3, init: normal}}}}]",
        f"gradcli: 1\n{DATA}\nnetwork: [{{dense: {{units: 3, name: loss}}}}]",
        f"gradcli: 1\n{DATA}\nnetwork: [tanh: 3]",
        f"gradcli: 1\n{DATA}\nnetwork: [residual: []]",
        f"gradcli: 1\n{DATA}\nnetwork: [{{repeat: {{times: 2, layers: [tanh], name: a}}}}]",
        f"gradcli: 1\n{DATA}\nnetwork: [mse]",
        f"gradcli: 1\n{DATA}\nnetwork: {{trunk: [dense: 3]}}",
        f"gradcli: 1\n{NETWORK}\nloss: cross_entorpy",
        f"gradcli: 1\n{NETWORK}\nloss: {{huber: {{delta: 0}}}}",
        f"gradcli: 1\n{NETWORK}\nloss: {{quantile: 1}}",
        f"gradcli: 1\n{NETWORK}\nloss: {{binary_cross_entropy: {{input: logit}}}}",
        f"gradcli: 1\n{NETWORK}\nloss: l2",
        f"gradcli: 1\n{NETWORK}\nloss: {{sum: []}}",
        f"gradcli: 1\n{NETWORK}\nloss: {{sum: [mse, l2]}}",
        f"gradcli: 1\n{NETWORK}\nloss: {{multi_task: {{tasks: {{a: {{weight: 1}}}}}}}}",
        f"gradcli: 1\n{NETWORK}\nloss: mse\ncheck: {{requires: good}}",
        f"gradcli: 1\n{NETWORK}\nloss: mse\ncheck: {{require: gud}}",
        f"gradcli: 1\n{NETWORK}\nloss: mse\nflow: {{fail_on: [vanish]}}",
        f"gradcli: 1\n{NETWORK}\nloss: mse\nexpect: {{check: GC999}}",
        f"gradcli: 1\n{NETWORK}\nloss: mse\nexpect: passes",
        "gradcli: 1\ndata: {inputs: x}\nnetwork: [dense: 3]",
        "gradcli: 1\ndata: {targets: auto}\nnetwork: [dense: 3]",
        "gradcli: 1\ndata: {inputs: {shape: [0, 4]}}\nnetwork: [dense: 3]",
        "gradcli: 1\ndata: {inputs: {shape: [4], values: [1]}}\nnetwork: [dense: 3]",
        "gradcli: 1\ndata: {inputs: {values: [[1, two]]}}\nnetwork: [dense: 3]",
        "gradcli: 1\ndata: {inputs: {shape: [4], distribution: cauchy}}\nnetwork: [dense: 3]",
        "gradcli: 1\ndefine: {}",
        "gradcli: 1\ndefine: {f: {forward: x}}",
        "gradcli: 1\ndefine: {tanh: {kind: activation, forward: x}}",
        "gradcli: 1\ndefine: {f: {kind: aktivation, forward: x}}",
        "gradcli: 1\ndefine: {f: {kind: activation, forwrd: x}}",
        "gradcli: 1\ndefine: {f: {kind: activation, forward: x, gradient: 1}}",
        "gradcli: 1\ndefine: {f: {kind: activation, forward: x, params: {x: 1}}}",
        "gradcli: 1\ndefine: {f: {kind: activation, forward: x, domain: {y: [0, 1]}}}",
        "gradcli: 1\ndefine: {f: {kind: activation, forward: x, domain: {x: [0]}}}",
        "gradcli: 1\ndefine: {f: {kind: function, forward: x}}",
        "gradcli: 1\ndefine: {f: {kind: function, forward: x, inputs: {x: {shape: [2]}}, "
        "backward: b}}",
        "gradcli: 1\ndefine: {f: {kind: layer, python: m.py}}",
    ],
)
def test_a_mistake_that_a_schema_can_see_is_refused(text: str) -> None:
    assert not VALIDATOR.is_valid(read(text) if text else None)


def bounded() -> Iterator[tuple[Op, Param]]:
    for op in CATALOGUE:
        for param in op.params:
            if param.kind in ("number", "integer", "boolean", "choice"):
                yield op, param


@pytest.mark.parametrize(
    ("op", "param"), list(bounded()), ids=lambda each: getattr(each, "name", str(each))
)
def test_the_schema_takes_of_an_option_what_the_op_takes(op: Op, param: Param) -> None:
    spec = read(SPECS[f"{op.kind}-{op.name}"])
    holder = next(found for found in mappings(spec) if param.name in found and len(found) < 8)
    values = [-2, -1, 0, 0.25, 1, 1.5, 2, 10**9, "zzz", True, None, *param.choices, *param.sweep]
    for value in values:
        holder[param.name] = value
        try:
            param.convert(value)
        except ValueError:
            assert not VALIDATOR.is_valid(spec), value
        else:
            assert VALIDATOR.is_valid(spec), value


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping within a value, the innermost first."""
    if isinstance(value, dict):
        for item in value.values():
            yield from mappings(item)
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from mappings(item)


POOL = (None, -1, 0, 0.5, 3, True, "x", "tanh", "mse", "auto", [], [1], {}, {"a": 1}, ["tanh"])


def changed(spec: Any, rng: np.random.Generator) -> Any:
    """The spec with one random entry taken out, replaced, or under another key."""
    spec = copy.deepcopy(spec)
    places = [(each, key) for each in mappings(spec) for key in each]
    holder, key = places[rng.integers(len(places))]
    value = holder.pop(key)
    action = rng.integers(3)
    if action == 1:
        holder[key] = POOL[rng.integers(len(POOL))]
    elif action == 2:
        other = places[rng.integers(len(places))][1]
        holder[other] = value
    return spec


def test_no_spec_that_loads_is_refused(rng: np.random.Generator) -> None:
    specs = [read(text) for text in SPECS.values() if "file:" not in text]
    loaded = 0
    for spec in specs * 25:
        other = changed(spec, rng)
        try:
            load_plan(other)
        except gradcli.SpecError:
            continue
        loaded += 1
        assert VALIDATOR.is_valid(other), other
    assert loaded > 2 * len(specs)


def test_a_section_that_the_schema_does_not_know_is_a_bug() -> None:
    with pytest.raises(InternalError, match="the schema knows"):
        closed({"a": {}}, ("a", "b"))


def test_it_follows_the_catalogue() -> None:
    op = CATALOGUE.find("relu", *{type(each) for each in CATALOGUE})  # type: ignore[arg-type]
    assert op is not None
    child = Catalogue(CATALOGUE).extended([op.replace(name="rectify")])
    text = f"gradcli: 1\n{DATA}\nnetwork: [dense: 3, rectify]\nloss: mse"
    assert not accepts(text)
    assert Draft202012Validator(json_schema(child)).is_valid(read(text))


def test_everything_in_it_is_described() -> None:
    for name, found in SCHEMA["properties"].items():
        assert found.get("description"), name
    layer = SCHEMA["$defs"]["layer"]["anyOf"][0]["properties"]
    assert all(options["description"] for options in layer.values())
    assert layer["dense"]["description"].startswith("Every unit a weighted sum")


def test_the_command_prints_it() -> None:
    result = CliRunner().invoke(main, ["schema"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads(json.dumps(SCHEMA))
    assert CliRunner().invoke(main, ["schema"]).stdout == result.stdout
