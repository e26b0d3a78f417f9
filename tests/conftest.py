"""What all tests share."""

from __future__ import annotations

import zlib

import numpy as np
import pytest


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that depend on the test's id alone, hence on no order and no other test."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))
