"""The JSON Schema of a spec, from the catalogue and from what the readers declare.

Imported by whoever wants a schema: reading a spec does without.
"""

from __future__ import annotations

from gradcli.spec.schema.document import json_schema

__all__ = ["json_schema"]
