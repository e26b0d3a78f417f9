"""Random compositions of PyTorch's functions: `python tests/random_callables.py 3000 0 float32`.

To gradcli each is a function of an array of which it knows nothing. It is checked with the gradient
of PyTorch's autograd, which has to pass, and with one mistake planted in this, which has to be told
unless it changes less than is detectable. Arguments are of many sizes, tied, and at kinks. The
arguments are how many, from which number on, and the number format; the counts are printed.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch

import gradcli
from gradcli.analysis.gradcheck.report import CheckReport
from gradcli.core.arrays import Array

F = torch.nn.functional
Function = Callable[[Any], Any]

INNER: dict[str, Function | None] = {
    "exp": lambda x: torch.exp(torch.clamp(x, -50, 50)),
    "tanh": torch.tanh,
    "relu": torch.relu,
    "abs": torch.abs,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "log(1 + |x|)": lambda x: torch.log1p(x.abs()),
    "sqrt(|x| + 1e-12)": lambda x: torch.sqrt(x.abs() + 1e-12),
    "sin": torch.sin,
    "cube": lambda x: x**3,
    "square": lambda x: x**2,
    "clamp": lambda x: torch.clamp(x, -1, 1),
    "leaky relu": lambda x: F.leaky_relu(x, 0.1),
    "elu": F.elu,
    "gelu": F.gelu,
    "times 1e5": lambda x: x * 1e5,
    "times 1e-5": lambda x: x * 1e-5,
    "plus 1e4": lambda x: x + 1e4,
    "1 / (1 + x²)": lambda x: 1 / (1 + x * x),
    "softmax": lambda x: torch.softmax(x, -1),
    "log softmax": lambda x: torch.log_softmax(x, -1),
    "normalize": lambda x: x / (x.norm() + 1e-8),
    "center": lambda x: x - x.mean(),
    "sort": lambda x: torch.sort(x).values,
    "cumsum": lambda x: torch.cumsum(x, -1),
    "atan": torch.atan,
    "huber": lambda x: F.huber_loss(x, torch.zeros_like(x), reduction="none"),
    "erf": torch.erf,
    "matrix": None,  # drawn anew each time
}
LAST: dict[str, Function] = {
    "sum": lambda x: x.sum(),
    "mean": lambda x: x.mean(),
    "max": lambda x: x.max(),
    "logsumexp": lambda x: torch.logsumexp(x, -1),
    "norm": lambda x: x.norm(),
    "var": lambda x: x.var(),
    "prod": lambda x: x.prod(),
    "sum of squares": lambda x: (x * x).sum(),
    "1e6 + sum": lambda x: 1e6 + x.sum(),
}
MISTAKES: dict[str, Callable[[Array, int], Array]] = {
    "sign flipped": lambda g, _: -g,
    "1 % too large": lambda g, _: g * 1.01,
    "one entry zero": lambda g, at: np.where(np.arange(len(g)) == at, 0, g),
    "one entry 10 % too large": lambda g, at: np.where(np.arange(len(g)) == at, g * 1.1, g),
    "twice too large": lambda g, _: g * 2,
}


class Drawn(NamedTuple):
    """A function with its gradient at a point, and a mistake to plant in it."""

    names: list[str]
    point: Array
    value: Callable[[Array], Any]
    gradient: Callable[[Array], Array]
    mistake: str
    entry: int

    def wrong(self, x: Array) -> Array:
        made = MISTAKES[self.mistake](self.gradient(x), self.entry)
        return np.asarray(made, self.point.dtype)


def draw(number: int, dtype: str = "float64") -> Drawn:
    """The composition of this number."""
    rng = np.random.default_rng(number)
    size, depth = (int(rng.integers(1, 6)) for _ in range(2))
    names, functions = [], []
    for _ in range(depth):
        name, function = list(INNER.items())[rng.integers(len(INNER))]
        names.append(name)
        functions.append(function or _matrix(rng.standard_normal((size, size))))
    name, last = list(LAST.items())[rng.integers(len(LAST))]
    point = _point(rng, size).astype(dtype)

    def composed(tensor: Any) -> Any:
        for function in functions:
            tensor = function(tensor)
        return last(tensor)

    def gradient(x: Array) -> Array:
        tensor = torch.tensor(x, requires_grad=True)
        made: Array = torch.autograd.grad(composed(tensor), tensor)[0].numpy()
        return made

    def value(x: Array) -> Any:
        return composed(torch.tensor(x)).numpy()[()]

    mistake = list(MISTAKES)[rng.integers(len(MISTAKES))]
    return Drawn([*names, name], point, value, gradient, mistake, int(rng.integers(size)))


def _matrix(values: Array) -> Function:
    matrix = torch.tensor(values)
    return lambda x: matrix.to(x.dtype) @ x


def _point(rng: np.random.Generator, size: int) -> Array:
    """Numbers of one size or of many, some zero, whole or all the same."""
    scale = 10.0 ** rng.integers(-8, 9) if rng.random() < 0.4 else 1.0
    x = rng.standard_normal(size) * scale
    if rng.random() < 0.3:
        x[rng.random(size) < 0.4] = 0
    if rng.random() < 0.2:
        x = np.round(x)
    if rng.random() < 0.15:
        x = np.full(size, x[0])
    if rng.random() < 0.1:
        x = x * 10.0 ** rng.integers(-6, 7, size)
    return x


class Outcome(NamedTuple):
    """What is reported of a gradient (`verdict`, or `warned`), and of a mistake in it."""

    right: str
    wrong: str
    reports: tuple[CheckReport, ...]


def check(drawn: Drawn, seed: int = 0) -> Outcome:
    """Check a composition with its gradient, and with a mistake in it."""
    gradient = drawn.gradient(drawn.point)
    if not np.isfinite(drawn.value(drawn.point)) or not np.isfinite(gradient).all():
        return Outcome("not finite", "", ())
    right = gradcli.gradcheck(drawn.value, drawn.gradient, drawn.point, seed=seed)
    outcome = "warned" if right.verdict == "pass" and _is_told(right) else right.verdict
    effect = float(np.abs(drawn.wrong(drawn.point) - gradient).max())
    if not effect:
        return Outcome(outcome, "without effect", (right,))
    wrong = gradcli.gradcheck(drawn.value, drawn.wrong, drawn.point, seed=seed)
    return Outcome(outcome, _fate(wrong, effect), (right, wrong))


def _is_told(report: CheckReport) -> bool:
    return report.verdict == "fail" or any(f.code.startswith("GC1") for f in report.findings)


def _fate(report: CheckReport, effect: float) -> str:
    if _is_told(report):
        return "told"
    (tensor,) = report.tensors
    if effect <= tensor.detectable_error:
        return "below detectable"
    if report.verdict == "inconclusive":
        return "undecided"
    return "right at a kink" if tensor.kinks else "unnoticed"


def outcomes(numbers: Iterable[int], dtype: str = "float64") -> Iterable[tuple[int, Outcome]]:
    """The outcomes of the compositions of these numbers."""
    for number in numbers:
        drawn = draw(number, dtype)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield number, check(drawn, number)


def main(count: int = 3000, first: int = 0, dtype: str = "float64") -> int:
    """Print what became of them; 1 if a right gradient failed or a mistake went unnoticed."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for number, outcome in outcomes(range(first, first + count), dtype):
        right[outcome.right] += 1
        if outcome.wrong:
            wrong[outcome.wrong] += 1
        if outcome.right in ("fail", "warned") or outcome.wrong == "unnoticed":
            drawn = draw(number, dtype)
            print(number, ", ".join(drawn.names), drawn.point.tolist(), drawn.mistake)
            print(*outcome.reports, sep="\n")
    print(f"{count} compositions in {dtype}:", _counts(right))
    print("the same with one mistake each:", _counts(wrong))
    print(f"{time.perf_counter() - start:.0f} s")
    return int(right["fail"] > 0 or wrong["unnoticed"] > 0)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common()) or "none"


if __name__ == "__main__":
    arguments: list[Any] = [int(text) if text.isdigit() else text for text in sys.argv[1:]]
    sys.exit(main(*arguments))
