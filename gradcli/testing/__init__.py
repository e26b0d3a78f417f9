"""For authors of ops: `check_op` tries one op against all laws that the catalogue is held to."""

from __future__ import annotations

from gradcli.core.op import Op
from gradcli.core.registry import CATALOGUE
from gradcli.testing import (
    arithmetic_laws,  # noqa: F401  (importing a module registers its laws)
    catalogue_laws,  # noqa: F401
    cost_laws,  # noqa: F401
    gradient_laws,  # noqa: F401
    learned_laws,  # noqa: F401
    loss_laws,  # noqa: F401
    node_laws,  # noqa: F401
    node_trait_laws,  # noqa: F401
    population_laws,  # noqa: F401
    trait_laws,  # noqa: F401
    weighting_laws,  # noqa: F401
)
from gradcli.testing.case import Case, cases
from gradcli.testing.law import LAWS, Law, LawBroken, LawUndecided

__all__ = ["LAWS", "Case", "Law", "LawBroken", "LawUndecided", "cases", "check_op"]


def check_op(op: Op | str) -> None:
    """Try an op, or all ops of the catalogue called so, at every point of its parameters' sweep.

    Raises LawBroken (an AssertionError) that lists each law broken, where and by how much,
    ValueError for a name that is not in the catalogue, and whatever the op itself raises.
    """
    import gradcli.ops  # noqa: F401  (fills the catalogue)

    ops = [op] if isinstance(op, Op) else [found for found in CATALOGUE if found.name == op]
    if not ops:
        raise ValueError(f"no op is called {op}")
    broken = []
    for case in (case for one in ops for case in cases(one)):
        for law in LAWS.values():
            try:
                if law.applies(case):
                    law.check(case)
            except LawBroken as error:
                broken.append(f"{case} breaks '{law.name}': {error}")
            except Exception as error:
                error.add_note(f"while {case} was tried against '{law.name}'")
                raise
    if broken:
        raise LawBroken("\n".join(broken))
