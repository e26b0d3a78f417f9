"""What all tests share."""

from __future__ import annotations

import gc
import os
import zlib

# The products here are small: on a busy machine several threads make them many times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that depend on the test's id alone, hence on no order and no other test."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture
def no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that asks for no width and no colour."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def unclaimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No claim of a loss is tried, which takes the longest, for tests that are not about these."""
    monkeypatch.setattr("gradcli.analysis.losses.analyse.tried_claims", lambda *_: {})


def pytest_collection_finish() -> None:
    """Leave the thousands of collected tests out of every garbage collection that follows."""
    gc.collect()
    gc.freeze()
