"""Values and gradients equal PyTorch's, for every activation, loss and layer of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from quadrature import gauss_legendre

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.core.op import Activation, Layer, Loss, Op, Term
from gradcli.core.param import Param
from gradcli.core.registry import CATALOGUE
from gradcli.testing import Case, cases
from gradcli.testing.node_points import Point, node_point, node_shapes

torch = pytest.importorskip("torch", reason="PyTorch is not installed, nothing to compare with")
F = torch.nn.functional
pytestmark = pytest.mark.torch

TOLERANCE = {"float64": 1e-10, "float32": 1e-5}  # relative to the largest entry

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "identity": lambda x: x * 1,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "selu": F.selu,
    "mish": F.mish,
    "softsign": F.softsign,
    "hard_tanh": F.hardtanh,
    "hard_sigmoid": lambda x: F.relu6(x + 3) / 6,  # hardsigmoid's slope is a float32 1/6
    "leaky_relu": lambda x, alpha: F.leaky_relu(x, alpha),
    "elu": lambda x, alpha: F.elu(x, alpha),
    "softplus": lambda x, beta: F.softplus(x, beta, threshold=1e9),
    "swish": lambda x, beta: F.silu(beta * x) / beta,
    "gelu": lambda x, approximate: F.gelu(x, approximate=approximate),
    "prelu": lambda x, weight, alpha: F.prelu(x, weight),
    "softmax": lambda x: F.softmax(x, -1),
    "log_softmax": lambda x: F.log_softmax(x, -1),
}


def gaussian_nll(p: Any, y: Any, *learned: Any, variance: float, learn: bool) -> Any:
    of_each = learned[0].exp() if learn else torch.tensor(variance, dtype=p.dtype)
    return F.gaussian_nll_loss(p, y, of_each.expand(p.shape))


def focal(p: Any, y: Any, *, gamma: float, alpha: float | None) -> Any:
    """Lin et al. 2017, equations 3 to 5."""
    q = torch.sigmoid(p)
    of_target = torch.where(y == 1, q, 1 - q)
    weight = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    return (-weight * (1 - of_target) ** gamma * torch.log(of_target)).mean()


def adaptive_robust(p: Any, y: Any, *learned: Any, alpha: float, scale: float, learn: str) -> Any:
    """Barron 2019, equations 8 and 13 to 16, with Z by Gauss and Legendre's rule in arsinh."""
    shape = torch.tensor(alpha, dtype=torch.float64)
    if learn == "all":
        shape = 2 * torch.sigmoid(learned[1].double())
    width = learned[0].exp() if learned else scale

    def general(z: Any) -> Any:
        if learn != "all" and alpha == 0:
            return torch.log(z**2 / 2 + 1)
        if learn != "all" and alpha == 2:
            return z**2 / 2
        b = torch.abs(shape - 2)
        return b / shape * ((z**2 / b + 1) ** (shape / 2) - 1)

    value = general((p - y).double() / width)
    if learned:
        u, weight = map(torch.from_numpy, gauss_legendre(np.linspace(0, 60, 61), 20))
        mass = 2 * (weight * torch.exp(-general(torch.sinh(u))) * torch.cosh(u)).sum()
        value = value + learned[0] + torch.log(mass)
    return value.mean().to(p.dtype)


def contrastive(p: Any, y: Any, *, margin: float) -> Any:
    """Hadsell et al. 2006, equation 4, without its halves."""
    distance = torch.linalg.vector_norm(p[0::2] - p[1::2], dim=-1)
    return ((1 - y) * distance**2 + y * torch.relu(margin - distance) ** 2).mean()


def triplet(p: Any, *, margin: float, distance: str, mining: str) -> Any:
    anchor, positive, negative = p[0::3], p[1::3], p[2::3]
    if distance == "euclidean":
        return F.triplet_margin_loss(anchor, positive, negative, margin=margin, eps=0)
    near, far = ((anchor - other).square().sum(-1) for other in (positive, negative))
    return torch.clamp(near - far + margin, min=0).mean()


