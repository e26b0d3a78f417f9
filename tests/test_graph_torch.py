"""Operations in products of matrices against PyTorch's own counter."""

from __future__ import annotations

from typing import Any

import pytest
from graph_specs import graph_of, mlp

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")


def flops(modules: list[Any], shape: tuple[int, ...]) -> int:
    """What PyTorch counts of the loss and of its gradient by all parameters and inputs.

    Its counter takes 2·m·k·n for a product of matrices (m, k) and (k, n), and nothing else.
    """
    from torch.utils.flop_counter import FlopCounterMode

    network = torch.nn.Sequential(*modules).double()
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        (network(x) ** 2).mean().backward()
    return int(counter.get_total_flops())


def test_products_of_dense_layers() -> None:
    width, depth, rows = 48, 5, 64
    modules: list[Any] = []
    for _ in range(depth):
        modules += [torch.nn.Linear(width, width), torch.nn.Tanh()]
    counted = flops([*modules, torch.nn.Linear(width, 1)], (rows, width))
    result = graph_of(mlp(depth, width=width, rows=rows))
    first_terms = 0  # a sum of k products takes k - 1 additions
    for fan_out in (*[width] * depth, 1):
        first_terms += rows * fan_out + rows * width + fan_out * width
    assert (result.forward + result.backward).products + first_terms == counted
