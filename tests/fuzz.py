"""Thousands of cases that no user would write: `python tests/fuzz.py`.

Specs, formulas, data files and command lines at random, each from a seed of its own. A case may end
with one of the exit codes 0 to 3 only, in ten seconds of processor time and bounded memory; without
a traceback or a warning, with valid JSON where that is asked for; nothing is written but the files
asked for, and no Python is run. What does not hold is printed with its number and the smallest case
that still ends like it. `python tests/fuzz.py specs 20 --first 311 --show` runs a few again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from fuzzing import commands, files, formulas, specs
from fuzzing.case import Case, Draw, shrink
from fuzzing.guard import Guard, Outcome, limit_memory

KINDS: Final[dict[str, tuple[Draw, int]]] = {
    "specs": (specs.draw, 20_000),
    "formulas": (formulas.draw, 5_000),
    "files": (files.draw, 3_000),
    "commands": (commands.draw, 3_000),
}
"""What is drawn, and how many of it by default."""

_PULSE: Final = 1000
"""Cases after which it is said how far they are."""

_MEMORY: Final = 1 << 30
"""Bytes that a case may take, some times what the specs are allowed."""


def case(kind: str, number: int, seed: int = 0) -> Case:
    """The case with this number: the same every time."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind), number])
    return KINDS[kind][0](rng)


def run(kind: str, numbers: range, guard: Guard, seed: int = 0, *, show: bool = False) -> int:
    """Run cases and print what became of them; returns how many ended as none may."""
    codes: Counter[int] = Counter()
    wrong: Counter[str] = Counter()
    slowest = (0.0, -1)
    start = time.perf_counter()
    for number in numbers:
        drawn = case(kind, number, seed)
        outcome = guard.run(drawn)
        if outcome.is_late:  # or the machine was busy
            outcome = guard.run(drawn)
        codes[outcome.code] += 1
        slowest = max(slowest, (outcome.seconds, number))
        if number % _PULSE == 0:
            print(f"{kind} {number}", file=sys.stderr, flush=True)
        if show:
            print(f"{kind} {number}: exit code {outcome.code}, {outcome.seconds:.2f} s\n{drawn}")
            print(outcome.stdout, outcome.stderr, sep="--- stderr\n")
        if outcome.wrong:
            if not wrong[_sort(outcome)]:
                smallest = shrink(drawn, _ends_like(outcome, guard))
                print(f"{kind} {number}: {outcome.wrong}\n{smallest}\n", flush=True)
            else:
                print(f"{kind} {number}: {outcome.wrong}", flush=True)
            wrong[_sort(outcome)] += 1
    counts = ", ".join(f"{codes[code]} exit code {code}" for code in sorted(codes))
    print(f"{len(numbers)} {kind}: {counts}; {wrong.total()} ended as none may.")
    took, (seconds, number) = time.perf_counter() - start, slowest
    print(f"{took:.0f} s, the longest {seconds:.1f} s (number {number})", flush=True)
    return wrong.total()


def _ends_like(outcome: Outcome, guard: Guard) -> Callable[[Case], bool]:
    return lambda case: _sort(guard.run(case)) == _sort(outcome)


def _sort(outcome: Outcome) -> str:
    """What tells one bug from another: the beginning of what is said of it, without numbers."""
    return "".join(letter for letter in outcome.wrong if not letter.isdigit())[:60]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", nargs="?", choices=KINDS, help="by default all")
    parser.add_argument("count", nargs="?", type=int, help="how many of each")
    parser.add_argument("--first", type=int, default=0, help="the first one's number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="print each case and what it says")
    chosen = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        guard = Guard(Path(folder))
        limit_memory(_MEMORY)
        for kind in [chosen.kind] if chosen.kind else KINDS:
            count = KINDS[kind][1] if chosen.count is None else chosen.count
            numbers = range(chosen.first, chosen.first + count)
            failed += run(kind, numbers, guard, chosen.seed, show=chosen.show)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
