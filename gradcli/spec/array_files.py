"""Arrays in .npz, .npy and .csv files: shapes first, values later, never pickled.

Headers are read by a pattern and declared sizes compared with what is allowed, so that neither a
forged header nor a compressed bomb has anything allocated for it.
"""

from __future__ import annotations

import csv
import math
import os
import re
import stat
import struct
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from gradcli.core.arrays import Array
from gradcli.spec.nodes import shortened

__all__ = [
    "ArrayFileError",
    "StoredArray",
    "csv_names",
    "npy_array",
    "npz_array",
    "npz_names",
    "read_csv",
]

_MAGIC: Final = b"\x93NUMPY"
_HEADER_LIMIT: Final = 10_000
_DESCR = re.compile(r"""['"]descr['"]\s*:\s*['"]([^'"]{1,40})['"]""")
_ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)""")
_SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(((?:\s*\d{1,18}\s*,?)*)\s*\)""")
_NUMERIC: Final = "biuf"

Opener = Callable[[], Any]


class ArrayFileError(Exception):
    """A file of arrays cannot be used; `hint` says what would."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class StoredArray:
    """An array in a file whose header has been read. `load(rows)` reads its first rows, or all."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    load: Callable[[int | None], Array]

    def bytes_read(self, rows: int | None) -> int:
        """Bytes that loading takes: in Fortran's order the first rows are spread over the whole."""
        whole = math.prod(self.shape) * self.dtype.itemsize
        if rows is None or self.fortran or not self.shape or rows >= self.shape[0]:
            return whole
        return rows * math.prod(self.shape[1:]) * self.dtype.itemsize


@contextmanager
def _failures(path: Path) -> Any:
    """Whatever a damaged file makes the standard library raise, as an ArrayFileError."""
    try:
        yield
    except OSError as error:
        raise ArrayFileError(f"cannot read {path}: {error.strerror or error}") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        ValueError,
        TypeError,
        NotImplementedError,
        RuntimeError,
        csv.Error,
    ) as error:
        raise ArrayFileError(
            f"{path.name} is damaged or not what its suffix says: {error}"
        ) from error


def _check_regular(path: Path) -> None:
    """Pipes and devices are refused: reading one may never end."""
    with _failures(path):
        mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise ArrayFileError(f"{path} is a folder")
    if not stat.S_ISREG(mode):
        raise ArrayFileError(f"{path} is not a regular file")


def npz_names(path: Path) -> list[str]:
    """Names of the arrays in an .npz archive."""
    _check_regular(path)
    with _failures(path), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def npz_array(path: Path, name: str) -> StoredArray:
    """One array of an .npz archive, which has to hold it."""

    @contextmanager
    def opened() -> Any:
        with zipfile.ZipFile(path) as archive, archive.open(name + ".npy") as stream:
            yield stream

    with _failures(path), zipfile.ZipFile(path) as archive:
        member = archive.getinfo(name + ".npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArrayFileError(
            f"array {name!r} of {path.name} is compressed in a way NumPy does not use"
        )
    return _npy(path, f"array {name!r}", opened, member.file_size)


def npy_array(path: Path) -> StoredArray:
    """The array of an .npy file."""
    _check_regular(path)
    with _failures(path):
        size = path.stat().st_size
    return _npy(path, "the array", lambda: path.open("rb"), size)


def _npy(path: Path, what: str, opened: Opener, size: int) -> StoredArray:
    with _failures(path), opened() as stream:
        shape, dtype, fortran, start = _header(stream, what)
    count = math.prod(shape)
    if start + count * dtype.itemsize > size:
        raise ArrayFileError(f"{what} of {path.name} is cut off: shape {shape}, {size} bytes")

    def load(rows: int | None) -> Array:
        kept = shape if rows is None or not shape else (min(rows, shape[0]), *shape[1:])
        read = shape if fortran else kept
        with _failures(path), opened() as stream:
            stream.read(start)
            data = stream.read(math.prod(read) * dtype.itemsize)
            if read == shape:
                stream.read(1)  # at its end an archive member is compared with its checksum
            values = np.frombuffer(data, dtype).reshape(read, order="F" if fortran else "C")
            native = values.astype(dtype.newbyteorder("="))
        return native[: kept[0]] if kept else native

    return StoredArray(shape, dtype, fortran, load)


