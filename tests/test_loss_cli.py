"""`gradcli loss` on the command line, and how it looks at every width."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from planted import claiming
from rich.cells import cell_len

import gradcli
from gradcli.analysis.losses import LossReport, choose
from gradcli.cli.main import main
from gradcli.core.op import Loss
from gradcli.report.plot import Line, plot
from gradcli.report.render import render, render_file
from gradcli.report.surface import Surface

ROOT = Path(__file__).parent.parent
WIDTHS = (60, 80, 120)

DEFINED = """\
gradcli: 1
define:
  own:
    kind: loss
    forward: (p - y)**2
    gradient: p - y
"""


@pytest.fixture(autouse=True)
def plain(no_wishes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository as working directory, in an environment without wishes."""
    monkeypatch.chdir(ROOT)


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["loss", *arguments], input=stdin)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("mae", 0, ""),
        ("mae mse --quiet", 0, ""),
        ("huber --param delta=2 --window -3 3", 0, ""),
        ("huber:delta=1e6", 0, ""),
        ("specs/course-notes/huber.yaml", 0, ""),
        ("mae missing.yaml", 2, "missing.yaml"),
        ("specs/course-notes/swish.yaml", 2, "has no loss, and defines none"),
        ("hubr", 2, "did you mean huber?"),
        ("huber --param delt=2", 2, "did you mean delta?"),
        ("huber --param delta", 2, "'delta' is not NAME=VALUE, such as delta=2"),
        ("huber --param delta=1 --param delta=2", 2, "delta is given twice"),
        ("huber --param delta=0", 2, "expected a number above 0"),
        ("specs/digits.yaml --param delta=0", 2, "a spec states the parameters of its losses"),
        ("cross_entropy --targets 1,x --logits 0,0", 2, "'1,x' are not numbers"),
        ("cross_entropy --targets 1,0", 2, "either predictions or logits"),
        ("huber --window 1", 2, "--window"),
        ("huber --window 0 1e400", 2, "cannot be drawn from 0 to inf"),
        ("huber --window -1e308 1e308", 2, "two numbers from -1e+300 to 1e+300"),
        ("huber --window -1e300 1e300", 0, ""),
        ("triplet --window 0 1e-320", 2, "cannot be drawn from 0 to"),
        (
            "cross_entropy --targets 0.5,0.5 --logits 0,1 --window 0 1",
            2,
            "window: only for curves",
        ),
        ("", 2, "Missing argument 'NAME|SPEC...'"),
    ],
)
def test_exit_codes(arguments: str, code: int, message: str) -> None:
    result = run(*arguments.split())
    assert result.exit_code == code, result.output
    assert message in " ".join(result.stderr.split())


def test_a_false_claim_is_exit_4_and_names_the_law_s_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choose, "_found", lambda name: claiming("mae", Loss, lipschitz=2.0))
    for arguments in (["mae"], ["mae", "--quiet"], ["mae", "--format", "markdown"]):
        result = run(*arguments)
        assert result.exit_code == 4
        assert "✗" in result.stdout
        assert "claimed 2.0 and not reached" in " ".join(result.stdout.split())
        assert "exit 4: a claim of gradcli's own is false" in result.stdout


def test_standard_input_is_a_spec() -> None:
    result = run("-", stdin=DEFINED)
    assert result.exit_code == 0
    assert result.stdout.startswith("own")
    assert "<stdin>" in result.stdout
    assert "by up to 0.5 relatively" in " ".join(result.stdout.split())


def test_losses_that_claim_nothing_stand_side_by_side_too() -> None:
    """Drawn over p, since they are no functions of p - y."""
    losses = "".join(
        f"  {name}: {{kind: loss, forward: {forward}, domain: {{p: {domain}}}}}\n"
        for name, forward, domain in (
            ("poisson", "exp(p) - y*p", "[-3, 3]"),
            ("odds", "p - y*log(p)", "[0, inf]"),
        )
    )
    result = run("-", stdin=f"gradcli: 1\ndefine:\n{losses}")
    assert result.exit_code == 0, result.output
    assert "• poisson   × odds" in result.stdout
    assert re.search(r"^  convex +yes +yes$", result.stdout, re.M)
    assert "✓" not in result.stdout
    assert "without a mark: found by a search" in result.stdout
    assert "exit 0: nothing is claimed" in result.stdout


def test_json_has_every_number_of_the_table() -> None:
    told = json.loads(run("huber:delta=3", "--format", "json").stdout)
    assert (told["command"], told["exit_code"]) == ("loss", 0)
    (result,) = told["results"]
    assert result["options"] == {"delta": 3.0}
    assert result["claims"]["lipschitz"]["value"] == 3.0
    assert result["claims"]["noise"]["value"]["name"] == "Gaussian with Laplace tails"
    assert result["pulls"][-1] == {"at": -1000.0, "gradient": 3.0}
    assert len(result["curves"][0]["x"]) == len(result["curves"][0]["gradient"])


@cache
def report_of(*names: str, **options: object) -> LossReport:
    return gradcli.loss(*names, **options)  # type: ignore[arg-type]


CASES = {
    "one": ("huber",),
    "an event": ("binary_cross_entropy",),
    "rows": ("cross_entropy",),
    "four": ("huber", "mae", "mse", "quantile:tau=0.9"),
    "options": ("adaptive_robust:alpha=2", "adaptive_robust:alpha=0", "adaptive_robust:alpha=-2"),
    "two axes": ("huber", "hinge", "binary_cross_entropy"),
    "unchecked": ("huber:delta=1e6",),
    "defined": ("specs/course-notes/quantile.yaml",),
    "two tasks": ("specs/multi_task_uncertainty.yaml",),
    "groups": ("contrastive", "triplet:distance=euclidean"),
}


