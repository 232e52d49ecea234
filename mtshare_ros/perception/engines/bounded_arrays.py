"""Arrays out of an ``.npz`` file, whose claims about its size are bounded before it is read."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from mtshare_ros.errors import reason_of

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def load_arrays(path: Path, most_bytes: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file by name.

    A few bytes of header can claim gigabytes, and a few of compressed data hold them: sizes are
    added up before anything is read.

    Args:
        path: The file.
        most_bytes: Largest size of all arrays together.

    Raises:
        ValueError: The arrays claim to be larger, or the file is malformed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            claimed = sum(_claimed_bytes(archive, member) for member in archive.infolist())
        if claimed > most_bytes:
            raise ValueError(f"arrays of {claimed} bytes; expected at most {most_bytes}")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError):
        raise
    except Exception as error:  # zipfile and NumPy raise errors of many classes.
        raise ValueError(f"malformed: {reason_of(error)}") from None


def _claimed_bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    with archive.open(member) as file:
        version = npy.read_magic(file)
        if version not in _HEADERS:
            known = sorted(_HEADERS)
            raise ValueError(f"{member.filename}: format {version}; expected one of {known}")
        shape, _, dtype = _HEADERS[version](file)
    if dtype.hasobject or any(side < 0 for side in shape):
        raise ValueError(f"{member.filename}: shape {shape} of {dtype}; expected numbers")
    return max(math.prod(shape) * dtype.itemsize, member.file_size)
