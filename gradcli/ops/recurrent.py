"""Recurrent layers, differentiated by backpropagation through time (Werbos 1990).

Parameters, gate order and initialization are PyTorch's; inputs are (batch, time, features) and the
state starts at zero.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from gradcli.core.arrays import Array, Cotangents, Parameters, like, rows, sum_rows
from gradcli.core.cost import Cost, Operations, matrix_product
from gradcli.core.op import Learned, Shape
from gradcli.core.param import Param
from gradcli.core.primitives import matmul, transpose
from gradcli.core.registry import layer
from gradcli.core.steps import note_gate, note_slope, note_state, note_state_cotangent
from gradcli.core.traits import LayerTraits
from gradcli.ops.activations import Value, sigmoid, tanh
from gradcli.ops.rectifiers import relu

__all__: list[str] = []

States = tuple[Array, ...]
"""What is handed on from step to step, the output h first."""

StepPullback = Callable[[States], tuple[Array, Array, States]]
"""Cotangents of the next states -> those of `zx`, of `zh`, and of the states as far as these are
used otherwise than through `zh`."""

Cell = Callable[[Array, Array, States], tuple[States, StepPullback]]
"""One step: `zx` and `zh` are the pre-activations' parts from the input and from h."""

_OUTPUTS: Final = ("sequence", "last")
_ACTIVATIONS: Final[dict[str, Callable[[Array], Value]]] = {"tanh": tanh, "relu": relu}
_UNITS: Final = Param("units", kind="integer", at_least=1, sweep=(1, 3))
_INITS: Final = (
    Param("init", "pytorch_default", kind="initializer"),
    Param(
        "bias_init",
        "zeros",
        kind="initializer",
        doc="zeros beside any other init, unless written",
    ),
)
_OUTPUT: Final = Param(
    "output", "sequence", kind="choice", choices=_OUTPUTS, sweep=_OUTPUTS,
    doc="the output of every step, or of the last alone",
)  # fmt: skip


def _shapes(shape: Shape, *, units: int, output: str, **_: Any) -> Shape:
    if len(shape) != 3:
        raise ValueError(f"needs inputs (batch, time, features), got shape {shape}")
    return (shape[0], units) if output == "last" else (*shape[:2], units)


def _weights(gates: int) -> Callable[..., dict[str, Learned]]:
    def weights(shape: Shape, *, units: int, **_: Any) -> dict[str, Learned]:
        outputs, features = gates * units, shape[-1]
        return {
            "weight_ih": Learned((outputs, features), "init", features, outputs, pytorch_fan=units),
            "weight_hh": Learned((outputs, units), "init", units, outputs),
            "bias_ih": Learned((outputs,), "bias_init", units, outputs),
            "bias_hh": Learned((outputs,), "bias_init", units, outputs),
        }

    return weights


def _cost(
    gates: int, forward: int, backward: int, kept: int, flags: int = 0, *, apart: bool = False
) -> Callable[..., Cost]:
    """Of a layer that multiplies each input by W_ih at once, and the state by W_hh step by step.

    The numbers are those of a unit in a step: operations of the cell beside the sums of its
    pre-activations, and what its pullback keeps. The cotangents of the input's part and of the
    state's part of a pre-activation may be `apart`.
    """

    def cost(shape: Shape, *, units: int, output: str, **_: Any) -> Cost:
        batch, steps, features = shape
        count, outputs = batch * steps, gates * units
        sequence = output == "sequence"
        step_forward = matrix_product(batch, units, outputs).times(steps)
        step_backward = matrix_product(batch, outputs, units).times(steps)
        to_weights = matrix_product(outputs, count, features) + matrix_product(
            outputs, count, units
        )
        sums = 2 * (count - 1) * outputs  # over all rows, for each bias
        joined = count * units + sequence * batch * (steps - 1) * units  # what a state hands back
        return Cost(
            forward=matrix_product(count, features, outputs)
            + step_forward
            + Operations(elements=(2 * gates + forward) * count * units),
            backward=matrix_product(count, outputs, features)
            + step_backward
            + to_weights
            + Operations(elements=backward * count * units + joined + sums),
            kept=kept * count * units + sequence * batch * units,
            flags=flags * count * units,
            scratch=(gates * count * units, ((3 + apart) * gates + 1) * count * units),
        )

    return cost


