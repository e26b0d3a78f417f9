"""Lists of the catalogue, and their filters."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import gradcli
import gradcli.ops
from gradcli.analysis.catalogue import KINDS
from gradcli.cli.main import main
from gradcli.core.registry import CATALOGUE
from gradcli.diagnostics.concept import all_concepts
from gradcli.diagnostics.rules import all_rules
from gradcli.errors import UsageError
from gradcli.report.render import render
from gradcli.report.surface import Surface
from gradcli.spec import CODES


def names(*arguments: str, **filters: tuple[str, ...]) -> set[str]:
    return {row.name for row in gradcli.catalogue(*arguments, **filters).results}


def test_everything_is_listed_once() -> None:
    listed = [(row.kind, row.name) for row in gradcli.catalogue().results]
    assert len(listed) == len(set(listed))
    ops = {(op.kind, op.name) for op in CATALOGUE}
    rules = {("rule", code) for code in (*all_rules(), *CODES)}
    assert set(listed) == ops | rules | {("concept", name) for name in all_concepts()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_a_part_of_all(kind: str) -> None:
    rows = gradcli.catalogue(kind).results
    assert rows
    assert len({row.kind for row in rows}) == 1
    assert set(rows) <= set(gradcli.catalogue().results)


@pytest.mark.parametrize(
    ("kind", "filters", "some", "none"),
    [
        ("losses", {"where": ("convex",)}, {"mse", "mae", "huber"}, set()),
        ("losses", {"where": ("smooth", "lipschitz")}, {"huber"}, {"mse", "mae"}),
        ("losses", {"where": ("strongly-convex",)}, {"mse"}, {"mae", "huber"}),
        ("losses", {"where": ("kinked",)}, {"mae", "quantile"}, {"huber", "mse"}),
        ("losses", {"where": ("not-kinked", "convex")}, {"huber", "mse"}, {"mae"}),
        ("activations", {"where": ("bounded",)}, {"sigmoid", "tanh"}, {"relu", "identity"}),
        ("activations", {"where": ("learned",)}, {"prelu"}, {"relu"}),
        ("activations", {"where": ("odd", "not-smooth")}, {"hard_tanh"}, {"tanh", "relu"}),
        ("activations", {"search": ("RELU",)}, {"relu", "prelu", "leaky_relu", "swish"}, {"tanh"}),
        ("activations", {"search": ("silu",)}, {"swish"}, {"relu"}),
        ("layers", {"where": ("learned",)}, {"dense"}, {"residual"}),
        ("rules", {"where": ("warning",)}, {"GC113"}, {"GC101"}),
        ("concepts", {"where": ("open question",)}, {"calibration"}, {"hessian"}),
        (None, {"search": ("gradient", "vanish")}, {"vanishing-gradient", "GF101"}, {"mse"}),
    ],
)
def test_filters(
    kind: str | None, filters: dict[str, tuple[str, ...]], some: set[str], none: set[str]
) -> None:
    found = names(*([kind] if kind else []), **filters)
    assert some <= found
    assert not none & found


def test_a_property_and_its_absence_make_the_whole() -> None:
    rows = set(gradcli.catalogue("activations").results)
    with_, without = (
        set(gradcli.catalogue("activations", where=(asked,)).results)
        for asked in ("convex", "not-convex")
    )
    assert with_ | without == rows
    assert not with_ & without


@pytest.mark.parametrize(
    ("kind", "where", "message"),
    [
        ("loses", (), "did you mean losses?"),
        ("?", (), "there are activations, layers, losses, terms, initializers, optimizers"),
        ("losses", ("convx",), "did you mean convex?"),
        ("losses", ("not-convx",), "did you mean convex?"),
        ("initializers", ("zzz",), "there are "),
        ("layers", ("zzz",), "there are "),
    ],
)
def test_what_is_not_known_is_answered_with_the_nearest(
    kind: str, where: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        gradcli.catalogue(kind, where=where)
    assert message in str(caught.value)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("kind", KINDS)
def test_a_list_shows_every_row_within_its_width(kind: str, width: int) -> None:
    report = gradcli.catalogue(kind)
    drawn = render(report, "table", Surface(width))
    assert max(map(len, drawn.splitlines())) <= width
    whole = " ".join(drawn.split())
    for row in report.results:
        assert f"{row.name} {row.summary}" in whole
        assert row.parameters in whole
        assert ", ".join(row.properties) in whole


@pytest.mark.parametrize("kind", KINDS)
def test_json_and_markdown_hold_the_same(kind: str) -> None:
    report = gradcli.catalogue(kind)
    told = json.loads(render(report, "json", Surface()))
    assert [row["name"] for row in told["results"]] == [row.name for row in report.results]
    assert told["results"][0].keys() == {
        *("kind", "name", "aliases", "parameters", "summary", "properties")
    }
    shown = render(report, "markdown", Surface()).splitlines()
    assert len(shown) == len(report.results) + 2
    for row, line in zip(report.results, shown[2:], strict=True):
        assert line.startswith(f"| `{row.name}`")


def test_nothing_found_is_said() -> None:
    result = CliRunner().invoke(main, ["list", "losses", "--search", "zzz"])
    assert (result.exit_code, result.stdout) == (0, "nothing of that kind\n")
    assert gradcli.catalogue("losses", search=("zzz",)).passed
