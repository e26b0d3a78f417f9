"""The codes of spec errors: what each means, with a spec that has the error and no other."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["CODES", "Code"]


class Code(NamedTuple):
    """A spec error's short name, what it means, and an example: a spec, or a command, or ""."""

    name: str
    meaning: str
    example: str


_DATA: Final = "gradcli: 1\ndata: {inputs: {shape: [4, 3]}}\n"
_PYTHON: Final = """\
gradcli: 1
define:
  doubled:
    kind: function
    python: no_such_file.py
    forward: forward
    inputs: {x: {shape: [3]}}"""

CODES: Final[dict[str, Code]] = {
    "SP001": Code(
        "unreadable",
        "the spec cannot be read, or is not UTF-8 text",
        "gradcli check no_such_file.yaml",
    ),
    "SP002": Code("not-yaml", "the text is not valid YAML", "gradcli: 1\nnetwork: [dense: 3"),
    "SP003": Code(
        "not-allowed",
        "YAML that specs do not use: tags, merge keys, several documents",
        f"{_DATA}network: [dense: 3]\nseed: !!int 3",
    ),
    "SP004": Code(
        "too-large",
        "a bound on the size of a spec is exceeded",
        f"{_DATA}network:\n  - repeat: {{times: 200000, layers: [tanh]}}",
    ),
    "SP005": Code(
        "duplicate-key",
        "a key stands twice in one mapping",
        f"{_DATA}network: [dense: 3]\nseed: 1\nseed: 2",
    ),
    "SP006": Code(
        "unknown-key",
        "a key, or an option of an op, that does not exist",
        f"{_DATA}network:\n  - dense: {{unts: 3}}",
    ),
    "SP007": Code(
        "unknown-name",
        "no op, loss, initializer, head or array of this name exists",
        f"{_DATA}network: [thanh]",
    ),
    "SP008": Code("missing", "something required is not there", f"{_DATA}network: [dense]"),
    "SP009": Code(
        "wrong-value",
        "a value of the wrong type or outside its bounds",
        f"{_DATA}network: [dense: -4]",
    ),
    "SP010": Code(
        "spec-version",
        "`gradcli: 1`, the version of the spec format, is missing or not known",
        "gradcli: 2\ndata: {inputs: {shape: [4, 3]}}\nnetwork: [dense: 3]",
    ),
    "SP011": Code(
        "bad-name",
        "a name that is taken, reserved or not a name",
        "gradcli: 1\ndefine:\n  tanh: {kind: activation, forward: x}",
    ),
    "SP012": Code(
        "shape-mismatch",
        "shapes that do not fit each other",
        f"{_DATA}network:\n  - residual: [dense: 2]   # 2 features cannot be added to 3",
    ),
    "SP013": Code(
        "bad-file",
        "a file of arrays is missing, damaged, or of a kind that is not read",
        "gradcli: 1\ndata: {file: no_such_file.npz, inputs: x}\nnetwork: [dense: 3]",
    ),
    "SP014": Code(
        "not-finite",
        "NaN or infinity in data or weights",
        "gradcli: 1\ndata: {inputs: {values: [[1.0, .nan]]}}\nnetwork: [dense: 3]",
    ),
    "SP015": Code(
        "bad-targets",
        "targets that the loss cannot be computed with",
        "gradcli: 1\ndata:\n  inputs: {values: [[1.0, 2.0, 3.0]]}\n"
        "  targets: {values: [3]}   # labels go from 0 to 2\nloss: cross_entropy",
    ),
    "SP016": Code(
        "too-much-memory",
        "the arrays would not fit the memory allowed",
        "gradcli: 1\ndata: {inputs: {shape: [1000000, 1000000]}}\nnetwork: [tanh]",
    ),
    "SP017": Code(
        "bad-formula",
        "a formula that cannot be read, or uses what formulas do not have",
        "gradcli: 1\ndefine:\n  squared: {kind: activation, forward: x ** ** 2}",
    ),
    "SP018": Code("python-not-allowed", "a definition in Python without --allow-python", _PYTHON),
    "SP019": Code(
        "python-failed",
        "the Python of a definition cannot be imported, or lacks what the spec names",
        f"# with --allow-python\n{_PYTHON}",
    ),
    "SP020": Code("not-available", "something this version does not have", ""),
    "SP021": Code(
        "not-runnable",
        "a function of the spec cannot be evaluated at its own point",
        "gradcli: 1\ndefine:\n  logarithm:\n    kind: function\n"
        "    inputs: {x: {values: [-1.0]}}\n    forward: log(x)\n    gradient: {x: g / x}",
    ),
}
"""Every code that a `SpecProblem` can have."""
