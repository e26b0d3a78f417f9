"""How a curvature analysis is run, and which way suits a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gradcli.analysis.curvature.exact import memory_of
from gradcli.analysis.curvature.report import Method
from gradcli.engine.cost import Costs
from gradcli.engine.network import Network
from gradcli.errors import UsageError
from gradcli.spec import DEFAULT_MEMORY
from gradcli.spec.memory import in_bytes

__all__ = ["CurvatureOptions", "method_for", "steps_for"]

_EXACT = 1000  # parameters up to which all eigenvalues take a second or so,
_WORK = 2e9  # and multiply-adds of as many forward passes
_STEP_WORK = 5e8  # the same for the steps of Lanczos' method
_FEWEST, _MOST = 20, 300  # steps of Lanczos' method where none are asked for
_PROBES, _TOLERANCE, _HISTORY = 32, 1e-8, 10  # where nothing else is
_OF_LANCZOS = ("probes", "iterations", "tolerance")
_OF_STEPS = ("history", "damping")


@dataclass(frozen=True)
class CurvatureOptions:
    """How a curvature analysis is run.

    `method` None is the exact one where that takes a few seconds. `probes` is the number of random
    vectors behind a trace (None: 32), `iterations` the most steps that Lanczos takes (None: as many
    as are a matter of seconds, and fit in memory), and `tolerance`, relative to the largest
    eigenvalue, where it stops (None: 1e-8); these are for Lanczos alone. `history` is the number of
    pairs that L-BFGS keeps, and of its steps (None: 10); `damping` is added to the matrices that
    steps are solved from, None for what it takes (see `steps_from`). Without `steps` none is tried.
    Raises UsageError for anything out of range, and for what would have no effect.
    """

    method: Literal["exact", "lanczos"] | None = None
    probes: int | None = None
    iterations: int | None = None
    tolerance: float | None = None
    history: int | None = None
    damping: float | None = None
    steps: bool = True
    max_memory: int = DEFAULT_MEMORY

    def __post_init__(self) -> None:
        if self.method not in (None, "exact", "lanczos"):
            raise UsageError(f"method: expected exact or lanczos, got {self.method!r}")
        for name, least in (("probes", 2), ("iterations", 2), ("history", 1)):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                hint = f"expected a whole number of at least {least}"
                raise UsageError(f"{name}: {hint}, got {value!r}")
        if self.damping is not None and not 0 <= self.damping < float("inf"):
            raise UsageError(f"damping: expected a number of at least 0, got {self.damping!r}")
        if self.tolerance is not None and not 0 < self.tolerance < 1:
            raise UsageError(f"tolerance: expected a number from 0 to 1, got {self.tolerance!r}")
        if not self.steps:
            self.refuse(_OF_STEPS, "only where steps are tried, not with --no-steps")

    def refuse(self, names: tuple[str, ...], why: str) -> None:
        """Raise UsageError where one of these options was given."""
        given = [name for name in names if getattr(self, name) is not None]
        if given:
            raise UsageError(f"{', '.join(given)}: {why}")

    @property
    def of_trace(self) -> int:
        """The number of random vectors behind a trace."""
        return self.probes or _PROBES

    @property
    def ends_at(self) -> float:
        """Where Lanczos stops, relative to the largest eigenvalue."""
        return self.tolerance or _TOLERANCE

    @property
    def pairs(self) -> int:
        """The number of pairs that L-BFGS keeps."""
        return self.history or _HISTORY


def method_for(network: Network, parameters: int, options: CurvatureOptions) -> Method:
    """The way that was asked for, or that suits the network.

    Raises UsageError, with an estimate and the way that would work, where memory does not allow it,
    and where options of Lanczos' method were given that would have no effect.
    """
    needed = memory_of(parameters, 4)
    method = options.method
    if method is None:
        cheap = parameters <= _EXACT and Costs(network).forward * parameters <= _WORK
        method = "exact" if cheap and needed <= options.max_memory else "lanczos"
    if method == "lanczos":
        return method
    why = f"only with --method lanczos; here all {parameters:,} eigenvalues are exact"
    options.refuse(_OF_LANCZOS, why)
    if needed > options.max_memory:
        vectors = _vectors(options) + (options.iterations or _FEWEST)
        raise UsageError(
            f"the exact matrices of {parameters:,} parameters need about {in_bytes(needed)} of "
            f"memory, more than the {in_bytes(options.max_memory)} allowed: --method lanczos needs "
            f"{in_bytes(8 * parameters * vectors)} or more, and --max-memory raises what is allowed"
        )
    return method


def steps_for(network: Network, parameters: int, options: CurvatureOptions) -> int:
    """The most steps of Lanczos: those asked for, or a few seconds' worth that fit in memory.

    Each step keeps a vector. Raises UsageError, with what would fit, where it is too many.
    """
    room = options.max_memory // (8 * parameters) - _vectors(options)
    if (options.iterations or _FEWEST) > room:
        needed = 8 * parameters * (_vectors(options) + (options.iterations or _FEWEST))
        fit = (
            f"--iterations {room} fits"
            if room >= _FEWEST
            else f"--max-memory {in_bytes(needed).replace(' ', '')} allows it"
        )
        raise UsageError(
            f"{options.iterations or _FEWEST} steps of Lanczos with {parameters:,} parameters need "
            f"about {in_bytes(needed)} of memory, more than the {in_bytes(options.max_memory)} "
            f"allowed: {fit}"
        )
    if options.iterations is not None:
        return options.iterations
    worth = int(_STEP_WORK // max(1, Costs(network).forward))
    return min(room, _MOST, max(_FEWEST, worth))


def _vectors(options: CurvatureOptions) -> int:
    """Vectors of all parameters that are kept beside those of Lanczos: probes and their images."""
    return 5 * options.of_trace + 2 * options.pairs
