"""What both of Jenkins's schemas of JUnit XML (junit-4 and junit-10) take, as one table.

An element has to be in the order of its parent's children, at most so often, with the attributes
that either schema requires and none that one of them lacks.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

MANY: Final = 1 << 30


class Element(NamedTuple):
    """Attributes that have to be there, that may be, and children in their order with the most."""

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    children: tuple[tuple[str, int], ...] = ()
    text: bool = False


ELEMENTS: Final = {
    "testsuites": Element(
        optional=frozenset({"name", "time", "tests", "failures", "errors"}),
        children=(("testsuite", MANY),),
    ),
    "testsuite": Element(
        required=frozenset({"name", "tests", "failures", "errors"}),
        optional=frozenset({"time", "skipped", "timestamp", "hostname", "id", "package"}),
        children=(("properties", 1), ("testcase", MANY), ("system-out", 1), ("system-err", 1)),
    ),
    "properties": Element(children=(("property", MANY),)),
    "property": Element(required=frozenset({"name", "value"})),
    "testcase": Element(
        required=frozenset({"name"}),
        optional=frozenset({"time", "classname"}),
        children=(
            *(("skipped", 1), ("error", MANY), ("failure", MANY)),
            *(("system-out", MANY), ("system-err", MANY)),
        ),
    ),
    "skipped": Element(text=True),
    "error": Element(optional=frozenset({"type", "message"}), text=True),
    "failure": Element(optional=frozenset({"type", "message"}), text=True),
    "system-out": Element(text=True),
    "system-err": Element(text=True),
}


def faults(root: ET.Element) -> list[str]:
    """What is not as the schemas want it, and counts that are not those of the cases."""
    found = [] if root.tag == "testsuites" else [f"the root is {root.tag}"]
    for element in root.iter():
        found += _faults_of(element)
    for suite in root.iter("testsuite"):
        found += _miscounted(suite)
    for total in ("tests", "failures", "errors"):
        counts = [int(suite.get(total, 0)) for suite in root.iter("testsuite")]
        if int(root.get(total, -1)) != sum(counts):
            found.append(f"{total} of all are {root.get(total)}, not {sum(counts)}")
    return found


def _faults_of(element: ET.Element) -> list[str]:
    known = ELEMENTS.get(element.tag)
    if known is None:
        return [f"no element is called {element.tag}"]
    given = set(element.attrib)
    found = [f"{element.tag} lacks {name}" for name in known.required - given]
    found += [f"{element.tag} has {name}" for name in given - known.required - known.optional]
    order = [name for name, _ in known.children]
    tags = [child.tag for child in element]
    found += [f"{element.tag} has {tag} in it" for tag in tags if tag not in order]
    places = [order.index(tag) for tag in tags if tag in order]
    if places != sorted(places):
        found.append(f"{element.tag} has its children out of order: {tags}")
    found += [
        f"{element.tag} has {name} {tags.count(name)} times"
        for name, most in known.children
        if tags.count(name) > most
    ]
    if element.tag == "properties" and not tags:
        found.append("properties are empty")
    if not known.text and (element.text or "").strip():
        found.append(f"{element.tag} has text in it")
    return found


def _miscounted(suite: ET.Element) -> list[str]:
    cases = suite.findall("testcase")
    counted = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    return [
        f"{name} of {suite.get('name')} are {suite.get(name)}, not {count}"
        for name, count in counted.items()
        if int(suite.get(name, -1)) != count
    ]
