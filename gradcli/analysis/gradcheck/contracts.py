"""What a function and its gradient have to keep to whatever their values: rules GC001 to GC007.

Both are called as a program calls them, with the same arguments more than once and with other
arguments in between, on copies that are looked at afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gradcli.analysis.gradcheck.callables import (
    Arrays,
    Callables,
    MutatesItsArguments,
    WrongStructure,
    as_array,
    differs,
)
from gradcli.core.arrays import Array
from gradcli.core.generators import Generators
from gradcli.core.user_code import USER_ERRORS, told
from gradcli.diagnostics.finding import Finding, Severity
from gradcli.engine.ladder import position_scale
from gradcli.errors import GradcliError, UserCodeError

__all__ = ["broken_contracts", "nonlinear", "wrong_dtype"]

_REPEATS = 5  # so that a mask of one entry, drawn anew, is not the same each time by chance
_NOISY = 1e-4  # relative difference of two evaluations beyond which a function is random
_ULPS = 64  # what a sum in another order changes, of its largest term
_NOTHING = 1e-300


def broken_contracts(callables: Callables) -> list[Finding]:
    """Call both at the point and elsewhere; errors where nothing more can be checked, warnings.

    Sets what the callables are `at_point`, and `analytic`. Raises UserCodeError where the function
    itself cannot be evaluated at the point.
    """
    contract = _Contract(callables)
    for step in (contract.function, contract.claim, contract.again, contract.further):
        step()
        if contract.is_broken:
            break
    return contract.findings


class _Contract:
    def __init__(self, callables: Callables) -> None:
        self.callables = callables
        self.findings: list[Finding] = []
        self.drawn_from = ""
        self.noise = 0.0

    @property
    def is_broken(self) -> bool:
        return any(found.severity == "error" for found in self.findings)

    def add(
        self, code: str, message: str, name: str = "", severity: Severity | None = None
    ) -> None:
        self.findings.append(self.callables.finding(code, message, name, severity))

    def function(self) -> None:
        """The function is finite, gives the same each time, and changes nothing."""
        callables = self.callables
        before, given = Generators.now(), callables.copies()
        try:
            callables.at_point = callables.evaluate(given)
        except GradcliError:
            raise
        except USER_ERRORS as error:
            message = f"the {callables.role} raises {told(error)}"
            raise UserCodeError(callables.where, message) from error
        self._compare(given, callables.role)
        if not np.isfinite(callables.at_point):
            message = f"the {callables.role} is {callables.at_point} at the point of the check"
            raise UserCodeError(callables.where, message)
        self.drawn_from = drawn_from = before.moved()
        why = f", since it draws from {drawn_from}" * bool(drawn_from)
        if not self._is_repeated(_REPEATS, _NOISY, why):
            return
        if drawn_from:
            message = f"the {callables.role} changes the state of {drawn_from}"
            self.add("GC006", message, severity="warning")
        if callables.draws:
            message = f"the {callables.role} uses {callables.draws}, which was "
            message += "brought into the same state for every call of this check"
            self.add("GC005", message, severity="note")

    def claim(self) -> None:
        """The claim is an array of the right shape for each argument, and changes nothing."""
        callables = self.callables
        before, given = Generators.now(), callables.copies()
        claimed = self._claimed(given, "")
        if claimed is None:
            return
        moved = before.moved()
        self._compare(given, callables.claim_role)
        for name in claimed:
            if name not in callables.point:
                message = f"the gradient has an entry for {name}, which is no argument"
                self.add("GC002", message)
        for name in callables.wrt:
            self._take(name, claimed)
        if self.is_broken:
            return
        Generators.stir()
        self._repeat(
            "differs when it is computed twice"
            + f", since the {callables.claim_role} draws from {moved}" * bool(moved)
        )
        if moved and not self.is_broken and moved != self.drawn_from:
            message = f"the {callables.claim_role} changes the state of {moved}"
            self.add("GC006", message, severity="warning")

    def again(self) -> None:
        """Both give the same once more, after evaluations elsewhere."""
        callables = self.callables
        callables.evaluate_elsewhere()
        after = "after evaluations at another point, so something is kept from call to call"
        hint = "" if callables.pull else " (check_vjp calls the forward before each backward)"
        self._repeat(f"differs {after}{hint}")
        if not self.is_broken:
            rounding = max(map(callables.eps, callables.wrt))
            self._is_repeated(1, _ULPS * max(rounding, self.noise), f", {after}")

    def further(self) -> None:
        """What is particular to callables of this kind."""
        self.findings += self.callables.further()

    def _is_repeated(self, times: int, slack: float, why: str) -> bool:
        """Whether the function is what it was, up to a relative difference of `slack`."""
        callables = self.callables
        first = callables.at_point
        for _ in range(times):
            value = callables.safely(callables.point)
            change = abs(value - first) / max(abs(value), abs(first), _NOTHING)
            if not change <= slack:
                message = (
                    f"the {callables.role} itself gives {first:.6g} and then {value:.6g} there"
                )
                self.add("GC005", message + why)
                return False
            self.noise = max(self.noise, change)
        return True

    def _repeat(self, how: str) -> None:
        callables = self.callables
        again = self._claimed(callables.copies(), " when it is called again")
        if again is None:
            return
        for name in callables.wrt:
            first = callables.analytic[name]
            other = again.get(name)
            with np.errstate(invalid="ignore"):
                slack = _ULPS * callables.eps(name) * np.abs(first).max(initial=0.0)
            if other is None or differs(first, other, slack):
                self.add("GC005", f"the gradient of {name} {how}", name)

    def _claimed(self, given: Arrays, when: str) -> Mapping[str, Any] | None:
        """What is claimed; None, with a finding, where it comes to nothing."""
        callables = self.callables
        try:
            return callables.claimed(given)
        except MutatesItsArguments as error:
            self.add("GC006", f"the {callables.claim_role} changes {error} in place")
        except WrongStructure as error:
            self.add("GC002", str(error))
        except USER_ERRORS as error:
            self.add("GC007", f"the {callables.claim_role} raises {told(error)}{when}")
        return None

    def _compare(self, given: Arrays, role: str) -> None:
        for name, value in self.callables.point.items():
            if differs(value, given[name]):
                self.add("GC006", f"the {role} changes its argument {name} in place", name)

    def _take(self, name: str, claimed: Mapping[str, Any]) -> None:
        """Keep the claim for one argument, if it is an array of numbers of its shape."""
        callables = self.callables
        if name not in claimed:
            self.add("GC002", f"the gradient has no entry for {name}", name)
            return
        given, shape = claimed[name], callables.point[name].shape
        gradient, no_array = as_array(given)
        what = no_array or f"{gradient.dtype} of shape {gradient.shape}"
        message = f"the gradient of {name} is {what}, the argument has shape {shape}"
        if gradient.shape != shape or no_array:
            self.add("GC002", message, name)
        elif gradient.dtype.kind not in "fiub":
            message = f"the gradient of {name} is {what}, and has to be of real numbers"
            self.add("GC003", message, name)
        else:
            callables.analytic[name] = gradient.astype(float)
            callables.claimed_dtypes[name] = gradient.dtype


def wrong_dtype(callables: Callables, name: str) -> Iterator[Finding]:
    """A warning where a claim is right, in a number format that is not the argument's."""
    claimed, own = callables.claimed_dtypes[name], callables.point[name].dtype
    message = f"the gradient of {name} is {claimed}, the argument {own}"
    if claimed.kind != "f":
        message += "; it is right here, and would be cut off where it is no whole number"
    elif claimed.itemsize > own.itemsize:
        message += ", so that an update of it changes its number format"
    else:
        return
    yield callables.finding("GC003", message, name, "warning")


