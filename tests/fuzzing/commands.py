"""Command lines at random: whatever options there are, with values that fit and that do not."""

from __future__ import annotations

from functools import cache
from pathlib import PurePath
from typing import Any, Final

import click
import numpy as np

from fuzzing.case import SPEC, Case
from fuzzing.specs import BUDGET, FILES, MEMORY, spec_text, texts

__all__ = ["commands", "draw"]

VALUES: Final = (
    "0", "1", "2", "3", "-1", "0.5", "1e-5", "1e300", "1e999", "nan", "inf", "-inf", "", " ", "x",
    "9" * 30, "9" * 5000, "good", "all", "*", "dense_1.*", "[", "GC102", "vanishing", "tanh",
    "relu", "mse", "huber", "lstm", "rnn", "he_normal", "normal:2", "uniform:-1", "delta=2", "=",
    "delta=", "a=b", "0.7,0.2,0.1", "1,,2", "2GiB", "1KiB", "-5MiB", "1e9GiB", "convex", "losses",
    "not-kinked", "json", "\u00e9\u200b", "\x1b[2J", "a" * 5000, "--", "-", "/dev/null",
    "..", "spec.yaml",
)  # fmt: skip
WRITTEN: Final = (
    "out.json",
    "out.md",
    "out.svg",
    "out.txt",
    "out.xml",
    "out.yaml",
    "out.pdf",
    "out",
)
WORDS: Final = (
    SPEC, SPEC, SPEC, "missing.yaml", ".", "-", "mse", "huber", "huber:delta=1", "huber:delta=x",
    "adaptive_robust", "GC102", "step-size", "vanishing gradient", "losses", "nothing such", "",
    "data.npz", "data.csv", "a" * 300 + ".yaml", "\u00e9.yaml", "nul\x00.yaml"[:3], "mse:", ":",
)  # fmt: skip
RIGHT: Final = {
    "check": (SPEC, SPEC, "-", "."),
    **dict.fromkeys(("curvature", "graph", "train"), (SPEC, "-")),
    "flow": (SPEC, "-"),
    "loss": (SPEC, "mse", "huber", "huber:delta=1", "adaptive_robust:alpha=0.5", "-"),
    "explain": ("huber", "GC102", "he_normal", "lipschitz", "step-size", SPEC),
    "new": ("activation", "layer", "function", "network", "own.yaml", SPEC),
    "list": ("losses", "activations", "rules", "concepts"),
}
"""Arguments that suit a command."""

ENCODINGS: Final = ("utf-8", "utf-8", "ascii", "latin-1", "cp1252")
HEAVY: Final = {
    "--depth": ("1", "2", "10", "60"),
    "--width": ("1", "2", "16"),
    "--batch": ("1", "8"),
    "--steps": ("1", "3"),
    "--probes": ("1", "4"),
    "--iterations": ("1", "9"),
}
"""What a user may ask a lot of, and then waits for it: kept small."""


@cache
def commands() -> dict[str, click.Command]:
    """Every command by name."""
    from gradcli.cli.main import main

    context = click.Context(main)
    return {name: main.get_command(context, name) for name in main.list_commands(context)}


def draw(rng: np.random.Generator) -> Case:
    """A command with some of its options, in any order, and its arguments."""
    known = commands()
    name = list(known)[rng.integers(len(known))]
    options = [p for p in known[name].params if isinstance(p, click.Option)]
    told: list[str] = []
    written: set[str] = set()
    for option in options:
        if rng.random() < 0.1 and option.name != "allow_python":
            told += _given(option, written, rng)
    if rng.random() < 0.1:
        junk = ("--nonsense", "-x", "--form", "--", "--seed", "--report=", "-h", "--format=json")
        told.append(junk[rng.integers(len(junk))])
    choices = RIGHT.get(name, WORDS) if rng.random() < 0.7 else WORDS
    words = [choices[i] for i in rng.integers(len(choices), size=rng.choice([0, 1, 1, 1, 2]))]
    if name == "new":  # which writes what it is told to, and files beside it named like it
        suffixes = (".yaml", ".yml", ".py", ".csv")
        written |= {PurePath(word).stem + suffix for word in words for suffix in suffixes}
    if any(option.name == "max_memory" for option in options):
        told += ["--max-memory", MEMORY]
    if name == "check" and "--budget" not in told:
        told += ["--budget", BUDGET]
    if name == "train" and "--steps" not in told:
        told += ["--steps", "3"]
    arguments = [name, *words, *told] if rng.random() < 0.5 else [name, *told, *words]
    if name == "flow" and not words and "--depth" not in told:
        arguments += ["--depth", "5", "--width", "4", "--batch", "4"]
    right = texts()[rng.integers(len(texts()))] if rng.random() < 0.5 else None
    text = spec_text(rng) if right is None else right
    environment = {"PYTHONIOENCODING": ENCODINGS[rng.integers(len(ENCODINGS))]}
    if rng.random() < 0.4:
        environment["COLUMNS"] = ("20", "1", "0", "-1", "x", "200", "41", "99999")[rng.integers(8)]
    if rng.random() < 0.2:
        environment |= {"FORCE_COLOR": "1", "TERM": "dumb"}
    files = {**FILES, SPEC: text}
    return Case(tuple(arguments), files, text[:2000], frozenset(written), environment)


def _given(option: click.Option, written: set[str], rng: np.random.Generator) -> list[str]:
    flag = option.opts[rng.integers(len(option.opts))]
    if option.is_flag:
        names = [*option.opts, *option.secondary_opts]
        return [names[rng.integers(len(names))]]
    told: list[str] = []
    for _ in range(int(rng.integers(1, 4)) if option.multiple else 1):
        told.append(flag)
        for _ in range(option.nargs):
            told.append(_value(option, written, rng))
    return told


def _value(option: click.Option, written: set[str], rng: np.random.Generator) -> str:
    if (option.metavar or "").startswith("FILE"):
        name = WRITTEN[rng.integers(len(WRITTEN))]
        written.add(name)
        return ("", "", "", "no-such-folder/", "./")[rng.integers(5)] + name
    for flag, values in HEAVY.items():
        if flag in option.opts:
            return values[rng.integers(len(values))]
    kind: Any = option.type
    if isinstance(kind, click.Choice) and rng.random() < 0.9:
        return str(kind.choices[rng.integers(len(kind.choices))])
    if isinstance(kind, (click.IntRange, click.FloatRange)) and rng.random() < 0.9:
        return ("1", "2", "3", "0.5", "1e-3")[
            rng.integers(3 if kind.name == "integer range" else 5)
        ]
    return VALUES[rng.integers(len(VALUES))]