LOSSES: dict[str, Callable[..., Any]] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": lambda p, y, delta: F.huber_loss(p, y, delta=delta),
    "quantile": lambda p, y, tau: torch.maximum(tau * (y - p), (tau - 1) * (y - p)).mean(),
    "cross_entropy": lambda p, y, label_smoothing, temperature: F.cross_entropy(
        p / temperature, y, label_smoothing=label_smoothing
    ),
    "binary_cross_entropy": lambda p, y, input: {
        "logits": F.binary_cross_entropy_with_logits,
        "probabilities": F.binary_cross_entropy,
    }[input](p, y),
    "log_cosh": lambda p, y: torch.log(torch.cosh(p - y)).mean(),
    "gaussian_nll": gaussian_nll,
    "adaptive_robust": adaptive_robust,
    "focal": focal,
    "nll": F.nll_loss,
    "zero_one": lambda p, y: (
        (p.gather(-1, y[:, None])[:, 0] < p.amax(-1)).to(p.dtype) + 0 * p.sum(-1)
    ).mean(),
    "kl_divergence": lambda p, y: F.kl_div(p, y, reduction="batchmean"),
    "entropy": lambda p: torch.distributions.Categorical(logits=p).entropy().mean(),
    "contrastive": contrastive,
    "triplet": triplet,
    "consistency": lambda p, noise: p.square().sum(-1).mean(),
    "hinge": lambda p, y: torch.relu(1 - y * p).mean(),
    "squared_hinge": lambda p, y: torch.relu(1 - y * p).square().mean(),
}
TERMS: dict[str, Callable[..., Any]] = {"l1": torch.abs, "l2": torch.square}


def batch_norm(x: Any, parameters: dict[str, Any], mode: str, eps: float, **_: Any) -> Any:
    weight, bias, mean, variance = map(
        parameters.get, ("weight", "bias", "running_mean", "running_var")
    )
    flat = x.reshape(-1, x.shape[-1])
    y = F.batch_norm(flat, mean, variance, weight, bias, training=mode == "train", eps=eps)
    return y.reshape(x.shape)


def layer_norm(x: Any, parameters: dict[str, Any], eps: float, **_: Any) -> Any:
    return F.layer_norm(x, x.shape[-1:], parameters.get("weight"), parameters.get("bias"), eps)


def rms_norm(x: Any, parameters: dict[str, Any], eps: float, **_: Any) -> Any:
    return F.rms_norm(x, x.shape[-1:], parameters.get("weight"), eps)


def recurrent(kind: str) -> Callable[..., Any]:
    """PyTorch's own module with these parameters."""

    def run(x: Any, parameters: dict[str, Any], units: int, output: str, **options: Any) -> Any:
        more = {"nonlinearity": options["activation"]} if kind == "RNN" else {}
        module = getattr(torch.nn, kind)(x.shape[-1], units, batch_first=True, **more)
        own = {f"{name}_l0": value for name, value in parameters.items()}
        y, _ = torch.func.functional_call(module.to(x.dtype), own, (x,))
        return y[:, -1] if output == "last" else y

    return run


LAYERS: dict[str, Callable[..., Any]] = {
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "dropout": lambda x, parameters, p: x * parameters["mask"] / (1 - p),
    "rnn": recurrent("RNN"),
    "lstm": recurrent("LSTM"),
    "gru": recurrent("GRU"),
    "flatten": lambda x, parameters: torch.flatten(x, 1),
    "dense": lambda x, parameters, **_: F.linear(x, parameters["weight"], parameters.get("bias")),
    "residual": lambda x, branch, parameters, scale, **_: x + scale * branch,
}
TABLES: list[tuple[type[Op], dict[str, Callable[..., Any]]]] = [
    (Activation, ACTIVATIONS),
    (Loss, LOSSES),
    (Term, TERMS),
    (Layer, LAYERS),
]


def tried(kind: type[Op]) -> list[Case]:
    return [case for op in CATALOGUE.all(kind) for case in cases(op)]


def tensor(array: np.ndarray) -> Any:
    made = torch.from_numpy(array.copy())
    return made.requires_grad_() if array.dtype.kind == "f" else made


def close(found: np.ndarray, expected: Any, dtype: str) -> None:
    wanted = expected.detach().numpy()
    assert found.dtype == wanted.dtype == np.dtype(dtype)
    scale = max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE[dtype] * scale)


dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))


@pytest.mark.parametrize(("kind", "table"), TABLES, ids=[kind.__name__ for kind, _ in TABLES])
def test_every_op_is_compared(kind: type[Op], table: dict[str, Any]) -> None:
    assert sorted(op.name for op in CATALOGUE.all(kind)) == sorted(table)


