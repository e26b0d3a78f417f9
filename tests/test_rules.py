"""Every rule is explained, and the example in its explanation triggers it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import gradcli
from gradcli.cli.main import main
from gradcli.diagnostics.explanation import HEADINGS, explanation, sections
from gradcli.diagnostics.rules import RULES, Rule, all_rules, finding, rule

ALL = list(all_rules().values())
JSON = ("--format", "json")
INPUTS = {"x": (3, 4), "weight": (2, 4)}  # no two dimensions are equal

every_rule = pytest.mark.parametrize("each", ALL, ids=[each.code for each in ALL])


def codes_found(each: type[Rule], folder: Path) -> set[str]:
    """Codes of the findings in an example: a command, a spec, or a forward and a backward."""
    example = sections(each)["Example"]
    if example.startswith("gradcli "):
        # Verdicts depend on neither: a smaller network and batch are the same example, sooner.
        smaller = [] if "--width" in example else ["--width", "64"]
        return codes_of_command([*example.split()[1:], *smaller, "--batch", "16", *JSON])
    if example.startswith("gradcli:"):
        path = folder / "example.yaml"
        path.write_text(example, encoding="utf-8")
        if each.code.startswith("GT"):
            return codes_of_command(["train", str(path), *JSON])
        if each.code.startswith("GF"):
            return codes_of_command(["flow", str(path), *JSON])
        found = codes_of_command(["check", str(path), *JSON])
        return found | codes_of_command(["flow", str(path), *JSON])
    names: dict[str, Any] = {}
    exec(example, names)
    taken = names["forward"].__code__.co_varnames[: names["forward"].__code__.co_argcount]
    rng = np.random.default_rng(0)
    inputs = {name: rng.standard_normal(INPUTS[name]) for name in taken}
    forward = names["forward"]
    report = gradcli.check_vjp(lambda arrays: forward(**arrays), names["backward"], inputs)
    return {found.code for found in report.findings}


def codes_of_command(arguments: list[str]) -> set[str]:
    result = CliRunner().invoke(main, arguments)
    if not result.stdout:
        return set()
    results = json.loads(result.stdout)["results"]
    return {found["code"] for each in results for found in each.get("findings", ())}


@pytest.mark.parametrize(
    "each",
    [each for each in ALL if sections(each)["Example"] != "There is none."],
    ids=lambda each: each.code,
)
def test_the_example_triggers_its_rule(each: type[Rule], tmp_path: Path) -> None:
    assert each.code in codes_found(each, tmp_path)


@every_rule
def test_a_rule_has_all_headings_and_text_under_each(each: type[Rule]) -> None:
    texts = sections(each)
    assert list(texts) == ["", *HEADINGS]
    assert texts[""].endswith(".")
    for heading in HEADINGS[:-1]:
        assert len(texts[heading].split()) >= 5, heading
        assert texts[heading].rstrip("`").endswith("."), heading


@every_rule
def test_codes_and_names_follow_their_patterns(each: type[Rule]) -> None:
    assert re.fullmatch(r"G[CFT]\d{3}|SP1\d{2}", each.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", each.name)
    assert each.severity in ("error", "warning", "note")
    assert RULES[each.code] is each


@every_rule
def test_a_finding_takes_name_and_severity_from_its_rule(each: type[Rule]) -> None:
    found = finding(each.code, "dense_1", "message")
    assert (found.code, found.name, found.severity) == (each.code, each.name, each.severity)
    assert finding(each.code, "", "", severity="note").severity == "note"


def test_only_a_bug_of_gradcli_itself_has_no_example() -> None:
    without = [each.name for each in ALL if sections(each)["Example"] == "There is none."]
    assert without == ["bound-violated"]


def test_codes_of_a_family_have_names_of_their_own() -> None:
    named = [(each.code[:2], each.name) for each in ALL]
    assert len(named) == len(set(named))


def test_an_explanation_is_plain_data() -> None:
    told = explanation(RULES["GC102"])
    assert told["code"] == "GC102"
    assert told["severity"] == "error"
    assert set(told) >= {"summary", "meaning", "likely_cause", "what_to_look_at", "example"}
    assert told["example"].startswith("gradcli: 1\ndefine:\n  ")


def test_a_code_is_defined_once() -> None:
    with pytest.raises(ValueError, match="GC102 is defined twice"):
        rule(RULES["GC102"])


@pytest.mark.parametrize("each", [each.code for each in ALL] + ["constant-factor", "gc102"])
def test_every_rule_can_be_explained_on_the_command_line(each: str) -> None:
    result = CliRunner().invoke(main, ["explain", each])
    assert result.exit_code == 0
    for heading in HEADINGS:
        assert f"\n{heading}\n" in result.stdout


def test_explaining_as_json_and_markdown() -> None:
    result = CliRunner().invoke(main, ["explain", "GC101", "GC102", "--format", "json"])
    told = json.loads(result.stdout)
    assert [card["code"] for card in told["results"]] == ["GC101", "GC102"]
    result = CliRunner().invoke(main, ["explain", "GC102", "--format", "markdown"])
    assert "## GC102 constant-factor (error)" in result.stdout
    assert "```text\ngradcli: 1\n" in result.stdout


def test_a_misspelled_code_is_answered_with_the_nearest() -> None:
    result = CliRunner().invoke(main, ["explain", "constant-facter"])
    assert result.exit_code == 2
    assert "did you mean constant-factor?" in result.stderr
    result = CliRunner().invoke(main, ["explain", "?"])
    assert result.exit_code == 2
    assert "gradcli list shows all there are" in result.stderr
