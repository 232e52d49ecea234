"""The training set: single views of many simulated rooms, in files that can be memory-mapped.

A folder holds ``meta.json`` and shards; a shard is a folder with one array per kind, ``M`` frames
each: ``rgb.npy`` uint8 (M, H, W, 3); ``depth.npy`` float16 (M, H, W) metres, NaN invalid;
``labels.npy`` uint8 (M, H, W), 255 unlabelled; ``normals.npy`` int8 (M, H, W, 3), the unit
vector times 127, zero invalid; ``seeds.npy`` int64 (M,), the room of each frame.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from mtshare_ros.datasets.rooms.camera import robot_intrinsics, sample_pose
from mtshare_ros.datasets.rooms.gl import GLUnavailableError, require_gl
from mtshare_ros.datasets.rooms.render import Renderer
from mtshare_ros.datasets.rooms.room import make_room
from mtshare_ros.datasets.rooms.scene import compile_scene
from mtshare_ros.datasets.rooms.sensor import expose, random_sensor
from mtshare_ros.tasks import ROOM_CLASSES

VERSION = 1
"""Version of the layout and of the rooms: frames of different versions must not be mixed."""

ROOMS_PER_SHARD = 10
"""Rooms in one shard: what is lost when rendering is interrupted."""

NORMAL_SCALE = 127.0
"""Stored value of a normal's component 1.0."""

KINDS = ("rgb", "depth", "labels", "normals", "seeds")
"""Arrays of a shard."""


@dataclass(frozen=True)
class _Job:
    """One shard to be rendered."""

    folder: Path
    seeds: range
    views_per_room: int
    size: tuple[int, int]
    textures: str


def render_stills(
    output: Path,
    seeds: range,
    views_per_room: int,
    size: tuple[int, int],
    workers: int = 2,
    textures: str = "auto",
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

    Raises:
        ValueError: Where the folder holds frames of other settings.
        GLUnavailableError: Where nothing can render.
    """
    require_gl()
    output.mkdir(parents=True, exist_ok=True)
    _write_meta(output, seeds, views_per_room, size, textures)
    jobs = [
        _Job(output / f"shard-{part[0]:06d}", part, views_per_room, size, textures)
        for part in _parts(seeds)
    ]
    todo = [job for job in jobs if not _finished(job)]
    done = len(seeds) - sum(len(job.seeds) for job in todo)
    # Forked workers would share the parent's OpenGL and OpenCV state.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    frames = len(seeds) * views_per_room
    with pool, tqdm(total=frames, initial=done * views_per_room, unit="frame") as bar:
        running = [pool.submit(_render_shard, job) for job in todo]
        try:
            for finished in as_completed(running):
                bar.update(finished.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _parts(seeds: range) -> Iterator[range]:
    """Split the seeds into shards."""
    for start in range(0, len(seeds), ROOMS_PER_SHARD):
        yield seeds[start : start + ROOMS_PER_SHARD]


def _write_meta(
    output: Path, seeds: range, views_per_room: int, size: tuple[int, int], textures: str
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
    }
    path = output / "meta.json"
    if not path.exists():
        path.write_text(json.dumps(meta, indent=1) + "\n")
        return
    found = json.loads(path.read_text())
    for key, value in meta.items():
        # A set may grow by further rooms of the same kind.
        if key != "seeds" and found.get(key) != value:
            raise ValueError(f"{path}: {key} is {found.get(key)}, expected {value}")
    old = found["seeds"]
    meta["seeds"] = [min(old[0], seeds.start), max(old[1], seeds.stop), seeds.step]
    path.write_text(json.dumps(meta, indent=1) + "\n")


def _finished(job: _Job) -> bool:
    """Return whether a shard is there in full: the last one of a set that grew may be shorter."""
    seeds = job.folder / "seeds.npy"
    frames = len(job.seeds) * job.views_per_room
    return seeds.exists() and len(np.load(seeds, mmap_mode="r")) >= frames


def _render_shard(job: _Job) -> int:
    """Render one shard and move it into place; return its number of frames."""
    # One core per worker: the workers are what runs in parallel.
    os.environ["LP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    frames: list[dict[str, Any]] = []
    with Renderer(robot_intrinsics(job.size)) as renderer:
        for seed in job.seeds:
            room = make_room(seed, job.textures)
            renderer.load(compile_scene(room))
            for view in range(job.views_per_room):
                rng = np.random.default_rng([seed, 1, view])
                seen = renderer.render(sample_pose(rng, room))
                frames.append(
                    {
                        "rgb": expose(seen.rgb, random_sensor(rng, seen.rgb), rng),
                        "depth": seen.depth.astype(np.float16),
                        "labels": seen.labels,
                        "normals": np.rint(seen.normals * NORMAL_SCALE).astype(np.int8),
                        "seeds": seed,
                    }
                )
    partial = job.folder.with_name(f"partial-{job.folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for kind in KINDS:
        np.save(partial / f"{kind}.npy", np.stack([frame[kind] for frame in frames]))
    shutil.rmtree(job.folder, ignore_errors=True)
    partial.rename(job.folder)
    return len(frames)


class StillsDataset:
    """Reads a folder that ``render_stills`` wrote, without loading it into memory.

    Attributes:
        meta: What ``meta.json`` says: ``size``, ``fx``, ``fy``, ``cx``, ``cy``, ``classes``, ...
    """

    def __init__(self, root: Path) -> None:
        """Open the shards of a folder.

        Raises:
            FileNotFoundError: Where the folder holds no stills.
        """
        path = Path(root) / "meta.json"
        if not path.exists():
            raise FileNotFoundError(f"{path}: not found; expected a folder of rendered stills")
        self.meta: dict[str, Any] = json.loads(path.read_text())
        if self.meta["version"] != VERSION:
            raise ValueError(f"{path}: version is {self.meta['version']}, expected {VERSION}")
        self._shards = [
            {kind: np.load(folder / f"{kind}.npy", mmap_mode="r") for kind in KINDS}
            for folder in sorted(Path(root).glob("shard-*"))
        ]
        self._ends = np.cumsum([len(shard["seeds"]) for shard in self._shards])

    def __len__(self) -> int:
        """Return the number of frames."""
        return int(self._ends[-1]) if len(self._ends) else 0

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


def parse_size(text: str) -> tuple[int, int]:
    """Return (width, height) of a text such as ``320x240``."""
    width, cross, height = text.partition("x")
    if not (cross and width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"size {text!r}: expected WIDTHxHEIGHT, as 320x240")
    return int(width), int(height)


def main() -> int:
    """Render a training set from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Render stills of simulated rooms.")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first room")
    parser.add_argument("--rooms", type=int, default=600, help="number of rooms")
    parser.add_argument("--views", type=int, default=10, help="frames of each room")
    parser.add_argument("--size", type=parse_size, default=(320, 240), help="as 320x240")
    parser.add_argument("--workers", type=int, default=2, help="processes that render at once")
    parser.add_argument("--textures", default="auto", choices=["auto", "A", "B", "mix"])
    a = parser.parse_args()
    seeds = range(a.first_seed, a.first_seed + a.rooms)
    try:
        render_stills(a.output, seeds, a.views, a.size, a.workers, a.textures)
    except (ValueError, GLUnavailableError) as error:
        print(f"stills: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