def _unrolled(
    cell: Cell, states: int, x: Array, parameters: Parameters, output: str
) -> tuple[Array, Any]:
    """Run a cell over time, and its gradient back through time."""
    weight_ih, weight_hh = parameters["weight_ih"], parameters["weight_hh"]
    bias_ih, bias_hh = like(parameters["bias_ih"], 1, 2), like(parameters["bias_hh"], 1, 2)
    batch, steps, _ = x.shape[-3:]
    flat = rows(x, 3)
    zx = _by_step(matmul(flat, transpose(weight_ih)) + bias_ih, batch, steps)
    now: States = (np.zeros((batch, weight_hh.shape[-1]), x.real.dtype),) * states
    before, after, pulls = [], [], []
    for step in range(steps):
        before.append(now[0])
        zh = matmul(now[0], transpose(weight_hh)) + bias_hh
        now, pull = cell(zx[..., step, :], zh, now)
        note_state(now[0])
        after.append(now[0])
        pulls.append(pull)

    def pullback(g: Array) -> tuple[Array, Cotangents]:
        last = g if output == "last" else g[..., -1, :]
        to: States = (last, *(np.zeros_like(state) for state in now[1:]))
        to_zx, to_zh = [], []
        for step in reversed(range(steps)):
            note_state_cotangent(step, partial(np.concatenate, to, axis=-1))
            dzx, dzh, (dh, *others) = pulls[step](to)
            to_zx.append(dzx)
            to_zh.append(dzh)
            dh = dh + matmul(dzh, weight_hh)
            if output == "sequence" and step:
                dh = dh + g[..., step - 1, :]
            to = (dh, *others)
        dzx, dzh, h = (rows(_over_time(parts), 3) for parts in (to_zx[::-1], to_zh[::-1], before))
        cotangents = {
            "weight_ih": matmul(transpose(dzx), flat),
            "weight_hh": matmul(transpose(dzh), h),
            "bias_ih": sum_rows(dzx, 2),
            "bias_hh": sum_rows(dzh, 2),
        }
        return _by_step(matmul(dzx, weight_ih), batch, steps), cotangents

    return now[0] if output == "last" else _over_time(after), pullback


def _by_step(flat: Array, batch: int, steps: int) -> Array:
    return flat.reshape(*flat.shape[:-2], batch, steps, flat.shape[-1])


def _over_time(parts: list[Array]) -> Array:
    """Arrays (..., batch, features) of every step as (..., batch, time, features)."""
    return np.stack(np.broadcast_arrays(*parts), axis=-2)


def _split(z: Array, gates: int) -> list[Array]:
    width = z.shape[-1] // gates
    return [z[..., gate * width : (gate + 1) * width] for gate in range(gates)]


def _rnn_cost(shape: Shape, *, activation: str, **options: Any) -> Cost:
    forward, backward, kept, flags = (2, 11, 2, 0) if activation == "tanh" else (3, 1, 1, 1)
    return _cost(1, forward, backward, kept, flags)(shape, **options)


def _simple(activation: Callable[[Array], Value]) -> Cell:
    def cell(zx: Array, zh: Array, states: States) -> tuple[States, StepPullback]:
        h, pull = activation(zx + zh)
        note_slope(lambda: pull(np.ones_like(h)))

        def pullback(to: States) -> tuple[Array, Array, States]:
            dz = pull(to[0])
            return dz, dz, (np.zeros_like(dz),)

        return (h,), pullback

    return cell


def _lstm(zx: Array, zh: Array, states: States) -> tuple[States, StepPullback]:
    _, c = states
    zi, zf, zg, zo = _split(zx + zh, 4)
    (i, pull_i), (f, pull_f), (g, pull_g), (o, pull_o) = (
        sigmoid(zi), sigmoid(zf), tanh(zg), sigmoid(zo),
    )  # fmt: skip
    note_gate("input", i)
    note_gate("forget", f)
    note_gate("output", o)
    c_next = f * c + i * g
    squashed, pull_c = tanh(c_next)

    def pullback(to: States) -> tuple[Array, Array, States]:
        dh, dc = to
        dc = dc + pull_c(dh * o)
        dz = np.concatenate(
            [pull_i(dc * g), pull_f(dc * c), pull_g(dc * i), pull_o(dh * squashed)], axis=-1
        )
        return dz, dz, (np.zeros_like(dh), dc * f)

    return (o * squashed, c_next), pullback


