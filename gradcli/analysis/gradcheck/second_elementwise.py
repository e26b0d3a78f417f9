"""An elementwise definition to second order: its formula's slope, and the claim's, as functions."""

from __future__ import annotations

import numpy as np

from gradcli.analysis.gradcheck.elementwise import ElementwiseCheck
from gradcli.analysis.gradcheck.grid import lay_grid
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array
from gradcli.core.formula import Formula
from gradcli.engine.model import COMPLEX_STEP
from gradcli.spec.plan import ElementwiseDefinition

__all__ = ["second_order_subject"]

_EPS = float(np.finfo(np.float64).eps)
_BESIDE = 1e-6  # relative: points at which a slope has to be a number, too


def second_order_subject(definition: ElementwiseDefinition, options: CheckOptions) -> Subject:
    """The claim's slope as a claim on the slope of the formula, both by the complex step.

    Thresholds of comparisons, where a slope may jump, are left out; so are points where the formula
    has no slope, or none right beside.
    """
    assert definition.claim is not None
    return _Slopes(definition, lay_grid(definition), options).turned()


class _Slopes(ElementwiseCheck):
    """The same with slopes for values."""

    def _at(
        self,
        formula: Formula,
        entries: Array,
        points: Array,
        rounding: np.random.Generator | None = None,
    ) -> Array:
        moved = super()._at(formula, entries, points + 1j * COMPLEX_STEP, rounding)
        return np.asarray(np.imag(moved) / COMPLEX_STEP)

    def turned(self) -> Subject:
        definition, grid = self.definition, self.grid
        assert definition.claim is not None
        x = grid.env[self.moving]
        everything = np.arange(len(x))
        value = self._at(definition.forward, everything, x)
        inside = np.isfinite(value) & ~grid.at_threshold
        for side in (-1, 1):
            beside = x + side * _BESIDE * np.maximum(np.abs(x), 1.0)
            inside &= np.isfinite(self._at(definition.forward, everything, beside))
        return Subject(
            name=definition.name,
            kind="definition",
            shape=(len(x),),
            x=x,
            analytic=self._at(definition.claim, everything, x),
            value=np.where(inside, value, 0.0),
            eps=_EPS,
            eps_f=_EPS,
            probe=self._real,
            noise=self._noise,
            jitter=self._jitter,
            pool=np.flatnonzero(inside),
            line=definition.line,
            variables=grid.env,
            factors=(
                *((name, float(number)) for name, number in definition.params.items()),
                ("2", 2.0),
            ),
        )
