"""The training set: views of many simulated rooms, in files that can be memory-mapped.

The views of a room are single ones, or the frames of a clip in order.

A folder holds ``meta.json`` and shards; a shard is a folder with one array per kind, ``M`` frames
each: ``rgb.npy`` uint8 (M, H, W, 3); ``depth.npy`` float16 (M, H, W) metres, NaN invalid;
``labels.npy`` uint8 (M, H, W), 255 unlabelled; ``normals.npy`` int8 (M, H, W, 3), the unit
vector times 127, zero invalid; ``seeds.npy`` int64 (M,), the room of each frame.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.errors import UserError, reason_of
from mtshare_ros.tasks import TASKS

VERSION = 1
"""Version of the layout and of the rooms: frames of different versions must not be mixed."""

_LAYOUT: dict[str, tuple[type, tuple[int, ...] | None]] = {
    "rgb": (np.uint8, (3,)),
    "depth": (np.float16, ()),
    "labels": (np.uint8, ()),
    "normals": (np.int8, (3,)),
    "seeds": (np.int64, None),
}
"""Array -> its type, and its sides after those of the image; None where it has no image."""
KINDS = tuple(_LAYOUT)
"""Arrays of a shard."""

NORMAL_SCALE = 127.0
"""Stored value of a normal's component 1.0."""

_REQUIRED: dict[str, Callable[[Any], bool]] = {
    "version": lambda value: isinstance(value, int),
    "size": lambda value: _are_whole(value, 2) and min(value) > 0,
    "fx": lambda value: isinstance(value, int | float) and 0 < value < math.inf,
    "classes": lambda value: isinstance(value, list) and all(isinstance(v, str) for v in value),
    "seeds": lambda value: _are_whole(value, 3),
    "textures": lambda value: isinstance(value, str),
}
"""What ``meta.json`` must say for the frames to be of use -> whether a value can be right."""


class StillsError(UserError):
    """A folder of stills can't be used or rendered as asked for; the message names what."""


def read_meta(path: Path) -> dict[str, Any]:
    """Return what a ``meta.json`` says.

    Raises:
        StillsError: It is damaged, or lacks what every set has.
    """
    try:
        meta = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise StillsError(f"{path}: no JSON ({error})") from error
    missing = [key for key in _REQUIRED if not isinstance(meta, dict) or key not in meta]
    if missing:
        raise StillsError(f"{path}: lacks {', '.join(missing)}")
    for key, fits in _REQUIRED.items():
        if not fits(meta[key]):
            raise StillsError(f"{path}: {key} is {str(meta[key])[:80]}; render it again")
    if meta.get("clips") and not _is_count(meta.get("views_per_room")):
        raise StillsError(f"{path}: views_per_room is {meta.get('views_per_room')} of clips")
    return dict(meta)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _are_whole(value: Any, count: int) -> bool:
    numbers = isinstance(value, list) and len(value) == count
    return numbers and all(isinstance(number, int) for number in value)


class StillsDataset:
    """Reads a folder that ``simulator.render_stills`` wrote, without loading it into memory.

    Attributes:
        meta: What ``meta.json`` says: ``size``, ``fx``, ``fy``, ``cx``, ``cy``, ``classes``, ...
        tasks: Tasks that there is truth for, by name.
    """

    tasks = TASKS

    def __init__(self, root: Path) -> None:
        """Open the shards of a folder.

        Raises:
            FileNotFoundError: Where the folder holds no stills.
            StillsError: Where they are of another version, or damaged.
        """
        path = Path(root) / "meta.json"
        if not path.exists():
            raise FileNotFoundError(f"{path}: not found; expected a folder of rendered stills")
        self.meta = read_meta(path)
        if self.meta["version"] != VERSION:
            raise StillsError(
                f"{path}: version is {self.meta['version']}, expected {VERSION}: render them again"
            )
        width, height = self.meta["size"]
        shards = sorted(Path(root).glob("shard-*"))
        self._shards = [_open_shard(folder, (height, width)) for folder in shards]
        self._ends = np.cumsum([len(shard["seeds"]) for shard in self._shards])

    def __len__(self) -> int:
        """Return the number of frames."""
        return int(self._ends[-1]) if len(self._ends) else 0

    @property
    def clip_length(self) -> int:
        """Frames of a clip, which follow each other; 1 of single views."""
        return int(self.meta["views_per_room"]) if self.meta.get("clips") else 1

    @property
    def seeds(self) -> set[int]:
        """Seeds of the rooms that are there, which may be fewer than ``meta`` announces."""
        return {int(seed) for shard in self._shards for seed in np.unique(shard["seeds"])}

    def stored(self, index: int) -> dict[str, NDArray[Any]]:
        """Return a frame's arrays as they are in the files, without copying them."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index}: expected less than {len(self)}")
        index %= len(self)
        shard = int(np.searchsorted(self._ends, index, side="right"))
        at = index - (int(self._ends[shard - 1]) if shard else 0)
        return {kind: array[at] for kind, array in self._shards[shard].items()}

    def __getitem__(self, index: int) -> dict[str, NDArray[Any]]:
        """Return one frame.

        Returns:
            ``rgb`` (H, W, 3) uint8; ``depth`` (H, W) float32 metres, NaN invalid; ``labels``
            (H, W) uint8, 255 unlabelled; ``normals`` (H, W, 3) float32 unit vectors in the
            optical frame, zero invalid; ``seeds`` () int64, the seed of the room.
        """
        stored = self.stored(index)
        normals = stored["normals"].astype(np.float32)
        length = np.linalg.norm(normals, axis=-1, keepdims=True)
        return {
            "rgb": np.array(stored["rgb"]),
            "depth": stored["depth"].astype(np.float32),
            "labels": np.array(stored["labels"]),
            "normals": normals / np.maximum(length, 1.0),
            "seeds": np.array(stored["seeds"]),
        }


def _open_shard(folder: Path, size: tuple[int, int]) -> dict[str, NDArray[Any]]:
    """Map a shard's arrays into memory; ``size`` is height and width of the frames."""
    shard: dict[str, NDArray[Any]] = {}
    for kind, (dtype, depth) in _LAYOUT.items():
        path = folder / f"{kind}.npy"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except Exception as error:  # NumPy parses headers with built-in errors of many classes.
            reason = error.strerror if isinstance(error, OSError) else reason_of(error)
            raise StillsError(f"{path}: can't be read ({reason}); render it again") from error
        frames = len(shard[KINDS[0]]) if shard else len(array) if np.ndim(array) else 0
        expected = (frames,) if depth is None else (frames, *size, *depth)
        if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != expected:
            found = f"{np.shape(array)} {getattr(array, 'dtype', 'archive')}"
            raise StillsError(f"{path}: {found}; expected {expected} {np.dtype(dtype)}")
        shard[kind] = array
    return shard


if __name__ == "__main__":
    print("this command has moved: run `mtshare render` with the same options", file=sys.stderr)
    sys.exit(2)
