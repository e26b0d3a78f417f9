"""JUnit XML: valid, with the diagnosis as the failure, and red exactly where the exit code is."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from junit_schema import ELEMENTS, faults

import gradcli
from gradcli.analysis.gradcheck.report import CheckReport, SpecResult
from gradcli.cli.main import main
from gradcli.errors import ExitCode, SpecProblem
from gradcli.report.check_cases import cases
from gradcli.report.check_junit import junit_report

RIGHT: dict[str, Any] = {
    "gradcli": 1,
    "define": {"square": {"kind": "activation", "forward": "x**2", "derivative": "2 * x"}},
}
NETWORK = {
    "data": {"inputs": {"shape": [8, 4]}, "targets": "auto"},
    "network": [{"dense": 6}, "square", {"dense": 3}],
    "loss": "mse",
}


def defined(**changed: str) -> dict[str, Any]:
    """The spec with its definition changed."""
    return {**RIGHT, "define": {"square": {**RIGHT["define"]["square"], **changed}}}


WRONG = defined(derivative="3 * x")
UNDECIDED = {
    **RIGHT,
    "define": {
        "square": {
            **WRONG["define"]["square"],
            "forward": "log(x)",
            "domain": {"x": [-2, -1]},
        }
    },
}
VACUOUS = defined(forward="0 * x", derivative="0 * x")
SILENT = {"gradcli": 1, "define": {"bare": {"kind": "activation", "forward": "x**2"}}}
SPECS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "right": (RIGHT, {}),
    "wrong": (WRONG, {}),
    "wrong in a network": ({**WRONG, **NETWORK}, {}),
    "wrong, expected": ({**WRONG, "expect": "fail"}, {}),
    "wrong, expected by its code": ({**WRONG, "expect": {"check": "GC102"}}, {}),
    "wrong, expected by another code": ({**WRONG, "expect": {"check": "GC101"}}, {}),
    "right, expected to fail": ({**RIGHT, "expect": "fail"}, {}),
    "undecided": (UNDECIDED, {}),
    "undecided, allowed": (UNDECIDED, {"allow_inconclusive": True}),
    "undecided, expected to fail": ({**UNDECIDED, "expect": "fail"}, {}),
    "vacuous": (VACUOUS, {}),
    "vacuous, strict": (VACUOUS, {"strict": True}),
    "vacuous, strict, allowed": (VACUOUS, {"strict": True, "allow_inconclusive": True}),
    "no claim": (SILENT, {}),
    "nothing selected": (RIGHT, {"skip": ["*"]}),
    "nothing selected, allowed": (RIGHT, {"skip": ["*"], "allow_inconclusive": True}),
    "self-test": ({**RIGHT, **NETWORK}, {"self_test": True}),
    "invalid": (defined(kind="aktivation"), {}),
}


def check(name: str) -> CheckReport:
    spec, options = SPECS[name]
    return gradcli.check(spec, **options)


def parsed(report: CheckReport) -> ET.Element:
    return ET.fromstring(junit_report(report))


def outcomes(report: CheckReport) -> dict[str, str]:
    return {case.name: case.outcome for result in report.results for case in cases(result)}


@pytest.mark.parametrize("name", SPECS)
def test_it_is_valid_and_red_exactly_where_the_exit_code_is(name: str) -> None:
    report = check(name)
    root = parsed(report)
    assert faults(root) == []
    red = int(root.attrib["failures"]) + int(root.attrib["errors"])
    assert bool(red) == (report.exit_code != ExitCode.OK)
    assert (int(root.attrib["failures"]) > 0) == (report.exit_code == ExitCode.WRONG)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("right", {"square": "pass"}),
        ("wrong", {"square": "fail"}),
        ("wrong, expected", {"square": "pass", "expect: fail": "pass"}),
        ("wrong, expected by another code", {"square": "fail", "expect: GC101": "fail"}),
        ("right, expected to fail", {"square": "pass", "expect: fail": "fail"}),
        ("undecided", {"square": "error"}),
        ("undecided, allowed", {"square": "skipped"}),
        ("vacuous", {"square": "pass"}),
        ("vacuous, strict", {"square": "error"}),
        ("no claim", {"bare": "skipped"}),
        ("invalid", {"spec": "error"}),
        (
            "self-test",
            {
                "square": "pass",
                **{f"dense_{i}.{name}": "pass" for i in (1, 2) for name in ("weight", "bias")},
                "inputs": "pass",
                "self-test": "pass",
            },
        ),
    ],
)
def test_a_case_a_tensor_and_definition(name: str, expected: dict[str, str]) -> None:
    assert outcomes(check(name)) == expected


def test_the_diagnosis_is_the_text_of_the_failure(tmp_path: Path) -> None:
    spec = tmp_path / "wrong.yaml"
    spec.write_text(
        "gradcli: 1\ndefine:\n  square: {kind: activation, forward: x**2, derivative: 3 * x}\n"
    )
    root = parsed(gradcli.check(spec))
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.text is not None
    assert failure.get("type") == "GC102"
    assert failure.get("message", "").startswith("GC102 constant-factor in square: exactly 1.5")
    assert failure.text.startswith(f"{spec}:3\n")
    assert "worst entry [" in failure.text
    assert "161/161 entries checked" in failure.text
    properties = {each.get("name"): each.get("value") for each in root.iter("property")}
    assert properties["file"] == str(spec)
    assert properties["verdict"] == "fail"
    assert properties["requires"] == "good (1e-05)"


def test_a_consequence_tells_its_cause() -> None:
    root = parsed(check("wrong in a network"))
    failures = {
        case.get("name"): (case.findtext("failure") or "") for case in root.iter("testcase")
    }
    for name in ("dense_1.weight", "inputs"):
        assert "wrong only because the gradient passes through square_1" in failures[name]
        assert "GC102 constant-factor in square_1" in failures[name]
    assert failures["dense_2.weight"] == ""


def test_an_invalid_spec_is_an_error_that_shows_where(tmp_path: Path) -> None:
    spec = tmp_path / "broken.yaml"
    spec.write_text("gradcli: 1\ndefine:\n  square: {kind: aktivation, forward: x**2}\n")
    error = parsed(gradcli.check(spec)).find("testsuite/testcase/error")
    assert error is not None
    assert error.get("type") == "SP009"
    lines = (error.text or "").splitlines()
    source = next(i for i, line in enumerate(lines) if line.endswith("forward: x**2}"))
    caret = lines[source + 1]
    assert caret.strip("│ ") == "^" * len("aktivation")
    assert lines[source][caret.index("^") :].startswith("aktivation")


def test_notes_that_no_case_speaks_of_are_in_the_suite() -> None:
    spec = {**RIGHT, **NETWORK, "network": [{"dense": 6}, {"dense": 3}, {"dropout": 0.5}]}
    suite = parsed(gradcli.check(spec)).find("testsuite")
    assert suite is not None
    told = suite.findtext("system-out") or ""
    assert "SP103 nothing-between" in told
    assert "SP104 dropout-on-output" in told


def test_what_xml_cannot_hold_is_spelled_out() -> None:
    name = "a\x01\ufffe\ud800<&\"'\u00fc\u2028\nb"
    result = SpecResult(name, name, "invalid", errors=(SpecProblem("SP001", name, name),))
    text = junit_report(CheckReport((result,)))
    assert text.isascii()
    root = ET.fromstring(text)
    assert faults(root) == []
    suite = root.find("testsuite")
    assert suite is not None
    assert suite.get("name") == "a\\x01\\xfffe\\xd800<&\"'\u00fc\\x2028\\x0ab"


def test_what_was_not_reached_is_no_pass() -> None:
    report = CheckReport(check("right").results, interrupted=True)
    root = parsed(report)
    assert faults(root) == []
    assert root.get("errors") == "1"
    assert "not checked" in "".join(root.itertext())


def test_the_command_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("right.yaml").write_text(
        "gradcli: 1\ndefine: {f: {kind: activation, forward: x, derivative: '1'}}"
    )
    arguments = ["check", "right.yaml", "--format", "junit", "--report", "out.xml"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout == Path("out.xml").read_text(encoding="ascii")
    assert CliRunner().invoke(main, arguments).stdout == result.stdout
    assert faults(ET.fromstring(result.stdout)) == []
    timed = CliRunner().invoke(main, [*arguments, "--timing"])
    assert float(ET.fromstring(timed.stdout).attrib["time"]) >= 0


@pytest.mark.parametrize(
    "harm",
    [
        lambda root: root.set("skipped", "0"),
        lambda root: root[0].attrib.pop("name"),
        lambda root: root[0].set("tests", "7"),
        lambda root: root[0].append(ET.Element("properties")),
        lambda root: root[0].insert(0, ET.Element("system-out")),
        lambda root: root[0].find("testcase").set("file", "a.yaml"),
        lambda root: root[0].find("testcase").append(ET.Element("properties")),
        lambda root: ET.SubElement(root, "summary"),
        lambda root: setattr(root[0], "text", "hello"),
    ],
)
def test_the_table_of_the_schemas_catches_what_they_refuse(harm: Any) -> None:
    root = parsed(check("wrong"))
    assert faults(root) == []
    harm(root)
    assert faults(root)


def test_the_table_knows_every_child_that_it_names() -> None:
    assert {name for element in ELEMENTS.values() for name, _ in element.children} < set(ELEMENTS)
