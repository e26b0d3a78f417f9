"""A gradient check as JUnit XML: a suite a spec, a case a tensor or definition.

It is what both schemas take that Jenkins has had for it (junit-4 and junit-10 of its xUnit plugin),
which GitLab, Azure and others read as well. These know no file and line of a case: both are in its
text, the file in the suite's properties too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

from gradcli import __version__
from gradcli.analysis.gradcheck.report import CheckReport, SpecResult
from gradcli.report import words
from gradcli.report.characters import printable
from gradcli.report.check_cases import Case, cases, notes_of_spec, place

__all__ = ["junit_report"]

_TAGS: Final = {"fail": "failure", "error": "error", "skipped": "skipped"}
_NOT_XML: Final = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_report(report: CheckReport, *, seconds: float | None = None) -> str:
    """The report as XML in ASCII, so that no locale can spoil it.

    A gradient proven wrong is a failure. What came to no verdict is an error: an invalid spec, a
    bug in gradcli, and what is inconclusive, since it makes the exit code 3. What is inconclusive
    and allowed, and a definition that claims nothing, are skipped.
    """
    root = ET.Element("testsuites", name="gradcli check")
    tallies = [_suite(root, at, result, cases(result)) for at, result in enumerate(report.results)]
    if report.interrupted and not any(result.interrupted for result in report.results):
        tallies.append(_interrupted(root, len(tallies)))
    for name, count in zip(
        ("tests", "failures", "errors"), zip(*tallies, strict=True), strict=True
    ):
        root.set(name, str(sum(count)))
    if seconds is not None:
        root.set("time", f"{seconds:.3f}")
    ET.indent(root)
    text: bytes = ET.tostring(root, "us-ascii", xml_declaration=True)
    return text.decode("ascii") + "\n"


def _suite(
    root: ET.Element, at: int, result: SpecResult, found: Sequence[Case]
) -> tuple[int, int, int]:
    """One spec; returns how many cases, failures and errors it has."""
    name = result.name or result.spec
    outcomes = [case.outcome for case in found]
    tally = len(found), outcomes.count("fail"), outcomes.count("error")
    counts = (*zip(("tests", "failures", "errors"), tally, strict=True),)
    suite = ET.SubElement(root, "testsuite", name=_line(name), id=str(at))
    for key, count in (*counts, ("skipped", outcomes.count("skipped"))):
        suite.set(key, str(count))
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(result).items():
        ET.SubElement(properties, "property", name=key, value=_line(value))
    for case in found:
        _case(suite, case, result)
    notes = "" if result.verdict == "invalid" else notes_of_spec(result)
    if notes:
        ET.SubElement(suite, "system-out").text = _xml(notes)
    return tally


def _properties(result: SpecResult) -> dict[str, str]:
    told = {"gradcli": __version__, "file": result.spec, "verdict": result.verdict}
    if result.verdict == "invalid":
        return told
    seed = {} if result.seed is None else {"seed": str(result.seed)}
    loss = {} if result.loss is None else {"loss": f"{result.loss:.17g}"}
    return told | {
        "expected": result.expected,
        "requires": words.required(result),
        **seed,
        **loss,
        "evaluations": str(result.evaluations),
    }


def _case(suite: ET.Element, case: Case, result: SpecResult) -> None:
    classname = result.spec or result.name
    element = ET.SubElement(suite, "testcase", name=_line(case.name), classname=_line(classname))
    if case.outcome in _TAGS:
        what = ET.SubElement(element, _TAGS[case.outcome])
        at = place(result, case.line)
        said = [f"{case.message}\n" if case.outcome == "skipped" else "", f"{at}\n" if at else ""]
        what.text = _xml("".join([*said, case.text]))
        if case.outcome != "skipped":  # which has no attributes in the older schema
            what.set("type", case.kind)
            what.set("message", _line(case.message))
    if case.notes:
        ET.SubElement(element, "system-out").text = _xml(case.notes)


def _interrupted(root: ET.Element, at: int) -> tuple[int, int, int]:
    """What stands for the specs that were not reached."""
    message = "interrupted: specs that are not listed were not checked"
    result = SpecResult("", "gradcli", "inconclusive")
    return _suite(root, at, result, [Case("interrupted", "error", "interrupted", message, message)])


def _xml(text: str) -> str:
    """The text with what no XML 1.0 document can hold spelled out; line ends stay."""
    return "\n".join(map(_line, text.split("\n")))


def _line(text: str) -> str:
    return _NOT_XML.sub(lambda match: f"\\x{ord(match[0]):02x}", printable(text))
