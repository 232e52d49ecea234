"""Reads variables of MATLAB files (version 5, as PASCAL-Context has them).

SciPy's reader trusts the sizes that a file claims: a few changed bytes end the whole process. So
the structure of a file is held against its length before SciPy gets it.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.image_sets.image_set import DatasetError
from mtshare_ros.datasets.image_sets.truth_files import file_bytes, wrong
from mtshare_ros.errors import reason_of

MOST_BYTES = 1 << 30
"""Largest size of a variable: a few compressed bytes can stand for gigabytes."""
_HEADER = 128
_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
"""Type of an element of numbers or letters -> bytes of each."""
_MATRIX, _COMPRESSED, _INTEGERS, _UNSIGNED, _LETTERS = 14, 15, 5, 6, 1
_CELLS, _STRUCT, _TEXT = 1, 2, 4
_NUMBERS = range(6, 16)
"""Classes of arrays that are read."""
_COMPLEX = 0x0800
_DEEPEST = 20


def matlab(path: Path, key: str) -> NDArray[Any]:
    """Return a variable of a MATLAB file.

    Raises:
        DatasetError: The file is missing, can't be read or has no such variable.
    """
    from scipy.io import loadmat

    data = file_bytes(path, "a MATLAB file")
    try:
        _check(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            variables = loadmat(io.BytesIO(data))
    except Exception as error:  # SciPy's parser raises built-in errors of many classes.
        raise DatasetError(
            f"{path}: can't be read ({reason_of(error)}); expected a MATLAB file of version 5"
        ) from error
    if key not in variables:
        raise DatasetError(f"{path}: no variable {key!r} in it")
    return np.asarray(variables[key])


def label_map(path: Path) -> NDArray[Any]:
    """Return the ``LabelMap`` (H, W) of a MATLAB file of PASCAL-Context.

    Raises:
        DatasetError: The file is missing, can't be read or holds another thing.
    """
    labels = matlab(path, "LabelMap")
    if labels.ndim != 2 or labels.dtype.kind not in "biuf" or not labels.size:
        raise wrong(path, labels, "a LabelMap (H, W)")
    return labels


def _check(data: bytes) -> None:
    """Hold the structure of a file against its length.

    Raises:
        ValueError: An element claims what is not there, or is of a class that is not read.
        struct.error: The file is cut short.
        zlib.error: A compressed variable is damaged.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None or data[124:126] not in (b"\x00\x01", b"\x01\x00"):
        raise ValueError("no header of version 5")
    at = _HEADER
    while at < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        at += 8
        if at + size > len(data):
            raise ValueError(f"{size} bytes of a variable, {len(data) - at} are there")
        body, at = data[at : at + size], at + size
        if kind == _COMPRESSED:
            inner = zlib.decompressobj()
            body = inner.decompress(body, MOST_BYTES)
            if not inner.eof:
                raise ValueError("a compressed variable without its end")
            kind, size = struct.unpack_from(f"{order}II", body)
            if len(body) != 8 + size:
                raise ValueError(f"{size} bytes of a variable, {len(body) - 8} are there")
            body = body[8:]
        if kind != _MATRIX:
            raise ValueError(f"an element of type {kind} instead of a variable")
        _check_matrix(memoryview(body), order, 0)


def _check_matrix(body: memoryview, order: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError("variables too deep inside of one another")
    if not len(body):
        return  # How an empty cell is stored.
    parts = _elements(body, order)
    flags = struct.unpack(f"{order}II", _part(parts, _UNSIGNED, 8))[0]
    sides = _part(parts, _INTEGERS)
    shape = struct.unpack(f"{order}{len(sides) // 4}i", sides)
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"an array of shape {shape}")
    count, kind = math.prod(shape), flags & 0xFF
    _part(parts, _LETTERS)
    if kind == _STRUCT:
        (length,) = struct.unpack(f"{order}i", _part(parts, _INTEGERS, 4))
        names = _part(parts, _LETTERS)
        if length <= 0 or len(names) % length:
            raise ValueError(f"names of {length} letters in {len(names)} bytes")
        count *= len(names) // length
    if kind in (_CELLS, _STRUCT):
        for _ in range(count):
            _check_matrix(_part(parts, _MATRIX), order, depth + 1)
    elif kind in _NUMBERS or kind == _TEXT:
        for _ in range(2 if flags & _COMPLEX else 1):
            found, values = next(parts, (0, memoryview(b"")))
            if found not in _BYTES or (kind != _TEXT and len(values) != count * _BYTES[found]):
                raise ValueError(f"{len(values)} bytes of type {found} for {count} numbers")
    else:
        raise ValueError(f"an array of class {kind}")
    if next(parts, None) is not None:
        raise ValueError("more elements than an array has")


def _part(parts: Iterator[tuple[int, memoryview]], kind: int, size: int = -1) -> memoryview:
    """Return the content of the next element, which has to be of a type, and perhaps a size."""
    found, content = next(parts, (0, memoryview(b"")))
    if found != kind or size not in (-1, len(content)):
        raise ValueError(f"an element of type {found} and {len(content)} bytes, not type {kind}")
    return content


def _elements(body: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield type and content of each element; a few bytes lie in the tag itself."""
    at = 0
    while at < len(body):
        (tag,) = struct.unpack_from(f"{order}I", body, at)
        if tag >> 16:
            kind, size, start, end = tag & 0xFFFF, tag >> 16, at + 4, at + 8
            if size > 4:
                raise ValueError(f"{size} bytes in a tag of 4")
        else:
            kind, size = struct.unpack_from(f"{order}II", body, at)
            start, end = at + 8, at + 8 + size + -size % 8
        if start + size > len(body):
            raise ValueError(f"{size} bytes of an element, {len(body) - start} are there")
        yield kind, body[start : start + size]
        at = end