@dtypes
@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 4)])
@pytest.mark.parametrize("case", tried(Activation), ids=str)
def test_activation(
    case: Case, shape: tuple[int, ...], dtype: str, rng: np.random.Generator
) -> None:
    assert isinstance(case.op, Activation)
    x, g = (scale * rng.standard_normal(shape) for scale in (4.0, 1.0))
    x, g = x.astype(dtype), g.astype(dtype)
    learned = case.op.learned(shape, case.options)
    weights = {name: np.full(own.shape, own.init, dtype) for name, own in learned.items()}
    y, pull = case.op.evaluate((x,), weights, len(shape), case.options)
    (dx,), dweights = pull(g)

    x_torch, w_torch = tensor(x), {name: tensor(w) for name, w in weights.items()}
    expected = ACTIVATIONS[case.op.name](x_torch, *w_torch.values(), **case.options)
    expected.backward(torch.from_numpy(g))
    close(y, expected, dtype)
    close(dx, x_torch.grad, dtype)
    for name, w in w_torch.items():
        close(dweights[name], w.grad, dtype)


@pytest.mark.parametrize(
    "case", [case for case in tried(Activation) if case.op.traits(**case.options).kinks], ids=str
)
def test_slope_exactly_at_kinks(case: Case) -> None:
    assert isinstance(case.op, Activation)
    x = np.array([case.op.traits(**case.options).kinks])
    learned = case.op.learned(x.shape, case.options)
    weights = {name: np.full(own.shape, own.init) for name, own in learned.items()}
    _, pull = case.op.evaluate((x,), weights, 2, case.options)
    x_torch = tensor(x)
    w_torch = [tensor(w) for w in weights.values()]
    ACTIVATIONS[case.op.name](x_torch, *w_torch, **case.options).sum().backward()
    np.testing.assert_array_equal(pull(np.ones_like(x))[0][0], x_torch.grad.numpy())


