"""A network that was built from options, written as a spec that people can go on from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gradcli.errors import UsageError
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
    target = Path(path)
    if target.exists() and not overwrite:
        raise UsageError(f"{target} exists already: --overwrite replaces it")
    if target.exists() and not target.is_file():
        raise UsageError(f"{target} cannot be written: it is no ordinary file")
    written = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=target.parent, suffix=".yaml", encoding="utf-8", newline="\n", delete=False
        ) as file:
            written = Path(file.name)
            file.write(spec_text(spec))
        written.chmod(0o666 & ~_umask())
        written.replace(target)
    except OSError as error:
        if written is not None:
            written.unlink(missing_ok=True)
        raise UsageError(f"{target} cannot be written: {error.strerror}") from None


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


def _umask() -> int:
    """The permissions that new files do not get; there is no way to read them but to set them."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
