"""What the README shows is what happens."""

from __future__ import annotations

import html
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import click
import pytest

import gradcli
import gradcli.ops
from gradcli.cli.main import main
from gradcli.core.registry import CATALOGUE
from gradcli.diagnostics.rules import all_rules
from gradcli.errors import ExitCode
from gradcli.spec import CODES

HERE = Path(__file__).parent
README = (HERE.parent / "README.md").read_text("utf-8")


def _load_tool() -> Any:
    spec = importlib.util.spec_from_file_location("readme", HERE / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["readme"] = module
    spec.loader.exec_module(module)
    return module


TOOL = _load_tool()
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def words(output: str) -> list[str]:
    """The output without its numbers and bars, which differ in the last digit between machines."""
    return [_NUMBER.sub("#", word) for word in output.split() if not set(word) <= set("█▌")]


def numbers(output: str) -> list[float]:
    """Its numbers, but for that of evaluations: how many it takes turns on the last digits."""
    told = re.sub(r"[\d,]+(\s+)evaluations", r"\1evaluations", output)
    return [float(number.replace(",", "")) for number in _NUMBER.findall(told)]


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


@pytest.mark.parametrize("console", TOOL.consoles(README), ids=lambda console: console.command)
def test_console_blocks_are_current(console: Any) -> None:
    found = TOOL.run(console.command, console.before)
    assert words(found) == words(console.output)
    assert numbers(found) == pytest.approx(numbers(console.output), rel=0.05, abs=0.05)


@pytest.mark.parametrize("picture", TOOL.pictures(README), ids=lambda picture: picture.path)
def test_pictures_are_current(picture: Any) -> None:
    """Byte by byte, unless the numbers in it differ in the last digit."""
    kept, found = (HERE.parent / picture.path).read_text("utf-8"), TOOL.export(picture)
    texts = [
        html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)", svg))) for svg in (kept, found)
    ]
    assert "GC102" in texts[0]
    assert words(texts[1]) == words(texts[0])
    assert numbers(texts[1]) == pytest.approx(numbers(texts[0]), rel=0.05, abs=0.05)
    assert (found == kept) == (texts[1] == texts[0])


def optional(code: str) -> str | None:
    """The library that a block needs, if it is one that need not be installed."""
    return next((name for name in ("torch", "jax") if f"import {name}\n" in code), None)


def marked(code: str) -> Any:
    library = optional(code)
    title = f"{library or ''} {code.splitlines()[-1]}".strip()
    return pytest.param(code, id=title, marks=[getattr(pytest.mark, library)] if library else [])


@pytest.mark.parametrize("code", [marked(code) for code in fenced("python")])
def test_python_blocks_run(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library = optional(code)
    if library:
        pytest.importorskip(library, reason=f"{library} is not installed")
    monkeypatch.chdir(HERE.parent)
    exec(compile(code, "README.md", "exec"), {})


RECIPES = [code for code in fenced("python") if optional(code)]


def test_there_is_a_recipe_for_each_library() -> None:
    assert [optional(code) for code in RECIPES] == ["torch", "jax"]


@pytest.mark.parametrize("code", [marked(code) for code in RECIPES])
def test_a_mistake_is_found_by_a_recipe(code: str) -> None:
    library = optional(code)
    assert library is not None
    pytest.importorskip(library, reason=f"{library} is not installed")
    wrong = re.sub(r"\b3 \*", "2 *", code)
    assert wrong != code
    with pytest.raises(AssertionError, match=re.escape("exactly 0.666667 times")):
        exec(compile(wrong, "README.md", "exec"), {})


@pytest.mark.parametrize("shown", ["my_swish", "multi_task"])
def test_the_specs_shown_are_valid_and_pass(shown: str, tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(next(block for block in fenced("yaml") if shown in block), "utf-8")
    assert gradcli.check(path).passed


def test_the_layer_shown_passes_in_the_spec_shown(tmp_path: Path) -> None:
    code = next(block for block in fenced("python") if "ScaledNorm" in block)
    spec = next(block for block in fenced("yaml") if "ScaledNorm" in block)
    (tmp_path / "my_layers.py").write_text(code, "utf-8")
    (tmp_path / "spec.yaml").write_text(spec, "utf-8")
    report = gradcli.check(tmp_path / "spec.yaml", allow_python=True)
    assert report.passed, report
    assert {"scaled_norm.gain", "scaled_norm_2.gain"} <= {tensor.name for tensor in report.tensors}


def test_every_exit_code_is_explained() -> None:
    section = README.partition("## Exit codes")[2].partition("\n## ")[0]
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.M)}
    assert listed == {int(code) for code in ExitCode}


def test_the_changes_end_with_this_version_and_name_every_command() -> None:
    section = README.partition("## Changes")[2].partition("\n## ")[0]
    latest = re.findall(r"^- \*\*([\d.]+)\*\*", section, re.M)[0]
    assert latest == gradcli.__version__
    named = set(re.findall(r"`(\w+)`", section))
    assert named == set(main.list_commands(click.Context(main)))


def test_completion_is_set_up_for_every_shell_as_written() -> None:
    """Each line is what its shell runs; the script that bash gets is run here as well."""
    lines = {
        shell: line.replace("\\|", "|")
        for shell, line in re.findall(r"^\| (bash|zsh|fish) \| `[^`]+` \| `(.*)` \|$", README, re.M)
    }
    assert set(lines) == {"bash", "zsh", "fish"}
    for shell, line in lines.items():
        asked = re.search(r"_GRADCLI_COMPLETE=\w+ gradcli", line)
        assert asked
        assert f"_GRADCLI_COMPLETE={shell}_complete" in TOOL.run(asked[0])
    words = "COMP_WORDS=(gradcli new lay); COMP_CWORD=2; _gradcli_completion gradcli"
    assert TOOL.run(f"{lines['bash']}; {words}; echo ${{COMPREPLY[*]}}") == "layer\n"


@pytest.mark.parametrize("table", TOOL.tables(README), ids=lambda table: table.command)
def test_tables_are_current(table: Any) -> None:
    assert table.output == TOOL.table(table.command), "run: python tests/readme.py tables"


def test_every_op_and_rule_is_in_a_table() -> None:
    tables = "".join(table.output for table in TOOL.tables(README))
    listed = set(re.findall(r"^\| `(\w+)`", tables, re.M))
    assert listed == {op.name for op in CATALOGUE} | set(all_rules()) | set(CODES)


def test_tables_are_written_anew_between_their_markers() -> None:
    text = "before\n<!-- gradcli list terms -->\nold\n<!-- end -->\nafter\n"
    shown = TOOL.with_tables(text)
    assert shown == text.replace("old\n", TOOL.table("gradcli list terms"))
    assert "| `l2` |" in shown
    assert TOOL.with_tables(shown) == shown
