"""A network that was built from options, written as a spec that people can go on from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gradcli.files import write_whole
from gradcli.spec.write_yaml import yaml_lines

__all__ = ["spec_text", "write_network"]

_COMMENTS: Final = {
    "gradcli": "What `gradcli flow` built; it measures the same for this file.",
    "data": "Inputs, drawn from the seed, and targets, drawn to suit the loss.",
    "network": "Every repetition has weights of its own. The head is outside the products.",
    "loss": "A verdict does not depend on the loss's scale.",
    "flow": "Options of `gradcli flow`; those of the command line come first.",
}
"""What is said above each section."""


def write_network(
    spec: Mapping[str, Any], path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write a spec to a file, which is there as a whole or not at all.

    Raises UsageError where the file exists and `overwrite` was not asked for, or where it cannot
    be written.
    """
    write_whole({Path(path): spec_text(spec)}, overwrite=overwrite)


def spec_text(spec: Mapping[str, Any]) -> str:
    """The spec as YAML, with a comment above each section."""
    lines: list[str] = []
    for key, value in spec.items():
        if isinstance(value, Mapping) and not value:
            continue
        if key in _COMMENTS:
            lines += ["", f"# {_COMMENTS[key]}"] if lines else [f"# {_COMMENTS[key]}"]
        lines += yaml_lines({key: value})
    return "\n".join(lines) + "\n"