def _gru(zx: Array, zh: Array, states: States) -> tuple[States, StepPullback]:
    (h,) = states
    (xr, xz, xn), (hr, hz, hn) = _split(zx, 3), _split(zh, 3)
    (r, pull_r), (z, pull_z) = sigmoid(xr + hr), sigmoid(xz + hz)
    n, pull_n = tanh(xn + r * hn)
    note_gate("reset", r)
    note_gate("update", z)

    def pullback(to: States) -> tuple[Array, Array, States]:
        (dh,) = to
        dn = pull_n(dh * (1 - z))
        dr, dz = pull_r(dn * hn), pull_z(dh * (h - n))
        through_x = np.concatenate([dr, dz, dn], axis=-1)
        return through_x, np.concatenate([dr, dz, dn * r], axis=-1), (dh * z,)

    return ((1 - z) * n + z * h,), pullback


def _rnn_bound(inputs: tuple[Array, ...], parameters: Parameters) -> tuple[float, ...]:
    """‖W_ih‖·Σ‖W_hh‖^k over the steps, since both activations have slopes of at most 1."""
    into, over = (np.linalg.norm(parameters[name], 2) for name in ("weight_ih", "weight_hh"))
    with np.errstate(over="ignore"):
        return (float(into * (over ** np.arange(inputs[0].shape[-2])).sum()),)


def _rnn_traits(*, activation: str, **_: Any) -> LayerTraits:
    along = ("bias_ih", "bias_hh") if activation == "relu" else None
    return LayerTraits(
        homogeneous_with=along, mixing="weight_ih", recurs="weight_hh", lipschitz=_rnn_bound
    )


def _gated_traits(**_: Any) -> LayerTraits:
    return LayerTraits(mixing="weight_ih", recurs="weight_hh")


@layer(
    "rnn",
    params=[
        _UNITS,
        Param(
            "activation", "tanh", kind="choice", choices=tuple(_ACTIVATIONS),
            sweep=tuple(_ACTIVATIONS),
        ),
        *_INITS,
        _OUTPUT,
    ],
    references=["elman1990", "werbos1990"],
    shapes=_shapes,
    weights=_weights(1),
    cost=_rnn_cost,
    traits=_rnn_traits,
)  # fmt: skip
def rnn(
    x: Array, *, parameters: Parameters, rank: int, activation: str, output: str, **_: Any
) -> tuple[Array, Any]:
    """One state, renewed at every step: h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).

    On its way back a gradient is multiplied by W_hh at every step, so that over many steps it
    tends to vanish or to explode.
    """
    return _unrolled(_simple(_ACTIVATIONS[activation]), 1, x, parameters, output)


@layer(
    "lstm",
    params=[_UNITS, *_INITS, _OUTPUT],
    references=["hochreiter1997", "gers2000", "werbos1990"],
    shapes=_shapes,
    weights=_weights(4),
    cost=_cost(4, forward=37, backward=38, kept=17),
    traits=_gated_traits,
)
def lstm(
    x: Array, *, parameters: Parameters, rank: int, output: str, **_: Any
) -> tuple[Array, Any]:
    """Long short-term memory: gates decide what the cell takes in, keeps and shows.

    With z = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh in four parts i, f, g, o:
    c_t = σ(f)·c_{t-1} + σ(i)·tanh(g) and h_t = σ(o)·tanh(c_t). From c_t to c_{t-1} a gradient is
    only multiplied by the forget gate σ(f), not by a matrix.
    """
    return _unrolled(_lstm, 2, x, parameters, output)


@layer(
    "gru",
    params=[_UNITS, *_INITS, _OUTPUT],
    references=["cho2014", "werbos1990"],
    shapes=_shapes,
    weights=_weights(3),
    cost=_cost(3, forward=27, backward=24, kept=12, apart=True),
    traits=_gated_traits,
)
def gru(x: Array, *, parameters: Parameters, rank: int, output: str, **_: Any) -> tuple[Array, Any]:
    """Gated recurrent unit: the state is a mean of its old self and a new proposal.

    With a = W_ih x_t + b_ih and b = W_hh h_{t-1} + b_hh, each in three parts r, z, n:
    n_t = tanh(a_n + σ(a_r + b_r)·b_n) and h_t = (1 - u)·n_t + u·h_{t-1} with u = σ(a_z + b_z).
    """
    return _unrolled(_gru, 1, x, parameters, output)
