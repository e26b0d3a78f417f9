"""The package's shape: one-way imports, light imports, file sizes, `__all__`."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

import gradcli

PACKAGE: Final = Path(gradcli.__file__).parent
MODULES: Final = {
    ".".join(("gradcli", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
MOST_LINES: Final = 400

MAY_IMPORT: Final[dict[str, set[str]]] = {
    "errors": set(),
    "files": {"errors"},
    "core": {"errors"},
    "ops": {"errors", "core"},
    "templates": {"errors", "files", "core"},
    "spec": {"errors", "core"},
    "engine": {"errors", "core", "spec"},
    "diagnostics": {"errors", "core"},
    "testing": {"errors", "core", "ops"},
    "analysis": {
        *("errors", "files", "templates", "core", "spec", "engine", "diagnostics", "testing")
    },
    "sources": {"errors", "spec", "engine", "diagnostics"},
    "calls": {"sources", "errors", "core", "spec", "engine", "analysis"},
    "api": {
        "calls",
        *("sources", "errors", "templates", "core", "spec", "engine", "ops", "diagnostics"),
        "analysis",
    },
    "report": {"errors", "files", "diagnostics", "analysis"},
    "cli": {"errors", "files", "analysis", "api", "report"},
    "assertions": {"analysis", "api", "calls", "report"},
    "pytest_plugin": {"errors", "sources", "spec", "analysis", "api", "report"},
    "__main__": {"cli"},
    "": {"errors", "api"},
}
"""Part of the package -> parts it may import, besides itself and the package's own version."""

LIBRARIES: Final[dict[str, set[str]]] = {
    "click": {"cli"},
    "matplotlib": {"report"},
    "pytest": {"pytest_plugin"},
    "rich": {"report"},
    "yaml": {"spec"},
}
"""Library -> the only parts that import it."""


def part_of(module: str) -> str:
    """`gradcli.core.op` -> `core`; the package itself is ''."""
    return module.split(".")[1] if "." in module else ""


def statements(module: str, *, at_run_time: bool) -> Iterator[ast.AST]:
    """All that a module is made of, maybe without what only type checkers read."""
    left: list[ast.AST] = [ast.parse(MODULES[module].read_text(encoding="utf-8"))]
    while left:
        node = left.pop()
        if at_run_time and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        left += ast.iter_child_nodes(node)


def imported_by(module: str, *, at_run_time: bool = False) -> Iterator[tuple[str, int]]:
    """Names of the modules that a module imports anywhere in its text, with the line."""
    for node in statements(module, at_run_time=at_run_time):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole if whole in MODULES else node.module or ""), node.lineno


each_module = pytest.mark.parametrize("module", MODULES)


def test_every_part_has_a_place_in_the_order() -> None:
    assert {part_of(module) for module in MODULES} <= set(MAY_IMPORT)


def test_the_order_has_no_cycle() -> None:
    order: list[str] = []
    while len(order) < len(MAY_IMPORT):
        free = [p for p, needs in MAY_IMPORT.items() if p not in order and needs <= set(order)]
        assert free, "the parts left import each other"
        order += free


@each_module
def test_imports_run_one_way(module: str) -> None:
    part = part_of(module)
    for name, line in imported_by(module):
        if name.partition(".")[0] == "gradcli" and name != "gradcli":
            other = part_of(name)
            assert other == part or other in MAY_IMPORT[part], f"{module}:{line} imports {name}"


@each_module
def test_libraries_stay_in_their_part(module: str) -> None:
    for name, line in imported_by(module):
        allowed = LIBRARIES.get(name.partition(".")[0])
        assert allowed is None or part_of(module) in allowed, f"{module}:{line} imports {name}"


@each_module
def test_a_file_holds_one_idea(module: str) -> None:
    text = MODULES[module].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    tree = ast.parse(text)
    assert not tree.body or ast.get_docstring(tree), "no docstring"
    if len(tree.body) > 1:
        assert "from __future__ import annotations" in text


