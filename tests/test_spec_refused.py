"""Refused with the reason that helps: cut formulas, numbers out of range, unknown codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.api import check, load
from gradcli.errors import SpecError, SpecProblem
from gradcli.spec import load_plan, load_text

GOOD_DATA = "data: {inputs: {shape: [32, 8]}, targets: auto}"


def problems(text: str, folder: Path | str = "", **options: Any) -> tuple[SpecProblem, ...]:
    with pytest.raises(SpecError) as caught:
        load_text(text, "spec.yaml", folder=str(folder), **options)
    return caught.value.errors


DEFINED = "define: {f: {kind: activation, forward: x**2, derivative: 2 * x}}"


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("check: {require: 5}", (2, 18), "a number above 0 and below 1"),
        ("check: {oracle: complex, step: 1e-3}", (2, 32), "step: only with oracle: central or"),
        ("train: {loss_scale: 8}", (2, 21), "loss_scale: only with precision: mixed"),
        ("check: {oracle: complx}", (2, 17), "did you mean complex?"),
        ("flow: {fail_on: [vanishing, explodng]}", (2, 29), "did you mean exploding?"),
        ("check: {require: [good]}", (2, 18), "require cannot be a list"),
        ("weights: none.npz", (2, 1), "no network and no loss that weights could be for"),
        ("data: {inputs: {shape: [3, 2]}}", (2, 1), "no network and no loss that data could be"),
        ("data: {inputs: {shap: [3, 2]}}", (2, 17), "did you mean shape?"),
    ],
    ids=str,
)
def test_what_a_section_holds_in_vain_is_told_where_it_stands(
    text: str, where: tuple[int, int], said: str
) -> None:
    (problem,) = problems(f"gradcli: 1\n{text}\n{DEFINED}\n")
    assert (problem.line, problem.column) == where
    assert said in f"{problem.message} {problem.hint}"


def test_a_misspelled_section_is_not_missed_as_well() -> None:
    (problem,) = problems("gradcli: 1\ndefne: {}\n")
    assert problem.hint == "did you mean define?"
    (problem,) = problems("gradcli: 1\nseed: 3\n")
    assert problem.message == "the spec has nothing to check"


def test_a_wrong_section_does_not_hide_the_results_of_other_specs(tmp_path: Path) -> None:
    for name, check_section in {"a": "{require: 5}", "b": "{step: 1e-3}", "c": "{}"}.items():
        text = f"gradcli: 1\ncheck: {check_section}\n{DEFINED}\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    report = check(tmp_path)
    assert [result.verdict for result in report.results] == ["invalid", "invalid", "pass"]


def test_a_name_that_is_like_none_has_a_way_to_all() -> None:
    text = f"gradcli: 1\n{GOOD_DATA}\nnetwork: [conv2d: 3]\nloss: ce\n"
    assert {problem.hint for problem in problems(text)} == {"`gradcli list` shows all there are"}


def test_a_spec_that_is_named_twice_is_checked_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"gradcli: 1\n{DEFINED}\n")
    path = tmp_path / "b.yaml"
    report = check(path, tmp_path, str(path), tmp_path / "." / "b.yaml")
    assert [Path(result.spec).name for result in report.results] == ["b.yaml", "a.yaml"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("define:\n  f: {kind: activation\n  g: {}\n", "it begins on line 3"),
        ("define:\n  f:\n    forward: 'x\n", "it begins on line 4"),
        ("define:\n  f: where(x > 0: x)\n", "a text with a colon in it is written in quotes"),
        ("define: [a\n", "it begins on line 2"),
        ("define: [a}\n", ""),
    ],
)
def test_broken_yaml_says_where_it_began_or_what_mends_it(text: str, hint: str) -> None:
    (problem,) = problems(f"gradcli: 1\n{text}")
    assert (problem.code, problem.hint) == ("SP002", hint)


CUT = """gradcli: 1
define:
  fused:
    kind: function
    inputs: {a: {shape: [2, 3]}, b: {shape: [3, 2]}}
    forward: matmul(a, b)
    gradient: {a: matmul(g, transpose(b)), b: matmul(transpose(a), g)}
  step: {kind: activation, forward: where(x > 0, where(x > 1, x, x), 0), derivative: "1 + 0*x"}
