"""The training set: views of many simulated rooms, in files that can be memory-mapped.

The views of a room are single ones, or the frames of a clip in order.

A folder holds ``meta.json`` and shards; a shard is a folder with one array per kind, ``M`` frames
each: ``rgb.npy`` uint8 (M, H, W, 3); ``depth.npy`` float16 (M, H, W) metres, NaN invalid;
``labels.npy`` uint8 (M, H, W), 255 unlabelled; ``normals.npy`` int8 (M, H, W, 3), the unit
vector times 127, zero invalid; ``seeds.npy`` int64 (M,), the room of each frame.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from mtshare_ros.commands.options import parse_size
from mtshare_ros.errors import OptionError, UserError, one_line
from mtshare_ros.simulator.gl import GLUnavailableError, require_gl
from mtshare_ros.simulator.poses import robot_intrinsics
from mtshare_ros.simulator.shards import KINDS, Job, is_finished, parts, render_shard
from mtshare_ros.tasks import ROOM_CLASSES, TASKS

VERSION = 1
"""Version of the layout and of the rooms: frames of different versions must not be mixed."""

_REQUIRED = ("version", "size", "fx", "classes", "seeds", "textures")
"""What ``meta.json`` must say for the frames to be of use."""


class StillsError(UserError):
    """A folder of stills, or a wish for one, can't be used; the message names what."""


def render_stills(
    output: Path,
    seeds: range,
    views_per_room: int,
    size: tuple[int, int],
    workers: int = 2,
    textures: str = "auto",
    *,
    clips: bool = False,
) -> None:
    """Render views of rooms into a folder; a run that was interrupted continues where it was.

    The same arguments give the same arrays, whatever the number of workers.

    Args:
        output: Folder, made if it does not exist.
        seeds: Seed of each room.
        views_per_room: Frames of each room.
        size: Width and height in pixels.
        workers: Processes that render at once.
        textures: ``auto``, ``A``, ``B`` or ``mix``; see ``rooms.seeds``.
        clips: Whether the frames of a room are those of a clip, see ``rooms.clips``.

    Raises:
        StillsError: Where the folder holds frames of other settings, or an argument is out of
            range.
        GLUnavailableError: Where nothing can render.
    """
    _check(seeds, views_per_room, workers)
    require_gl()
    output.mkdir(parents=True, exist_ok=True)
    _write_meta(output, seeds, views_per_room, size, textures, clips)
    jobs = [
        Job(output / f"shard-{part[0]:06d}", part, views_per_room, size, textures, clips)
        for part in parts(seeds)
    ]
    todo = [job for job in jobs if not is_finished(job)]
    done = len(seeds) - sum(len(job.seeds) for job in todo)
    # Forked workers would share the parent's OpenGL and OpenCV state.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    frames = len(seeds) * views_per_room
    with pool, tqdm(total=frames, initial=done * views_per_room, unit="frame") as bar:
        running = [pool.submit(render_shard, job) for job in todo]
        try:
            for finished in as_completed(running):
                bar.update(finished.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _check(seeds: range, views_per_room: int, workers: int) -> None:
    if not seeds or min(seeds) < 0:
        raise StillsError(f"rooms {seeds.start} to {seeds.stop - 1}: expected seeds from 0 up")
    for name, value in (("views", views_per_room), ("workers", workers)):
        if value < 1:
            raise StillsError(f"{name} {value}: expected at least 1")


def _read_meta(path: Path) -> dict[str, Any]:
    """Return what a ``meta.json`` says."""
    try:
        meta = json.loads(path.read_text())
    except ValueError as error:
        raise StillsError(f"{path}: no JSON ({error})") from error
    missing = [key for key in _REQUIRED if not isinstance(meta, dict) or key not in meta]
    if missing:
        raise StillsError(f"{path}: lacks {', '.join(missing)}")
    return dict(meta)


def _write_meta(
    output: Path,
    seeds: range,
    views_per_room: int,
    size: tuple[int, int],
    textures: str,
    clips: bool,
) -> None:
    """Write ``meta.json``, or check that the one that is there says the same."""
    k = robot_intrinsics(size)
    meta = {
        "version": VERSION,
        "size": list(size),
        "fx": k.fx,
        "fy": k.fy,
        "cx": k.cx,
        "cy": k.cy,
        "classes": [c.name for c in ROOM_CLASSES],
        "seeds": [seeds.start, seeds.stop, seeds.step],
        "views_per_room": views_per_room,
        "textures": textures,
        **({"clips": True} if clips else {}),
    }
    path = output / "meta.json"
    if not path.exists():
        path.write_text(json.dumps(meta, indent=1) + "\n")
        return
    found = _read_meta(path)
    for key, value in meta.items():
        # A set may grow by further rooms of the same kind.
        if key != "seeds" and found.get(key) != value:
            raise StillsError(f"{path}: {key} is {found.get(key)}, expected {value}")
    if found.get("clips", False) != clips:
        raise StillsError(f"{path}: clips is {found.get('clips', False)}, expected {clips}")
    old = found["seeds"]
    meta["seeds"] = [min(old[0], seeds.start), max(old[1], seeds.stop), seeds.step]
    path.write_text(json.dumps(meta, indent=1) + "\n")


class StillsDataset:
    """Reads a folder that ``render_stills`` wrote, without loading it into memory.

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
        self.meta = _read_meta(path)
        if self.meta["version"] != VERSION:
            raise StillsError(
                f"{path}: version is {self.meta['version']}, expected {VERSION}: render them again"
            )
        self._shards = [_open_shard(folder) for folder in sorted(Path(root).glob("shard-*"))]
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


def _open_shard(folder: Path) -> dict[str, NDArray[Any]]:
    """Map a shard's arrays into memory."""
    try:
        return {kind: np.load(folder / f"{kind}.npy", mmap_mode="r") for kind in KINDS}
    except (ValueError, EOFError) as error:
        raise StillsError(f"{folder}: can't be read ({error}); render it again") from error


def main() -> int:
    """Render a training set from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Render stills of simulated rooms.")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first room")
    parser.add_argument("--rooms", type=int, default=600, help="number of rooms")
    parser.add_argument("--views", type=int, default=10, help="frames of each room")
    parser.add_argument("--size", default="320x240", help="as 320x240")
    parser.add_argument("--workers", type=int, default=2, help="processes that render at once")
    parser.add_argument("--textures", default="auto", choices=["auto", "A", "B", "mix"])
    parser.add_argument("--clips", action="store_true", help="frames of a room are a clip's")
    a = parser.parse_args()
    seeds = range(a.first_seed, a.first_seed + a.rooms)
    try:
        size = parse_size(a.size)
        render_stills(a.output, seeds, a.views, size, a.workers, a.textures, clips=a.clips)
    except (OptionError, StillsError, GLUnavailableError, OSError) as error:
        print(f"stills: {one_line(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
