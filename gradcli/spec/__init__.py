"""Reading specs: from YAML to a plan with every name resolved and every shape worked out."""

from __future__ import annotations

from gradcli.spec.codes import CODES
from gradcli.spec.find import find_specs
from gradcli.spec.load import DEFAULT_MEMORY, load_plan, load_text

__all__ = ["CODES", "DEFAULT_MEMORY", "find_specs", "load_plan", "load_text"]