@pytest.mark.parametrize("unicode", [True, False], ids=["unicode", "ascii"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("case", CASES)
def test_it_fits_every_width(case: str, width: int, unicode: bool) -> None:
    text = render(report_of(*CASES[case]), "table", Surface(width, unicode=unicode))
    assert max(map(cell_len, text.splitlines())) <= width
    assert unicode or text.isascii()
    assert "\x1b" not in text
    assert text == render(report_of(*CASES[case]), "table", Surface(width, unicode=unicode))


@pytest.mark.parametrize("width", WIDTHS)
def test_two_distributions_fit_every_width(width: int) -> None:
    chances = {"targets": (0.7, 0.2, 0.1), "predictions": (0.5, 0.3, 0.2)}
    text = render(report_of("cross_entropy", **chances), "table", Surface(width))
    assert max(map(cell_len, text.splitlines())) <= width
    said = " ".join(text.split())
    for words in ("0.8018 nats (1.157 bits)", "0.8869 nats", "0.08512 nats", "-0.06931"):
        assert words in said


def test_curves_stand_side_by_side_where_there_is_room() -> None:
    narrow, wide = (render(report_of("huber"), "table", Surface(width)) for width in (99, 100))
    assert re.search(r"^ +value$", narrow, re.M)
    assert re.search(r"^ +value +gradient$", wide, re.M)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("one", "16 claims checked just now, at these options"),
        ("one", "✓ differentiable once: the curvature jumps"),
        ("one", "✓ influence clip(y - p, -delta, delta), up to a factor; bounded"),
        ("an event", "zero gradient y = 1: fades as p goes to +inf"),
        ("four", "mse"),
        ("options", "• alpha = 2 × alpha = 0 ○ alpha = -2"),
        ("two axes", "y*p; p for y = 1"),
        ("unchecked", "? not checked: delta = 1e+06 is far from 0.5 and 2.5"),
        ("unchecked", "exit 0: 16 claims that could not be checked"),
        ("defined", "! the gradient as written differs"),
        ("defined", "found by a search: nothing is claimed"),
    ],
)
def test_what_is_said(case: str, said: str) -> None:
    text = render(report_of(*CASES[case]), "table", Surface(100))
    assert said in " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split())


def test_a_table_of_several_says_no_less_where_it_is_narrow() -> None:
    """The same words, in records instead of columns."""
    narrow, wide = (
        set(render(report_of(*CASES["four"]), "table", Surface(width)).split())
        for width in (60, 120)
    )
    letters = re.compile(r"[a-z]")
    assert {word for word in wide if letters.search(word)} <= narrow


@pytest.mark.parametrize("case", CASES)
def test_markdown_has_the_same_properties(case: str) -> None:
    text = render(report_of(*CASES[case]), "markdown", Surface())
    for name in ("convex", "gradient", "kinks", "zero gradient"):
        assert f"| {name} |" in text
    assert text.startswith("# gradcli loss\n")


@pytest.mark.parametrize("suffix", [".json", ".md", ".svg", ".txt"])
def test_report_files(suffix: str) -> None:
    content = render_file(report_of("mae"), suffix)
    assert "mae" in content
    assert content == render_file(report_of("mae"), suffix)


STRAIGHT = Line("straight", (0.0, 1.0, 2.0, 3.0), (0.0, 1.0, 2.0, 3.0))


def drawn(*lines: Line, unicode: bool = False) -> list[str]:
    surface = Surface(40, unicode=unicode)
    rows = plot(lines, surface, title="t", across="x", width=12, height=4)
    return [row.plain.rstrip() for row in rows]


def test_a_straight_line_by_hand() -> None:
    assert drawn(STRAIGHT) == [
        "t",
        "  |       oo",
        "2 +    oooo",
        "  | oooo",
        "0 +oo",
        "  ++--+-+--+",
        "   0  1 2  3",
        "       x",
    ]


def test_dots_of_braille_by_hand() -> None:
    """A flat line at the top of the frame lights the two upper dots of each of seven cells."""
    flat = Line("flat", (0.0, 1.0), (1.0, 1.0))
    assert drawn(flat, unicode=True)[1] == "  1 ┤" + 7 * chr(0x2800 + 0x01 + 0x08)


def test_curves_in_one_place_take_turns() -> None:
    other = STRAIGHT._replace(name="other")
    assert drawn(STRAIGHT, other)[1] == "  |       xo"


def test_a_curve_that_outgrows_the_others_is_cut_off() -> None:
    steep = Line("steep", STRAIGHT.x, tuple(100 * y for y in STRAIGHT.y))
    assert drawn(STRAIGHT, steep)[1:5] == ["  |x", "5 +x       o", "  |x  oooooo", "0 +oooo"]


def test_a_curve_ends_where_its_points_end() -> None:
    half = Line("half", (0.0, 1.5), (3.0, 3.0))
    assert drawn(STRAIGHT, half)[1] == "  |xxxxx  oo"


def test_gaps_are_left_where_there_is_no_number() -> None:
    broken = Line("broken", STRAIGHT.x, (float("nan"), float("inf"), 2.0, 3.0))
    assert drawn(broken)[-4] == "0 +"
