"""The pytest plugin: specs named `*.grad.yaml` are collected, a test a tensor or definition.

pytest loads it wherever gradcli is installed, so it imports nothing until there is such a file.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from gradcli.errors import SpecProblem
    from gradcli.report.check_cases import Case

__all__ = [
    "GradientFailure",
    "GradientItem",
    "SpecFile",
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_configure",
]

SUFFIX: Final = ".grad.yaml"
_MARK: Final = "gradcli"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, and the same in a configuration file."""
    group = parser.getgroup("gradcli", f"gradients of specs named *{SUFFIX}")
    seed = "seed of everything drawn at random in specs (by default each spec's own)"
    group.addoption("--gradcli-seed", metavar="N", help=seed)
    parser.addini("gradcli_seed", seed)
    allowed = "let specs run the Python they name"
    group.addoption("--gradcli-allow-python", action="store_true", help=allowed)
    parser.addini("gradcli_allow_python", allowed, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known that all tests from specs have; UsageError for a seed that is none."""
    config.addinivalue_line("markers", f"{_MARK}: a gradient of a spec, checked by gradcli")
    _seed(config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SpecFile | None:
    """A spec, where the file is named like one."""
    if not file_path.name.endswith(SUFFIX):
        return None
    collected: SpecFile = SpecFile.from_parent(parent, path=file_path)
    return collected


class GradientFailure(Exception):
    """A case that is red, with the words for it."""

    def __init__(self, case: Case) -> None:
        super().__init__(case.text or case.message)
        self.case = case


class SpecFile(pytest.File):
    """A spec, which is checked as a whole when the first of its tests is run.

    `names` are those of its tests, also of those that are not run.
    """

    names: frozenset[str] = frozenset()

    def collect(self) -> Iterator[pytest.Item]:
        """Its tensors and definitions; of a spec that cannot be used the errors, in its source."""
        import gradcli.api  # noqa: F401  (fills the catalogue that a spec names ops of)
        from gradcli.analysis.gradcheck.listing import listed
        from gradcli.errors import GradcliError, SpecError
        from gradcli.report.check_cases import SELF_TEST, expectation
        from gradcli.sources import plan_of
        from gradcli.spec import DEFAULT_MEMORY

        seed = _seed(self.config)
        overrides = {} if seed is None else {"seed": seed}
        try:
            found = listed(plan_of(self._shown, overrides, self._allow_python, DEFAULT_MEMORY))
        except SpecError as error:
            raise self.CollectError(_in_source(error.errors)) from None
        except GradcliError as error:
            raise self.CollectError(str(error)) from None
        names = [*found.lines]
        if found.self_test:
            names.append((SELF_TEST, 0))
        if found.expected != "pass" or not found.speaks_for_itself:
            names.append((expectation(found.expected), 0))
        self.names = frozenset(name for name, _ in names)
        for at, (name, line) in enumerate(names):
            is_last = at == len(names) - 1
            item = GradientItem.from_parent(self, name=name, line=line, is_last=is_last)
            item.add_marker(_MARK)
            yield item

    @cached_property
    def cases(self) -> dict[str, list[Case]]:
        """What the check found, by what it was found of."""
        from gradcli import api
        from gradcli.report.check_cases import cases

        with warnings.catch_warnings():
            # a warning of a user's function is no wrong gradient, whatever is made of it in tests
            warnings.simplefilter("default")
            seed = _seed(self.config)
            report = api.check(self._shown, seed=seed, allow_python=self._allow_python)
        found: dict[str, list[Case]] = {}
        for case in cases(report.results[0]):
            found.setdefault(case.subject, []).append(case)
        return found

    @cached_property
    def _shown(self) -> str:
        """The file as messages call it: from the working folder, where it is within that."""
        shown = os.path.relpath(self.path)
        return str(self.path) if shown.startswith(os.pardir) else shown

    @property
    def _allow_python(self) -> bool:
        given = self.config.getoption("gradcli_allow_python")
        return bool(given or self.config.getini("gradcli_allow_python"))


class GradientItem(pytest.Item):
    """One tensor or definition of a spec; the last one also stands for what none of them is."""

    def __init__(self, *, line: int, is_last: bool, **given: Any) -> None:
        super().__init__(**given)
        self._line = line
        self._is_last = is_last

    def runtest(self) -> None:
        """Fail, skip or pass as the check of the whole spec found."""
        assert isinstance(self.parent, SpecFile)
        found = self.parent.cases
        own = found.get(self.name, [])
        known = self.parent.names
        others = [case for name, cases in found.items() if name not in known for case in cases]
        if self._is_last or not own:
            own = [*own, *others]
        for case in own:
            if case.notes:
                self.add_report_section("call", _MARK, case.notes)
        red = [case for case in own if case.is_red]
        if red:
            raise GradientFailure(_together(red))
        skipped = [case.message for case in own if case.outcome == "skipped"]
        if skipped:
            raise pytest.skip.Exception("; ".join(skipped), _use_item_location=True)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The diagnosis, without a traceback."""
        from gradcli.errors import ExitCode, GradcliError

        error = excinfo.value
        if isinstance(error, GradientFailure):
            return _Diagnosis(error.case, self.path)
        if isinstance(error, GradcliError) and error.exit_code == ExitCode.INVALID:
            return str(error)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the spec names it, and what it is called there."""
        return self.path, max(self._line - 1, 0), f"{self.name} in {self.path.name}"


class _Diagnosis:
    """What a terminal, a summary and JUnit XML show of a failure."""

    def __init__(self, case: Case, path: Path) -> None:
        self._case = case
        self.reprcrash = SimpleNamespace(path=str(path), lineno=case.line, message=case.message)

    def __str__(self) -> str:
        return self._case.text or self._case.message

    def toterminal(self, tw: Any) -> None:
        """Write it to the terminal."""
        first, *rest = str(self).splitlines()
        tw.line(first, red=True, bold=True)
        for line in rest:
            tw.line(line)


def _seed(config: pytest.Config) -> int | None:
    """The seed that is stated, on the command line or else in the configuration."""
    given = config.getoption("gradcli_seed")
    stated = config.getini("gradcli_seed") if given is None else given
    if stated in (None, ""):
        return None
    if not str(stated).isdecimal():
        raise pytest.UsageError(f"gradcli_seed: expected a whole number, got {stated!r}")
    return int(stated)


def _together(red: list[Case]) -> Case:
    """Several cases as one, of which the first gives its name."""
    return red[0]._replace(text="\n\n".join(case.text or case.message for case in red))


def _in_source(errors: tuple[SpecProblem, ...]) -> str:
    """Spec errors as `gradcli check` shows them, with pytest's own option in the hint."""
    from gradcli.report.frames import framed

    option = "pass --gradcli-allow-python if you trust this spec"
    return framed([e._replace(hint=option) if e.code == "SP018" else e for e in errors])
