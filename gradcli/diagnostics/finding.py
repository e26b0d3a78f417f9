"""Something worth saying about a spec, with a stable code."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from gradcli.core.record import Record

__all__ = ["Finding", "Severity"]

Severity = Literal["error", "warning", "note"]


class Finding(Record):
    """A rule's code and name, what was found and where. `data` holds its numbers."""

    code: str
    name: str
    severity: Severity
    where: str
    message: str
    file: str = ""
    line: int = 0
    data: Mapping[str, Any] = MappingProxyType({})

    def to_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "name": self.name,
            "severity": self.severity,
            "where": self.where,
            "file": self.file,
            "line": self.line,
            "message": self.message,
            "data": dict(self.data),
        }
