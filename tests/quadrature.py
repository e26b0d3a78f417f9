"""Integrals that owe nothing to the program."""

from __future__ import annotations

import numpy as np


def gauss_legendre(edges: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss and Legendre's rule, so many in each panel between the edges."""
    node, weight = np.polynomial.legendre.leggauss(count)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + node)).ravel(), (half * weight).ravel()
