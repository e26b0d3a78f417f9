"""Plain data as the YAML of a spec, the way that people write it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import yaml

from gradcli.spec.scalars import resolve

__all__ = ["yaml_lines"]

_WIDTH: Final = 96


def yaml_lines(value: Any, indent: int = 0) -> Iterator[str]:
    """The lines of a mapping or list: on a line of its own whatever fits, layers one by one."""
    pad = " " * indent
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _headed(f"{pad}{_inline(key)}:", child, indent + 2)
    else:
        for child in value:
            nested = isinstance(child, Mapping) or _is_block(child)
            first, *rest = yaml_lines(child, indent + 2) if nested else [_inline(child)]
            yield f"{pad}- {first.strip()}"
            yield from rest


def _headed(head: str, value: Any, indent: int) -> Iterator[str]:
    line = f"{head} {_inline(value)}"
    if _is_block(value) or (isinstance(value, Mapping) and value and len(line) > _WIDTH):
        yield head
        yield from yaml_lines(value, indent)
    else:
        yield line


def _is_block(value: Any) -> bool:
    """Whether a value holds a list of entries, each of which deserves a line."""
    if isinstance(value, Mapping):
        return any(map(_is_block, value.values()))
    return isinstance(value, (list, tuple)) and any(isinstance(each, Mapping) for each in value)


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2, which specs are read as, takes for a number and YAML 1.1 does not."""


def _word(dumper: _Dumper, word: str) -> yaml.ScalarNode:
    style = None if isinstance(resolve(word), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", word, style=style)


_Dumper.add_representer(str, _word)


def _inline(value: Any) -> str:
    text: str = yaml.dump(
        [_plain(value)],
        Dumper=_Dumper,
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=math.inf,
    )
    return text.strip()[1:-1]


def _plain(value: Any) -> Any:
    """The same in Python's own types: NumPy's numbers and tuples are no part of YAML."""
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(child) for child in value]
    return value.item() if isinstance(value, np.generic) else value
