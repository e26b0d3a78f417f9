"""Points and functions that cases of the corpus share."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from gradcli.core.arrays import Array

RNG: Final = np.random.default_rng(11)
X: Final = RNG.standard_normal(4)
F32: Final = RNG.standard_normal(6).astype(np.float32)
SQUARE: Final = RNG.standard_normal((4, 4))
DATA: Final = RNG.standard_normal((20, 4))
TARGET: Final = RNG.standard_normal(20)
DATA32, TARGET32 = DATA.astype(np.float32), TARGET.astype(np.float32)


def array(*values: float) -> Array:
    return np.array(values, float)


def hilbert(size: int) -> Array:
    return 1.0 / (np.arange(size)[:, None] + np.arange(size) + 1)


def sigmoid(x: Any) -> Any:
    return np.exp(-np.logaddexp(0, -x))


def one_hot(index: Any, size: int) -> Array:
    return np.eye(size)[index]


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max())
    return e / e.sum()


def logsumexp(x: Array) -> Any:
    return np.log(np.exp(x - x.max()).sum()) + x.max()