"""


def test_a_formula_cut_at_its_comma_is_one_problem_that_says_to_quote_it() -> None:
    found = problems(CUT)
    assert [(p.code, p.line, p.source_line[p.column - 1 :][: p.length]) for p in found] == [
        ("SP017", 7, "matmul(g"),
        ("SP017", 7, "matmul(transpose(a)"),
        ("SP017", 8, "where(x > 0"),
    ]
    assert all("ends at its comma" in p.message for p in found)
    assert found[0].hint == 'write it in quotes: "matmul(g, ..."'


@pytest.mark.parametrize(
    "text",
    [
        "{kind: activation, forward: '(x', derivative: null}",  # quoted: the bracket is missing
        "{kind: activation, forward: (x, derivative: x}",
        "{kind: activation, forward: (x, params: {}, derivative: null}",
    ],
)
def test_a_bracket_that_is_missing_is_no_cut(text: str) -> None:
    found = problems(f"gradcli: 1\ndefine:\n  f: {text}\n")
    assert not [problem for problem in found if "comma" in problem.message]
    assert any(problem.code == "SP017" for problem in found)


@pytest.mark.parametrize(
    ("written", "shown"), [("1" + "0" * 400, "1" + "0" * 18 + "…"), ("1e400", "1e400")]
)
def test_a_number_beyond_floats_is_shown_as_written(written: str, shown: str) -> None:
    (problem,) = problems(f"gradcli: 1\n{GOOD_DATA}\nnetwork: [dense: {written}]\nloss: mse\n")
    assert problem.message == f"units cannot be {shown}"
    (problem,) = problems(f"gradcli: 1\ndata: {{inputs: {{values: [[{written}]]}}}}\nloss: mse\n")
    assert problem.message == f"values hold {shown}"


def test_a_number_beyond_floats_in_python_is_shown_by_its_size() -> None:
    with pytest.raises(SpecError, match=r"units cannot be 2\^16609"):
        load_plan({"gradcli": 1, "network": [{"dense": 10**5000}]})


@pytest.mark.parametrize("head", ["dtype: float32", "check: {dtype: float32}"])
@pytest.mark.parametrize(
    "data",
    ["{inputs: {values: [[1.0, 1.0e39]]}, targets: auto}",
     "{inputs: {shape: [1, 2]}, targets: {values: [[1.0, -1.0e39]]}}"],
)  # fmt: skip
def test_numbers_beyond_float32_are_refused_where_that_is_the_precision(
    head: str, data: str
) -> None:
    (problem,) = problems(f"gradcli: 1\n{head}\ndata: {data}\nloss: mse\n")
    assert (problem.code, problem.line) == ("SP014", 3)
    assert "1e+39 at [0, 1] is not finite in float32" in problem.message
    text = f"gradcli: 1\n{head}\ndata: {data}\nloss: mse\n"
    assert load_text(text, overrides={"dtype": "float64"}).dtype == "float64"


def test_weights_beyond_float32_are_refused_where_that_is_the_precision(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{"dense_1.weight": np.full((2, 8), 1e39)})
    text = f"gradcli: 1\n{GOOD_DATA}\nnetwork: [dense: 2]\nweights: w.npz\nloss: mse\n"
    (problem,) = problems(text, tmp_path, overrides={"dtype": "float32"})
    assert problem.code == "SP014"
    assert "dense_1.weight: 1e+39 at [0, 0] is not finite in float32" in problem.message
    assert load_text(text, folder=str(tmp_path)).weights


@pytest.mark.parametrize(
    ("expected", "near"), [("GC999", "GC205"), ("GF101", "GC101"), ("GC008", "GC002")]
)
def test_only_codes_that_a_check_can_find_are_expected(expected: str, near: str) -> None:
    text = f"gradcli: 1\nexpect: {{check: {expected}}}\n{GOOD_DATA}\nloss: mse\n"
    (problem,) = problems(text, check_codes=lambda: ["GC205", "GC101", "GC002"])
    assert (problem.code, problem.line, problem.column) == ("SP009", 2, 17)
    assert problem.message == f"check never finds {expected}"
    assert problem.hint == f"did you mean {near}?"
    (result,) = check(text=(text, "spec.yaml")).results
    assert [found.message for found in result.errors] == [problem.message]
    assert load_text(text.replace(expected, near)).expect.check == near


def test_definitions_alone_are_no_model() -> None:
    only = {"f": {"kind": "activation", "forward": "x*x", "derivative": "2*x"}}
    with pytest.raises(SpecError, match=r"SP008 .* has definitions only"):
        load({"gradcli": 1, "define": only})


def test_a_problem_found_later_is_shown_at_what_the_line_writes() -> None:
    plan = load_text(f"gradcli: 1\n{GOOD_DATA}\nnetwork:\n  - dense: 3  \nloss: mse\n", "a.yaml")
    problem = plan.problem("SP021", "no", plan.nodes[0].line, hint="yes")
    assert (problem.file, problem.line, problem.column) == ("a.yaml", 4, 5)
    assert problem.source_line[4:][: problem.length] == "dense: 3"
    from_python = load_plan(
        {
            "gradcli": 1,
            "data": {"inputs": {"shape": [2, 2]}, "targets": "auto"},
            "network": [{"dense": 3}],
            "loss": "mse",
        }
    )
    nowhere = from_python.problem("SP021", "no", from_python.nodes[0].line)
    assert (nowhere.line, nowhere.column, nowhere.source_line) == (0, 0, "")
