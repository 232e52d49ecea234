"""Reads files of truth as arrays; an error says in one line what is wrong about a file.

Units, depths of bits and ranges that can't be what a data set says are refused: a wrong unit
would be a wrong score.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.image_sets.image_set import DatasetError
from mtshare_ros.errors import reason_of
from mtshare_ros.tasks import UNLABELLED

Array = NDArray[Any]

SHORTEST_NORMAL = 0.1
"""Shortest stored vector that is a normal; grey of 127 or 128 decodes to a length of 0.007."""
LARGEST_DEVIATION = 0.1
"""Largest mean distance of normals' lengths from 1; 8 bits leave less than 0.01."""
FARTHEST = 300.0
"""Largest plausible depth in metres; larger values look like millimetres."""
FAR_OFF = 10.0
"""Factor by which an image's median depth may lie outside of the range that is learned."""


def file_bytes(path: Path, expected: str) -> bytes:
    """Return the content of a file.

    Raises:
        DatasetError: It is missing or can't be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path}: not found; expected {expected}") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in its name.
        raise _unreadable(path, error, expected) from error


def checked_ids(path: Path, ids: NDArray[np.uint8], classes: int, first: int) -> None:
    """Refuse ids that the set doesn't have.

    Raises:
        DatasetError: A labelled value is not in ``first`` to ``first + classes - 1``.
    """
    labelled = ids[(ids != UNLABELLED) & (ids >= first)]
    if labelled.size and labelled.max() >= first + classes:
        raise DatasetError(
            f"{path}: class id {labelled.max()}; expected {first} to {first + classes - 1}, and"
            f" {UNLABELLED if first == 0 else 0} for unlabelled"
        )


def array(path: Path) -> Array:
    """Return the array of an ``.npy`` file, of numbers.

    Raises:
        DatasetError: The file is missing or no array of numbers.
    """
    try:
        # Mapped: a header that claims more than the file has is refused before memory is taken.
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DatasetError(f"{path}: not found; expected an array") from None
    except Exception as error:  # NumPy parses headers with built-in errors of many classes.
        raise _unreadable(path, error, "an array") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf" or not values.size:
        raise DatasetError(f"{path}: can't be read; expected an array of numbers")
    # OpenCV takes the machine's order of bytes only.
    return np.array(values, values.dtype.newbyteorder("="))


def metres(
    path: Path, values: Array, unit: float = 1.0, near_far: tuple[float, float] = (0.1, 20.0)
) -> NDArray[np.float32]:
    """Return depth (H, W) float32 of metres, NaN where it is 0 or not finite.

    Args:
        path: For the message.
        values: What the file holds.
        unit: Metres per unit of it.
        near_far: Range of depth that is learned, in metres.

    Raises:
        DatasetError: The values are no depth in this unit.
    """
    values = _plane(values)
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise wrong(path, values, "depth (H, W) in metres")
    if values.dtype.itemsize == 1:
        raise DatasetError(
            f"{path}: depth of 8 bits, up to {values.max()}; expected 16 bits or more"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        depth = (values.astype(np.float64) * unit).astype(np.float32)
    valid = np.isfinite(depth) & (depth > 0)
    if valid.any():
        _check_unit(path, depth[valid], unit, near_far)
    return np.where(valid, depth, np.float32(np.nan))


def _plane(values: Array) -> Array:
    """Return (H, W) of (1, H, W) or (H, W, 1); others as they are."""
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[2]):
        return values[0] if values.shape[0] == 1 else values[..., 0]
    return values


def _check_unit(
    path: Path, depth: NDArray[np.float32], unit: float, near_far: tuple[float, float]
) -> None:
    near, far = near_far
    largest, median = float(depth.max()), float(np.median(depth))
    said = "metres" if unit == 1.0 else f"{unit:g} m a unit"
    if largest > max(FARTHEST, far) or median > FAR_OFF * far:
        raise DatasetError(
            f"{path}: depth up to {largest:g} m; expected {said} and {near:g} to {far:g} m"
            " (these look like millimetres)"
        )
    if median < near / FAR_OFF:
        raise DatasetError(
            f"{path}: depth of {median:g} m in the middle; expected {said} and {near:g} to"
            f" {far:g} m (these look like metres that are read as millimetres)"
        )


def shares(path: Path, values: Array) -> NDArray[np.float32]:
    """Return shares (H, W) float32 of 0 to 1, NaN ignored: of bytes 0 to 255, or of 0 to 1.

    Raises:
        DatasetError: The values are no shares.
    """
    values = _plane(values)
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        raise wrong(path, values, "one channel")
    if values.dtype == np.uint8:
        check_bytes(path, values)
        return (values / np.float32(255)).astype(np.float32)
    finite = values[~np.isnan(values)]
    if finite.size and (finite.min() < 0 or finite.max() > 1):
        raise DatasetError(f"{path}: {finite.min():g} to {finite.max():g}; expected 0 to 1")
    return values.astype(np.float32)


def check_bytes(path: Path, values: Array) -> None:
    """Refuse bytes of 0 and 1 where 255 stands for 1.

    Raises:
        DatasetError: No value is above 1, and one is 1.
    """
    if values.max() == 1:
        raise DatasetError(f"{path}: 8 bits, and no value above 1; expected values up to 255")


def unit_vectors(path: Path, values: Array, axes: Array | None = None) -> NDArray[np.float32]:
    """Return unit vectors (H, W, 3) float32, zero invalid, of floats or of a picture's 8 bits.

    Args:
        path: For the message.
        values: (H, W, 3): components as they are, or 0 to 255 for -1 to 1.
        axes: (3, 3) from the file's axes to the optical frame; None leaves them.

    Raises:
        DatasetError: The values are no directions.
    """
    if values.ndim != 3 or values.shape[2] != 3:
        raise wrong(path, values, "normals (H, W, 3)")
    if values.dtype == np.uint8:
        vectors = 2 * values.astype(np.float32) / 255 - 1
    elif values.dtype.kind == "f" and np.abs(np.nan_to_num(values)).max() <= 1.01:
        vectors = np.nan_to_num(values.astype(np.float32))
    else:
        raise DatasetError(
            f"{path}: {values.dtype} from {float(values.min()):g} to {float(values.max()):g};"
            " expected components from -1 to 1, or a picture of 8 bits"
        )
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    valid = length >= SHORTEST_NORMAL
    apart = np.abs(length[valid] - 1)
    if apart.size and apart.mean() > LARGEST_DEVIATION:
        raise DatasetError(
            f"{path}: vectors of length {length[valid].min():.2f} to {length[valid].max():.2f};"
            " expected normals of length 1, of which 8 bits hold 255 (n + 1) / 2"
        )
    vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=valid)
    return vectors if axes is None else np.asarray(vectors @ axes.T.astype(np.float32))


def wrong(path: Path, values: Array, expected: str) -> DatasetError:
    """Return the error of an array of another form."""
    return DatasetError(f"{path}: {values.shape} {values.dtype}; expected {expected}")


def _unreadable(path: Path, error: Exception, expected: str) -> DatasetError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else reason_of(error)
    return DatasetError(f"{path}: can't be read ({reason}); expected {expected}")
