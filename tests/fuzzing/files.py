"""Data files at random: damaged, forged, of the wrong kind, or bombs."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from typing import Any, Final

import numpy as np

from fuzzing.case import SPEC, Case, flip
from fuzzing.specs import MEMORY

__all__ = ["draw"]

DTYPES: Final = (
    "f8", "f4", "f2", "i1", "u1", "i8", "u8", "?", ">f8", ">i2", "c16", "U3", "S2", "M8[s]", "g",
)  # fmt: skip
SHAPES: Final[tuple[tuple[int, ...], ...]] = (
    (6, 3), (6, 3), (6, 3), (6,), (6,), (6, 1), (), (0, 3), (6, 0), (1, 1), (6, 2, 3), (3, 3),
    (1 << 14, 3),
)  # fmt: skip
FORGED: Final = (
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000, 1000000000000000), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (-6, 3), }",
    "{'descr': '<f8', 'fortran_order': True, 'shape': (600000, 300), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (6, 3), }",
    "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (6,), }",
    "{'descr': '<f9', 'fortran_order': False, 'shape': (6, 3), }",
    "{'descr': '<f8,<f8', 'fortran_order': False, 'shape': (6, 3), }",
    "{'descr': '<V99999999', 'fortran_order': False, 'shape': (6, 3), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (6, 3), 'x': __import__('os')}",
    "{'descr': 'i8', 'fortran_order': False, 'shape': (" + "1," * 3000 + "), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (6,, 3)",
    "(" * 4000,
    "",
)
CELLS: Final = (
    "1", "-2.5", "1e400", "nan", "inf", "", " 3 ", "0x1", "1,5", '"4"', "x", "1_0", "\u0663", "1e5",
    '"1\n2"', "\x00", "NaN", "-", "1e-320", "TRUE",
)  # fmt: skip


def draw(rng: np.random.Generator) -> Case:
    """A spec with one data file that may be anything, or weights that may be."""
    suffix = ("npz", "npy", "csv")[rng.integers(3)]
    file = f"data.{suffix}"
    data = MAKERS[suffix](rng)
    if rng.random() < 0.3:
        data = flip(data, rng)
    if rng.random() < 0.03:
        data = MAKERS[("npz", "npy", "csv")[rng.integers(3)]](rng)
    inputs, targets = {
        "npz": (", inputs: x", "y"),
        "npy": ("", "auto"),
        "csv": (", inputs: [a, b]", "y"),
    }[suffix]
    if rng.random() < 0.1:
        inputs = (", inputs: x", ", inputs: [a, a]", ", inputs: '\u00e9'", "")[rng.integers(4)]
    if rng.random() < 0.3:
        targets = ("auto", "x", "[y]", "c")[rng.integers(4)]
    batch = ("", "", ", batch: 2", ", batch: 1000000000")[rng.integers(4)]
    loss = ("mse", "mae", "huber", "cross_entropy", "hinge", "triplet")[rng.integers(6)]
    lines = ["gradcli: 1", f"data: {{file: {file}{inputs}, targets: {targets}{batch}}}"]
    lines += ["network: [dense: 3]", f"loss: {loss}"]
    if suffix == "npz" and rng.random() < 0.3:
        lines[1] = "data: {inputs: {shape: [6, 3]}, targets: auto}"
        lines.append(f"weights: {file}")
    if rng.random() < 0.1:
        lines.append(f"dtype: float32\nseed: {rng.integers(9)}")
    command = ("check", "check", "flow")[rng.integers(3)]
    files = {file: data, SPEC: "\n".join(lines).encode()}
    return Case((command, SPEC, "--max-memory", MEMORY), files)


def _array(rng: np.random.Generator) -> Any:
    shape = SHAPES[rng.integers(len(SHAPES))]
    values = rng.standard_normal(shape) * (1.0, 1.0, 1e200, 1e-200, 0.0)[rng.integers(5)]
    if values.size and values.ndim and rng.random() < 0.2:
        values.flat[int(rng.integers(values.size))] = (np.nan, np.inf, 1e308)[rng.integers(3)]
    with np.errstate(all="ignore"):
        array = np.rint(values * 3) if rng.random() < 0.3 else values
        dtype = "f8" if rng.random() < 0.5 else DTYPES[rng.integers(len(DTYPES))]
        if dtype == "M8[s]":
            return np.zeros(shape, dtype)
        if np.dtype(dtype).kind in "iu":
            array = np.clip(np.nan_to_num(array), 0, 100)
        return np.asarray(array).astype(dtype)


def _npy(rng: np.random.Generator) -> bytes:
    stream = io.BytesIO()
    way = rng.integers(40)
    if way == 0:
        header = FORGED[rng.integers(len(FORGED))].encode()
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(144)
    if way == 1:
        length = (0, 65535, 2**31, 2**32 - 1)[rng.integers(4)]
        version = (1, 2, 3, 9)[rng.integers(4)]
        head = struct.pack("<I", length) if version > 1 else struct.pack("<H", length & 65535)
        return b"\x93NUMPY" + bytes([version, 0]) + head + bytes(50)
    if way == 2:
        np.save(stream, np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    elif way == 3:
        return pickle.dumps([1, 2, 3])
    else:
        order = np.asfortranarray if rng.random() < 0.3 else np.asarray
        np.save(stream, order(_array(rng)))
    return stream.getvalue()


def _npz(rng: np.random.Generator) -> bytes:
    stream = io.BytesIO()
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2)
    method = methods[rng.integers(4)]
    with zipfile.ZipFile(stream, "w", method) as archive:
        own = ("x", "y") if rng.random() < 0.8 else ("dense_1.weight", "dense_1.bias")
        for name in own:
            if rng.random() < 0.9:
                archive.writestr(f"{name}.npy", _npy(rng))
        if rng.random() < 0.1:
            names = ("../../evil.npy", "x/.npy", "a.txt", ".npy", "x.npy.npy", "\u00e9.npy")
            archive.writestr(names[rng.integers(len(names))], _npy(rng))
        if rng.random() < 0.1:  # a bomb: a thousandth of what comes out of it
            bomb = FORGED[2].encode()
            head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(bomb)) + bomb
            with archive.open(
                "y.npy" if "y.npy" not in archive.namelist() else "z.npy", "w"
            ) as out:
                out.write(head)
                for _ in range(8):
                    out.write(bytes(1 << 20))
    return stream.getvalue()


def _csv(rng: np.random.Generator) -> bytes:
    rows = ["a,b,y"] if rng.random() < 0.9 else [("a,a,y", "", ",,", "a;b;y")[rng.integers(4)]]
    for _ in range(int(rng.integers(0, 8))):
        odd = rng.random() < 0.1
        cells = [str(rng.integers(-3, 4)) for _ in range(3 + int(odd and rng.integers(-1, 2)))]
        if odd and rng.random() < 0.7 and cells:
            cells[rng.integers(len(cells))] = CELLS[rng.integers(len(CELLS))]
        rows.append(",".join(cells))
    if rng.random() < 0.05:
        rows.append("1," * 200_000)
    end = ("\n", "\r\n", "\r")[rng.integers(3)]
    encodings = ("utf-8", "utf-8", "utf-8-sig", "utf-8-sig", "utf-16", "latin-1")
    encoding = encodings[rng.integers(6)]
    return end.join(rows).encode(encoding, "replace")


MAKERS: Final = {"npz": _npz, "npy": _npy, "csv": _csv}
