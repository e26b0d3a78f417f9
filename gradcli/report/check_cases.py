"""A spec's check as test cases: what JUnit and pytest show, one case a tensor or definition.

A spec has a red case if and only if its exit code is not 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from gradcli.analysis.gradcheck.report import SpecResult, TensorResult
from gradcli.diagnostics.finding import Finding
from gradcli.errors import ExitCode
from gradcli.report import words

__all__ = ["SELF_TEST", "Case", "CaseOutcome", "cases", "expectation", "notes_of_spec", "place"]

CaseOutcome = Literal["pass", "fail", "error", "skipped"]
"""`fail` is a gradient proven wrong; `error` is a check that could not come to a verdict."""

SELF_TEST: Final = "self-test"
"""What the case is called that stands for planted mistakes."""


class Case(NamedTuple):
    """One thing that was checked: its outcome, and `kind` and `message` of what is wrong.

    `kind` is the code of a finding or a word; `text` is the whole diagnosis, `notes` what else is
    worth saying. `line` is where the spec names it, or 0. `subject` is what it is a case of: a
    definition has one for each of its inputs.
    """

    name: str
    outcome: CaseOutcome
    kind: str = ""
    message: str = ""
    text: str = ""
    notes: str = ""
    line: int = 0
    subject: str = ""

    @property
    def is_red(self) -> bool:
        return self.outcome in ("fail", "error")


def cases(result: SpecResult) -> tuple[Case, ...]:
    """The cases of one spec: its tensors and definitions, then what it expects of the whole.

    A case of its own has a definition or a layer of which no tensor speaks, an expectation that is
    not simply to pass, and a self-test.
    """
    if result.verdict == "invalid":
        return (_invalid(result),)
    told: list[Finding] = []
    found = []
    for tensor in result.tensors:
        subject = _definition(tensor.name) if tensor.kind == "definition" else tensor.name
        found.append(_tensor(tensor, result, told)._replace(subject=subject))
    found += _others(result, told)
    if result.self_test is not None:
        found.append(_self_test(result))
    missed = result.exit_code != ExitCode.OK and not any(case.is_red for case in found)
    if missed or result.expected != "pass":
        found.append(_expectation(result, missed))
    return tuple(found)


def expectation(expected: str) -> str:
    """What the case is called that stands for what a spec expects."""
    return f"expect: {expected}"


def notes_of_spec(result: SpecResult) -> str:
    """Warnings and notes that no case speaks of, such as kinks within the network."""
    own = {tensor.name for tensor in result.tensors}
    shown, left = words.findings_to_show(result)
    said = [f for f in shown if f.severity != "error" and f.where not in own]
    return "\n".join([*(_told(found, result) for found in said), *left])


def place(result: SpecResult, line: int) -> str:
    """A line of the spec, as `file:line`."""
    return f"{result.spec}:{line}" if line and result.spec else result.spec


def _invalid(result: SpecResult) -> Case:
    from gradcli.report.frames import framed  # drawn with Rich, which nothing else here needs

    first = result.errors[0]
    text = framed(result.errors)
    return Case("spec", "error", first.code, first.message, text, line=first.line, subject="spec")


def _tensor(tensor: TensorResult, result: SpecResult, told: list[Finding]) -> Case:
    about = _findings_of(tensor, result)
    told += about
    vacuous = tensor.vacuous and result.strict and not result.allow_inconclusive
    reasons = [found for found in about if _is_reason(found, vacuous)]
    facts = _facts(tensor, result)
    said = [_told(found, result) for found in reasons]
    notes = [_told(found, result) for found in about if found not in reasons]
    if tensor.verdict == "pass" and not vacuous:
        return Case(tensor.name, "pass", notes="\n".join([*said, *notes, facts]), line=tensor.line)
    worst = [] if tensor.worst is None else [f"worst entry {words.entry(tensor.worst)}"]
    line = tensor.line or next((found.line for found in reasons if found.line), 0)
    text = "\n".join([*said, *worst, facts])
    case = Case(tensor.name, "pass", "", _headline(reasons), text, "\n".join(notes), line)
    if tensor.verdict == "fail":
        return _wrong(case, reasons, result)
    if tensor.verdict == "pass":
        return case._replace(outcome="error", kind="vacuous")
    return _undecided(case, result)


def _is_reason(found: Finding, vacuous: bool) -> bool:
    """Whether a finding says why a tensor does not simply pass."""
    return found.severity != "note" or found.code == "GC204" or (vacuous and found.code == "GC202")


def _findings_of(tensor: TensorResult, result: SpecResult) -> list[Finding]:
    """What was found of a tensor; of one that is wrong also what was found of its cause.

    The cause is a node that its finding names; else the node whose own the tensor is, or, for one
    that several nodes read, all that is wrong and no tensor's.
    """
    own = [found for found in result.findings if found.where == tensor.name]
    if tensor.verdict != "fail" or any(found.severity == "error" for found in own):
        return own
    tensors = {each.name for each in result.tensors}
    causes = [
        found
        for found in result.findings
        if found.severity == "error" and found.where not in tensors
    ]
    named = {name for found in own for name in found.data.get("culprits", ())}
    named = named or {tensor.name.rpartition(".")[0]}
    return [*own, *([found for found in causes if found.where in named] or causes)]


def _others(result: SpecResult, told: Sequence[Finding]) -> list[Case]:
    """A case for each definition or layer that has findings of weight and no tensor."""
    own = {tensor.name for tensor in result.tensors}
    by_place: dict[str, list[Finding]] = {}
    for found in result.findings:
        weighs = found.severity == "error" or found.code in ("GC203", "GC205")
        if weighs and found.where not in own and found not in told:
            by_place.setdefault(found.where, []).append(found)
    return [
        _other(where, found, result)._replace(subject=_definition(where))
        for where, found in by_place.items()
    ]


def _definition(name: str) -> str:
    """The definition that a tensor is of: `definition`, or `definition.input`."""
    return name.partition(".")[0]


def _other(where: str, found: Sequence[Finding], result: SpecResult) -> Case:
    errors = [each for each in found if each.severity == "error"]
    text = "\n".join(_told(each, result) for each in found)
    line = next((each.line for each in found if each.line), 0)
    case = Case(where, "pass", found[0].code, _headline(errors or found), text, line=line)
    if errors:
        return _wrong(case, errors, result)
    if all(each.code == "GC205" for each in found):
        return case._replace(outcome="skipped")
    return _undecided(case, result)


def _wrong(case: Case, reasons: Sequence[Finding], result: SpecResult) -> Case:
    """A failure; a note where it is expected, an error where gradcli itself is wrong."""
    if result.builtin_wrong:
        message = f"a bug in gradcli, please report it: {case.message}"
        return case._replace(outcome="error", kind="bug", message=message)
    if result.met:
        notes = "\n".join(filter(None, ("wrong, as expected", case.text, case.notes)))
        return Case(case.name, "pass", notes=notes, line=case.line)
    return case._replace(outcome="fail", kind=reasons[0].code if reasons else "GC100")


def _undecided(case: Case, result: SpecResult) -> Case:
    """An error where it makes the exit code 3, and otherwise skipped: it is never green."""
    if result.allow_inconclusive or result.met:
        return case._replace(
            outcome="skipped", kind="inconclusive", message=f"allowed: {case.message}"
        )
    return case._replace(outcome="error", kind="inconclusive")


def _expectation(result: SpecResult, missed: bool) -> Case:
    status = words.spec_status(result)
    name = expectation(result.expected)
    if not missed and result.met is not False:
        return Case(name, "pass", notes=str(status), subject=name)
    undecided = result.exit_code == ExitCode.UNDECIDED
    kind = "inconclusive" if undecided else "expectation"
    shown, _ = words.findings_to_show(result)
    text = "\n".join([str(status), *(_told(found, result) for found in shown)])
    outcome: CaseOutcome = "error" if undecided else "fail"
    return Case(name, outcome, kind, status.word, text, subject=name)


def _self_test(result: SpecResult) -> Case:
    assert result.self_test is not None
    total, survivors = result.self_test.total, result.self_test.survivors
    counts = ", ".join(
        f"{getattr(total, name)} {name.replace('_', ' ')}" for name in total.numbers()
    )
    if not survivors:
        return Case(SELF_TEST, "pass", notes=counts, subject=SELF_TEST)
    lines = [f"{each.where}, {each.operand}: {each.kind} ({each.code})" for each in survivors]
    message = f"{words.plural(len(survivors), 'planted mistake')} survived"
    text = "\n".join([*lines, counts])
    return Case(SELF_TEST, "fail", SELF_TEST, message, text, subject=SELF_TEST)


def _headline(found: Sequence[Finding]) -> str:
    if not found:
        return ""
    first = found[0]
    return f"{first.code} {first.name} in {first.where}: {first.message}"


def _told(found: Finding, result: SpecResult) -> str:
    where = f" in {found.where}" if found.where else ""
    at = f"  {place(result, found.line)}" if found.line else ""
    return f"{found.code} {found.name}{where}{at}\n  {found.message}"


def _facts(tensor: TensorResult, result: SpecResult) -> str:
    """How much was checked, and how well it agrees."""
    graded = tensor.grade is not None
    said = [
        f"{tensor.kind} {words.shape(tensor)}",
        f"{tensor.checked}/{tensor.entries} entries checked",
        f"max rel error {words.error(tensor.max_rel_error, graded)}",
        tensor.grade or "",
        words.remarks(tensor),
        f"detectable {words.error(tensor.detectable_error)}",
        f"requires {words.required(result)}",
    ]
    return " · ".join(each for each in said if each)