def predictions_and_targets(
    case: Case, shape: tuple[int, ...], rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Predictions, and every kind of target that the loss reads."""
    assert isinstance(case.op, Loss)
    traits = case.op.traits_at(case.options)
    low, high = (-np.inf, np.inf) if traits is None else traits.domain
    values = shape
    if case.subject.group > 1:  # as many groups of rows
        values, shape = shape[:1], (case.subject.group * shape[0], shape[-1])
    p = rng.uniform(low, high, shape) if np.isfinite(high - low) else 3 * rng.standard_normal(shape)
    labels = rng.integers(shape[-1], size=shape[:-1])
    mixed = rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])
    targets = {
        "none": [None],
        "numbers": [3 * rng.standard_normal(shape)],
        "binary": [rng.random(shape), np.round(rng.random(shape))],
        "events": [np.round(rng.random(values))],
        "signs": [2 * np.round(rng.random(shape)) - 1],
        "classes": [labels, mixed],
        "labels": [labels],
        "probabilities": [mixed],
    }[case.op.reads_at(case.options)]
    return [(p, y) for y in targets]


def compare_loss(case: Case, shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> None:
    assert isinstance(case.op, Loss)
    starts = case.op.weights(**case.options) if case.op.weights else {}
    for p, y in predictions_and_targets(case, shape, rng):
        p = p.astype(dtype)
        targets = () if y is None else (y.astype(dtype) if y.dtype.kind == "f" else y,)
        weights = [np.full((1,), w + rng.standard_normal(), dtype) for w in starts.values()]
        value, pull = case.op.function(p, *targets, *weights, **case.options)
        pulled = pull(np.full_like(value, 1 / value.size))
        dp, *dweights = pulled if weights else (pulled,)

        p_torch = tensor(p)
        w_torch = list(map(tensor, weights))
        rows = (p_torch, *map(torch.from_numpy, targets))
        if not case.op.elementwise and p.ndim > 2:  # PyTorch wants the classes second
            rows = tuple(each.reshape(-1, *each.shape[len(shape) - 1 :]) for each in rows)
        expected = LOSSES[case.op.name](*rows, *w_torch, **case.options)
        expected.backward()
        close(value.mean(), expected, dtype)
        close(dp, p_torch.grad, dtype)
        for dweight, w in zip(dweights, w_torch, strict=True):
            close(dweight.sum().reshape(1), w.grad, dtype)


@dtypes
@pytest.mark.parametrize("shape", [(7, 5), (6, 1), (2, 3, 4)])
@pytest.mark.parametrize("case", tried(Loss), ids=str)
def test_loss(case: Case, shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> None:
    compare_loss(case, shape, dtype, rng)


def drawn(param: Param, rng: np.random.Generator) -> Any:
    """A value anywhere within the bounds of an option."""
    if param.kind != "number":
        return rng.choice(param.sweep or (param.default,)).item()
    low, high = max(param.above, param.at_least), min(param.below, param.at_most)
    if np.isfinite(high - low):
        return float(rng.uniform(low, high))
    return float(low + rng.exponential() if np.isfinite(low) else rng.uniform(-3, 3))


@dtypes
@pytest.mark.parametrize(
    "op", [op for op in CATALOGUE.all(Loss) if op.params], ids=lambda op: op.name
)
def test_loss_anywhere_in_its_parameters(op: Loss, dtype: str, rng: np.random.Generator) -> None:
    tried = 0
    while tried < 10:
        case = Case(op, {param.name: drawn(param, rng) for param in op.params})
        if accepted(case):
            shape = (int(rng.integers(1, 9)), int(rng.integers(1, 9)))
            compare_loss(case, shape, dtype, rng)
            tried += 1


def accepted(case: Case) -> bool:
    try:
        case.op.validate(**case.options) if case.op.validate else None
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("case", [case for case in tried(Loss) if case.op.name == "mae"], ids=str)
def test_absolute_error_has_slope_zero_where_it_is_zero(case: Case) -> None:
    p = np.array([[1.0, 2.0]])
    _, pull = case.op.function(p, p.copy(), **case.options)
    p_torch = tensor(p)
    LOSSES[case.op.name](p_torch, torch.from_numpy(p)).backward()
    np.testing.assert_array_equal(pull(np.ones_like(p)), p_torch.grad.numpy())


@dtypes
@pytest.mark.parametrize("case", tried(Term), ids=str)
def test_term(case: Case, dtype: str, rng: np.random.Generator) -> None:
    w = np.concatenate([rng.standard_normal(20), [0.0]]).astype(dtype)
    value, pull = case.op.function(w, **case.options)
    w_torch = tensor(w)
    expected = TERMS[case.op.name](w_torch, **case.options)
    expected.sum().backward()
    close(value, expected, dtype)
    close(pull(np.ones_like(w)), w_torch.grad, dtype)


def arguments(case: Case, rng: np.random.Generator) -> Point:
    """A point of a random shape that the layer takes; a normalised feature has some others."""
    ranks = [len(shape) for shape in node_shapes(case)]
    rank = int(rng.choice(ranks))
    return node_point(case, tuple(int(n) for n in rng.integers(4, 9, rank)), rng)


@dtypes
@pytest.mark.parametrize("trial", range(4))
@pytest.mark.parametrize("case", tried(Layer), ids=str)
def test_layer(case: Case, trial: int, dtype: str, rng: np.random.Generator) -> None:
    assert isinstance(case.op, Layer)
    point = arguments(case, rng)
    inputs = [x.astype(dtype) for x in point.inputs]
    parameters, buffers = (
        {name: w.astype(dtype) for name, w in arrays.items()}
        for arrays in (point.parameters, point.buffers)
    )
    y, pull = case.op.evaluate(tuple(inputs), {**parameters, **buffers}, point.rank, case.options)
    g = rng.standard_normal(y.shape).astype(dtype)
    dx, dparameters = pull(g)

    x_torch, w_torch = list(map(tensor, inputs)), {n: tensor(w) for n, w in parameters.items()}
    held = {name: torch.from_numpy(value) for name, value in buffers.items()}
    expected = LAYERS[case.op.name](*x_torch, parameters={**w_torch, **held}, **case.options)
    expected.backward(torch.from_numpy(g))
    close(y, expected, dtype)
    for found, x in zip(dx, x_torch, strict=True):
        close(found, x.grad, dtype)
    for name, w in w_torch.items():
        close(dparameters[name], w.grad, dtype)


@dtypes
@pytest.mark.parametrize("case", [c for c in tried(Layer) if c.op.name == "dropout"], ids=str)
def test_dropout_with_the_mask_that_torch_drew(
    case: Case, dtype: str, rng: np.random.Generator
) -> None:
    x = rng.uniform(1, 2, (40, 30)).astype(dtype)
    x_torch = tensor(x)
    torch.manual_seed(0)
    expected = F.dropout(x_torch, case.options["p"], training=True)
    expected.backward(torch.ones_like(expected))
    mask = (expected.detach().numpy() != 0).astype(dtype)
    y, pull = case.op.evaluate((x,), {"mask": mask}, 2, case.options)
    close(y, expected, dtype)
    close(pull(np.ones_like(y))[0][0], x_torch.grad, dtype)