def nonlinear(callables: Callables, required: float) -> dict[str, Finding]:
    """Findings by name where the claim for -4g or g - 2h is not put together from those for g, h.

    Scaled by a power of two every step of a linear backward is exact, whatever cancels in it; sums
    are told apart only above the rounding that the size of the function lets expect. What is within
    the relative error `required` is left to the values to tell.
    """
    pull = callables.pull
    if pull is None:
        return {}
    made = {}
    try:
        size = abs(callables.at_point) + abs(pull.value(callables.copies(), pull.other))
        for sign, g in {
            "-4g": -4 * pull.cotangent,
            "h": pull.other,
            "g - 2h": pull.cotangent - 2 * pull.other,
        }.items():
            claimed = pull.call(callables.copies(), g.copy())
            made[sign] = {name: _numbers(claimed[name]) for name in callables.wrt}
    except USER_ERRORS as error:
        message = f"the {callables.claim_role} raises {told(error)} for another cotangent"
        return {name: callables.finding("GC007", message, name) for name in callables.wrt}
    broken = {}
    eps = float(np.finfo(pull.cotangent.dtype).eps)
    for name in callables.wrt:
        g, h = callables.analytic[name], made["h"][name]
        if not np.isfinite(g).all():
            continue
        position = position_scale(callables.point[name].astype(float)).min(initial=1.0)
        sums = {"g - 2h": (g, -2 * h), "-4g": (-4 * g,)}
        slack = {"g - 2h": _ULPS * eps * size / position, "-4g": 0.0}
        for sign, terms in sums.items():
            scale = max(np.abs(term).max(initial=0.0) for term in terms)
            gap = np.abs(made[sign][name] - sum(terms)).max(initial=0.0)
            if not gap <= max(float(np.sqrt(eps)), required) * scale + slack[sign]:
                message = (
                    f"the backward is not linear in the cotangent: for {sign} the gradient of "
                    f"{name} is off by {gap:.3g} from what those for g and h make of it"
                )
                broken[name] = callables.finding("GC001", message, name)
    return broken


def _numbers(value: Any) -> Array:
    return np.asarray(value, float)
