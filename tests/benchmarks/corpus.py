"""How many planted mistakes each checker tells from how many correct hard functions.

Run by hand: `python tests/benchmarks/corpus.py`. gradcli is set beside the rule of the course notes
(central differences, relative error of each entry below 1e-5) and, where these are installed, the
checkers of PyTorch, JAX and autograd, all at their default settings. A mistake is told by failing,
by gradcli also with a warning within the grade. With `--seeds 20` gradcli's verdicts are compared
over as many seeds; `--each` lists the cases on which a checker goes wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from corpus import check
from corpus.hard import HARD
from corpus.planted import PLANTED

from gradcli.core.arrays import Array

NOTES_STEP, NOTES_ERROR = 1e-5, 1e-5


class Case(NamedTuple):
    """A function of float arrays with the gradient claimed for it, in one shape for all checkers.

    `pull(arrays, g)` are the claims for each array; a scalar function has the cotangent 1.
    """

    arrays: list[Array]
    value: Callable[[list[Array]], Any]
    pull: Callable[[list[Array], Any], list[Array]]


def as_case(fun: Any, grad: Any, point: Any, vector: bool) -> Case:
    named = point if isinstance(point, dict) else {"x": np.asarray(point)}
    moving = [name for name, value in named.items() if value.dtype.kind == "f"]

    def rebuilt(arrays: list[Array]) -> Any:
        whole = {**named, **dict(zip(moving, map(np.asarray, arrays), strict=True))}
        return whole if isinstance(point, dict) else whole["x"]

    def value(arrays: list[Array]) -> Any:
        made = fun(rebuilt(arrays))
        return made[0] if vector and isinstance(made, tuple) else made

    def pull(arrays: list[Array], g: Any) -> list[Array]:
        inputs = rebuilt(arrays)
        if not vector:
            return [np.asarray(grad(inputs)) * np.asarray(g)]
        made = fun(inputs)
        output, saved = (made[0], made[1:]) if isinstance(made, tuple) else (made, ())
        found = grad(inputs, output, np.asarray(g), *saved)
        return [np.asarray(found[name]) for name in moving] if isinstance(point, dict) else [found]

    return Case([named[name] for name in moving], value, pull)


def notes(case: Case) -> bool:
    """Every entry of ⟨g, f⟩ by central differences, judged by its relative error."""
    output = np.asarray(case.value(case.arrays), float)
    g = np.random.default_rng(0).standard_normal(output.shape) if output.ndim else np.ones(())
    claims = case.pull(case.arrays, g)
    for at, array in enumerate(case.arrays):
        for place in np.ndindex(array.shape):
            sides = []
            for step in (NOTES_STEP, -NOTES_STEP):
                moved = [value.copy() for value in case.arrays]
                moved[at][place] += step
                sides.append(np.sum(g * np.asarray(case.value(moved), float)))
            n, a = (sides[0] - sides[1]) / (2 * NOTES_STEP), float(claims[at][place])
            size = max(abs(a), abs(n))
            if size and abs(a - n) / size > NOTES_ERROR:  # as written there: NaN passes
                return False
    return True


def pytorch(case: Case, **mode: bool) -> bool:
    import torch

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            ctx.arrays = [tensor.detach().numpy().copy() for tensor in tensors]
            return torch.as_tensor(np.asarray(case.value(ctx.arrays)))

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            made = case.pull(ctx.arrays, g.detach().numpy())
            return tuple(torch.as_tensor(np.array(value)) for value in made)

    tensors = [torch.tensor(array, requires_grad=True) for array in case.arrays]
    return bool(torch.autograd.gradcheck(Function.apply, tensors, **mode))


def jax(case: Case) -> bool:
    import jax
    from jax.test_util import check_vjp

    jax.config.update("jax_enable_x64", True)

    def value(*arrays: Any) -> Array:
        return np.asarray(case.value([np.asarray(array) for array in arrays]))

    def vjp(*arrays: Any) -> tuple[Array, Any]:
        own = [np.asarray(array) for array in arrays]
        return value(*own), lambda g: tuple(case.pull(own, np.asarray(g)))

    check_vjp(value, vjp, tuple(case.arrays))
    return True


def autograd(case: Case) -> bool:
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    function = primitive(lambda *arrays: case.value(list(arrays)))
    defvjp(
        function,
        *(
            lambda ans, *arrays, at=at: lambda g: case.pull(list(arrays), g)[at]
            for at in range(len(case.arrays))
        ),
    )
    check_grads(function, modes=["rev"], order=1)(*case.arrays)
    return True


def installed() -> Iterator[tuple[str, Callable[[Case], bool]]]:
    """The checkers that can be imported, by name; each says whether it accepts, or raises."""
    yield "the notes' rule", notes
    for module, named in {
        "torch": {
            "PyTorch's gradcheck": pytorch,
            "PyTorch's, fast mode": lambda case: pytorch(case, fast_mode=True),
        },
        "jax": {"JAX's check_vjp": jax},
        "autograd": {"autograd's check_grads": autograd},
    }.items():
        try:
            __import__(module)
        except ImportError:
            print(f"{module} is not installed")
        else:
            yield from named.items()


def accepts(checker: Callable[[Case], bool], case: Case) -> bool:
    """What raises is not accepted, whatever it raises."""
    try:
        return checker(case)
    except Exception:
        return False


def gradcli_accepts(
    fun: Any, grad: Any, point: Any, vector: bool, seed: int = 0
) -> tuple[str, bool]:
    """The verdict, and whether nothing is said against the gradient."""
    report = check(fun, grad, point, vector, seed)
    warned = any(f.severity == "warning" and f.code.startswith("GC1") for f in report.findings)
    return report.verdict, report.verdict != "fail" and not warned


def compare(each: bool) -> None:
    planted = {name: (c.fun, c.wrong, c.point, c.vector) for name, c in PLANTED.items()}
    correct = {name: tuple(case) for name, case in HARD.items()}
    print(f"{len(planted)} planted mistakes, {len(correct)} correct functions\n")
    print(f"{'':24} {'told':>6} {'rejected':>9} {'seconds':>8}")
    start = time.perf_counter()
    quiet = [name for name, case in planted.items() if gradcli_accepts(*case)[1]]
    verdicts = {name: gradcli_accepts(*case) for name, case in correct.items()}
    red = [name for name, (verdict, clear) in verdicts.items() if not clear]
    show("gradcli", planted, quiet, red, start, each)
    undecided = [name for name, (verdict, _) in verdicts.items() if verdict == "inconclusive"]
    evaluations = sum(check(*case).results[0].evaluations for case in correct.values())
    entries = sum(t.checked for case in correct.values() for t in check(*case).tensors)
    for name, checker in installed():
        start = time.perf_counter()
        quiet = [n for n, case in planted.items() if accepts(checker, as_case(*case))]
        red = [n for n, case in correct.items() if not accepts(checker, as_case(*case))]
        show(name, planted, quiet, red, start, each)
    print(
        f"\ngradcli leaves {len(undecided)} of the correct ones undecided: {', '.join(undecided)}"
    )
    print(f"{evaluations / entries:.0f} evaluations for each of their entries")


def show(
    name: str, planted: Any, quiet: list[str], red: list[str], start: float, each: bool
) -> None:
    seconds = time.perf_counter() - start
    print(f"{name:24} {len(planted) - len(quiet):>6} {len(red):>9} {seconds:>8.1f}")
    if each:
        for what, names in {"not told": quiet, "rejected": red}.items():
            print(f"    {what}: {'; '.join(names) or 'none'}")


def compare_seeds(count: int) -> None:
    different = 0
    for name, case in [*HARD.items(), *PLANTED.items()]:
        grad = case.wrong if hasattr(case, "wrong") else case.grad
        found = {
            gradcli_accepts(case.fun, grad, case.point, case.vector, seed) for seed in range(count)
        }
        if len(found) > 1:
            different += 1
            print(f"  {name}: {sorted(found)}")
    print(f"{different} of {len(HARD) + len(PLANTED)} cases differ over {count} seeds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--each", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with np.errstate(all="ignore"):
        compare(options.each)
        if options.seeds:
            compare_seeds(options.seeds)


if __name__ == "__main__":
    main()