def _header(stream: IO[bytes], what: str) -> tuple[tuple[int, ...], np.dtype[Any], bool, int]:
    """Shape, type, order and the offset of the values (NumPy's .npy format, versions 1 and 2)."""
    start = stream.read(8)
    if start[:6] != _MAGIC or start[6:7] not in (b"\x01", b"\x02"):
        raise ArrayFileError(f"{what} is not in NumPy's format")
    length_format = "<H" if start[6] == 1 else "<I"
    raw = stream.read(struct.calcsize(length_format))
    (length,) = struct.unpack(length_format, raw)
    if length > _HEADER_LIMIT:
        raise ArrayFileError(f"{what} has a header of {length} bytes")
    header = stream.read(length).decode("latin-1")
    descr, order, shape = _DESCR.search(header), _ORDER.search(header), _SHAPE.search(header)
    if descr is not None and "O" in descr[1]:
        raise ArrayFileError(
            f"{what} holds Python objects, which would have to be unpickled",
            "arrays of numbers only: save it with a numeric dtype",
        )
    if descr is None or order is None or shape is None:
        raise ArrayFileError(f"{what} is not a plain array of numbers")
    dtype = np.dtype(descr[1])
    if dtype.kind not in _NUMERIC:
        raise ArrayFileError(f"{what} holds {dtype.name}, not real numbers")
    axes = tuple(int(axis) for axis in shape[1].split(",") if axis.strip())
    return axes, dtype, order[1] == "True", len(start) + len(raw) + length


def csv_names(path: Path) -> list[str]:
    """Names of the columns of a CSV file, which its first line gives.

    Raises ArrayFileError where it has none, or where they are not separated by commas.
    """
    _check_regular(path)
    with _failures(path), path.open(encoding="utf-8-sig", newline="") as stream:
        header = _csv_header(csv.reader(stream))
        if not header:
            raise ArrayFileError(f"the first line of {path.name} is empty", "it names the columns")
        if len(header) == 1 and re.search("[;\t]", header[0]):
            raise ArrayFileError(
                f"{path.name} has one column, {shortened(header[0])!r}",
                "columns are separated by commas",
            )
        return header


def _csv_header(reader: Iterator[list[str]]) -> list[str]:
    return [name.strip() for name in next(reader, [])]


def read_csv(path: Path, columns: list[str], rows: int | None, max_values: int) -> Array:
    """The named columns of a CSV file with a header line, (rows, columns), float64.

    Raises ArrayFileError with the line of the first value that is not a number.
    """
    _check_regular(path)
    with _failures(path), path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        header = _csv_header(reader)
        for column in columns:
            if header.count(column) != 1:
                raise ArrayFileError(
                    f"{path.name} has {header.count(column)} columns called {column!r}"
                )
        indices = [header.index(column) for column in columns]
        values = array("d")
        kept = 0
        for record in reader:
            if not record:
                continue
            if rows is not None and kept == rows:
                break
            kept += 1
            line = reader.line_num
            if len(record) != len(header):
                raise ArrayFileError(
                    f"line {line} of {path.name} has {len(record)} fields, the header {len(header)}"
                )
            for index in indices:
                values.append(_number(record[index], path, line, header[index]))
            if len(values) > max_values:
                raise ArrayFileError(f"{path.name} does not fit the memory allowed")
    return np.frombuffer(values, np.float64).reshape(kept, len(columns)).copy()


def _number(text: str, path: Path, line: int, column: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArrayFileError(
            f"{text[:40]!r} on line {line} of {path.name}, column {column!r}, is not a number"
        ) from None