@each_module
def test_all_names_what_the_module_defines(module: str) -> None:
    loaded = importlib.import_module(module)
    exported = loaded.__dict__.get("__all__")
    if exported is None:
        tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
        defined = [n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
        assert not defined or part_of(module) == "ops", "it defines things and has no __all__"
        return
    assert len(exported) == len(set(exported))
    for name in exported:
        assert hasattr(loaded, name), name
    assert not [n for n in exported if n.startswith("_") and n != "__version__"]


def used_of_others(module: str) -> Iterator[tuple[str, str, int]]:
    """Modules whose names a module uses, each with the name and the line."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            if whole in MODULES:
                modules[alias.asname or alias.name] = whole
            elif node.module in MODULES:
                yield node.module, alias.name, node.lineno
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ast.Name(name), attribute) if name in modules:
                yield modules[name], attribute, node.lineno


@each_module
def test_all_names_what_others_use(module: str) -> None:
    for other, name, line in used_of_others(module):
        exported = importlib.import_module(other).__dict__.get("__all__", [name])
        assert name in exported, f"{module}:{line} uses {name} of {other}"


def test_no_two_modules_import_each_other() -> None:
    """Not even late; the package's version, and what only type checkers read, do not count."""
    others = set(MODULES) - {"gradcli"}
    imports = {
        module: {name for name, _ in imported_by(module, at_run_time=True)} & others
        for module in MODULES
    }
    assert list(TopologicalSorter(imports).static_order())


def loaded_in_a_fresh_process(code: str) -> set[str]:
    """The modules that are loaded once the code has run in an interpreter of its own."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, sep='\\n')"]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    return set(result.stdout.splitlines())


HELP = """
from gradcli.cli.main import main
try:
    main(["--help"])
except SystemExit:
    pass
"""


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import gradcli", {"rich", "yaml", "numpy", "click", "dataclasses"}),
        (HELP, {"rich", "yaml", "numpy", "dataclasses", "gradcli.api", "gradcli.report"}),
    ],
    ids=["import gradcli", "gradcli --help"],
)
def test_imports_are_light(code: str, absent: set[str]) -> None:
    assert not absent & loaded_in_a_fresh_process(code)


NETWORK = """\
gradcli: 1
data: {inputs: {shape: [4, 3]}, targets: auto}
network: [dense: 2]
loss: mse
"""
UNUSED_BY_A_CHECK: Final = {
    "gradcli.analysis.catalogue",
    "gradcli.analysis.flow",
    "gradcli.core.formula",
    "gradcli.core.references",
    "gradcli.diagnostics.concept",
    "gradcli.report.card_sections",
    "gradcli.report.svg",
    "gradcli.spec.data_files",
    "gradcli.spec.schema",
    *("csv", "difflib", "importlib.metadata", "pathlib", "rich.progress", "zipfile"),
}
"""What a check of a right network does without, and would take the longest to load."""


@pytest.mark.parametrize(
    ("form", "absent"),
    [
        ("table", {"json"}),
        ("json", {"rich"}),
        ("markdown", {"rich", "json"}),
    ],
)
def test_a_check_loads_what_it_needs(form: str, absent: set[str], tmp_path: Path) -> None:
    spec = tmp_path / "right.yaml"
    spec.write_text(NETWORK)
    code = f"""
from gradcli.cli.main import main
try:
    main(["check", {str(spec)!r}, "--format", {form!r}])
except SystemExit as end:
    assert end.code == 0, end.code
"""
    loaded = loaded_in_a_fresh_process(code)
    assert "gradcli.analysis.gradcheck.check" in loaded
    unavoidable = loaded_in_a_fresh_process("import numpy.random, click, yaml")
    assert not ((absent | UNUSED_BY_A_CHECK) & loaded) - unavoidable


def test_the_api_is_what_the_package_offers() -> None:
    from gradcli import api

    offered = set(gradcli.__all__) - {"SpecError", "__version__"}
    assert offered <= set(api.__all__)
    assert set(dir(gradcli)) == set(gradcli.__all__)
    with pytest.raises(AttributeError, match="chekc"):
        gradcli.chekc  # noqa: B018
