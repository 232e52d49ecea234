"""Reads files of truth as arrays; an error says in one line what is wrong about a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.image_sets.image_set import DatasetError
from mtshare_ros.tasks import UNLABELLED

Array = NDArray[Any]

SHORTEST_NORMAL = 0.1
"""Shortest stored vector that is a normal; grey of 127 or 128 decodes to a length of 0.007."""
FARTHEST = 300.0
"""Largest plausible depth in metres; larger values look like millimetres."""


def picture(path: Path) -> Array:
    """Return a picture as it is stored, colour as RGB; palettes as OpenCV expands them.

    Raises:
        DatasetError: The file is missing or no picture.
    """
    decoded = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        state = "can't be decoded" if path.exists() else "not found"
        raise DatasetError(f"{path}: {state}; expected a picture")
    image = np.asarray(decoded)
    return np.ascontiguousarray(image[..., 2::-1]) if image.ndim == 3 else image


def colour(path: Path) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) uint8 RGB; grey is spread over the channels.

    Raises:
        DatasetError: The file is missing or no picture of 8 bits.
    """
    image = picture(path)
    if image.dtype != np.uint8:
        raise wrong(path, image, "8 bits per channel")
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    return np.asarray(image, np.uint8)


def class_ids(path: Path) -> NDArray[np.uint8]:
    """Return ids (H, W) uint8 of a PNG of 8 bits; one with a palette holds ids, not colours.

    Raises:
        DatasetError: The file is missing or has several channels.
    """
    ids = indices(path)
    if ids.ndim != 2 or ids.dtype != np.uint8:
        raise wrong(path, ids, "class ids in one channel of 8 bits")
    return ids


def indices(path: Path) -> Array:
    """Return the values of a PNG: indices if it has a palette, which OpenCV can't return."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.array(image)
    except FileNotFoundError:
        raise DatasetError(f"{path}: not found; expected a PNG of class ids") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise DatasetError(f"{path}: can't be decoded ({error}); expected a PNG") from error


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
    """Return the array of an ``.npy`` file.

    Raises:
        DatasetError: The file is missing or no array.
    """
    try:
        return np.asarray(np.load(path))
    except FileNotFoundError:
        raise DatasetError(f"{path}: not found; expected an array") from None
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path}: can't be read ({error}); expected an array") from error


def matlab(path: Path, key: str) -> Array:
    """Return a variable of a MATLAB file.

    Raises:
        DatasetError: The file is missing, can't be read or has no such variable.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        return np.asarray(loadmat(path)[key])
    except FileNotFoundError:
        raise DatasetError(f"{path}: not found; expected a MATLAB file") from None
    except KeyError:
        raise DatasetError(f"{path}: no variable {key!r} in it") from None
    except (OSError, ValueError, NotImplementedError, TypeError, MatReadError) as error:
        raise DatasetError(f"{path}: can't be read ({error}); expected a MATLAB file") from error


def metres(path: Path, values: Array) -> NDArray[np.float32]:
    """Return depth (H, W) float32 of metres, NaN where it is 0 or not finite.

    Raises:
        DatasetError: The values are no depth in metres.
    """
    values = np.squeeze(values)
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise wrong(path, values, "depth (H, W) in metres")
    depth = values.astype(np.float32)
    valid = np.isfinite(depth) & (depth > 0)
    if valid.any() and depth[valid].max() > FARTHEST:
        raise DatasetError(
            f"{path}: depth up to {depth[valid].max():g}; expected metres (these look like"
            " millimetres)"
        )
    return np.where(valid, depth, np.float32(np.nan))


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
    elif values.dtype.kind == "f" and np.nanmax(np.abs(values), initial=0) <= 1.01:
        vectors = np.nan_to_num(values.astype(np.float32))
    else:
        raise DatasetError(
            f"{path}: {values.dtype} from {np.nanmin(values):g} to {np.nanmax(values):g};"
            " expected components from -1 to 1, or a picture of 8 bits"
        )
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    valid = length >= SHORTEST_NORMAL
    vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=valid)
    return vectors if axes is None else np.asarray(vectors @ axes.T.astype(np.float32))


def wrong(path: Path, values: Array, expected: str) -> DatasetError:
    """Return the error of an array of another form."""
    return DatasetError(f"{path}: {values.shape} {values.dtype}; expected {expected}")
