"""The global random generators: seen when they move, held still, left as they were found."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from gradcli.core.record import Record

__all__ = ["Generators", "left_as_found"]


class Generators(Record):
    """The states of NumPy's and of Python's global random generator at some moment."""

    numpy: Any
    python: Any

    @classmethod
    def now(cls) -> Generators:
        return cls(np.random.get_state(legacy=False), random.getstate())  # noqa: NPY002  (users' code draws from it)

    def restore(self) -> None:
        np.random.set_state(self.numpy)  # noqa: NPY002
        random.setstate(self.python)

    def moved(self) -> str:
        """Which of the generators are in another state now; empty if none is."""
        names = {"numpy": "NumPy's", "python": "Python's"}
        now = Generators.now()
        moved = [
            name
            for field, name in names.items()
            if pickle.dumps(getattr(now, field)) != pickle.dumps(getattr(self, field))
        ]
        return f"{' and '.join(moved)} global random generator" if moved else ""

    @contextmanager
    def held(self) -> Iterator[None]:
        """In these states inside, afterwards in those from before."""
        outside = Generators.now()
        self.restore()
        try:
            yield
        finally:
            outside.restore()

    @staticmethod
    def stir() -> None:
        """Bring the generators into other states, as a program that draws from them does."""
        np.random.random()  # noqa: NPY002
        random.random()


@contextmanager
def left_as_found() -> Iterator[None]:
    """Whatever is drawn inside, afterwards the generators are where they were."""
    before = Generators.now()
    try:
        yield
    finally:
        before.restore()
