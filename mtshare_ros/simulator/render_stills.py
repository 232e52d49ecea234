"""Renders a training set, shard by shard: the job behind `mtshare render`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.stills import KINDS, NORMAL_SCALE, VERSION, StillsError, read_meta
from mtshare_ros.errors import written
from mtshare_ros.progress import OnCount, silent
from mtshare_ros.simulator.clips import ClipFrame, render_clip
from mtshare_ros.simulator.gl import require_gl
from mtshare_ros.simulator.movement.trajectories import KINDS as MOVEMENTS
from mtshare_ros.simulator.poses import robot_intrinsics, sample_pose
from mtshare_ros.simulator.render import Renderer, View
from mtshare_ros.simulator.room import make_room
from mtshare_ros.simulator.scene import compile_scene
from mtshare_ros.simulator.sensor import expose, random_sensor
from mtshare_ros.simulator.simulate import check_size
from mtshare_ros.tasks import ROOM_CLASSES

ROOMS_PER_SHARD = 10
"""Rooms in one shard: what is lost when rendering is interrupted."""


@dataclass(frozen=True)
class Job:
    """What is to be rendered into a folder: one shard, or a whole set."""

    folder: Path
    seeds: range
    views_per_room: int
    size: tuple[int, int]
    textures: str
    clips: bool = False


def render_stills(
    output: Path,
    seeds: range,
    views_per_room: int,
    size: tuple[int, int],
    workers: int = 2,
    textures: str = "auto",
    *,
    clips: bool = False,
    on_frame: OnCount = silent,
) -> None:
    """Render views of rooms into a folder; a run that was interrupted continues where it was.

    The same arguments give the same arrays, whatever the number of workers.

    Args:
        output: Folder, made if it does not exist.
        seeds: Seed of each room.
        views_per_room: Frames of each room.
        size: Width and height in pixels.
        workers: Processes that render at once.
        textures: ``auto``, ``A``, ``B`` or ``mix``; see ``datasets.seeds``.
        clips: Whether the frames of a room are those of a clip, see ``simulator.clips``.
        on_frame: Called with the frames that are there and those in all, after each shard.

    Raises:
        StillsError: Where the folder holds frames of other settings, or an argument is out of
            range.
        OptionError: Where the size can't be rendered.
        GLUnavailableError: Where nothing can render.
    """
    _check(seeds, views_per_room, workers)
    check_size(size)
    require_gl()
    output.mkdir(parents=True, exist_ok=True)
    whole = Job(output, seeds, views_per_room, size, textures, clips)
    _write_meta(whole)
    todo = [job for job in parts(whole) if not is_finished(job)]
    frames = len(seeds) * views_per_room
    done = frames - views_per_room * sum(len(job.seeds) for job in todo)
    # Forked workers would share the parent's OpenGL and OpenCV state.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(render_shard, job) for job in todo]
        try:
            for finished in as_completed(running):
                done += finished.result()
                on_frame(done, frames)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _check(seeds: range, views_per_room: int, workers: int) -> None:
    if not seeds or min(seeds) < 0:
        raise StillsError(f"rooms {seeds.start} to {seeds.stop - 1}: expected seeds from 0 up")
    for name, value in (("views", views_per_room), ("workers", workers)):
        if value < 1:
            raise StillsError(f"{name} {value}: expected at least 1")


def _write_meta(whole: Job) -> None:
    """Write ``meta.json``, or check that the one that is there says the same."""
    k, seeds = robot_intrinsics(whole.size), whole.seeds
    meta = {
        "version": VERSION,
        "size": list(whole.size),
        "fx": k.fx,
        "fy": k.fy,
        "cx": k.cx,
        "cy": k.cy,
        "classes": [c.name for c in ROOM_CLASSES],
        "seeds": [seeds.start, seeds.stop, seeds.step],
        "views_per_room": whole.views_per_room,
        "textures": whole.textures,
        **({"clips": True} if whole.clips else {}),
    }
    path = whole.folder / "meta.json"
    if not path.exists():
        _write(path, meta)
        return
    kept = read_meta(path)
    for key, value in meta.items():
        # A set may grow by further rooms of the same kind.
        if key != "seeds" and kept.get(key) != value:
            raise StillsError(f"{path}: {key} is {kept.get(key)}, expected {value}")
    if kept.get("clips", False) != whole.clips:
        raise StillsError(f"{path}: clips is {kept.get('clips', False)}, expected {whole.clips}")
    first, end, _ = kept["seeds"]
    meta["seeds"] = [min(first, seeds.start), max(end, seeds.stop), seeds.step]
    _write(path, meta)


def _write(path: Path, meta: dict[str, Any]) -> None:
    with written(path):
        path.write_text(json.dumps(meta, indent=1) + "\n")


def parts(whole: Job) -> Iterator[Job]:
    """Split a set into shards, each in a folder of its own below the set's."""
    for start in range(0, len(whole.seeds), ROOMS_PER_SHARD):
        seeds = whole.seeds[start : start + ROOMS_PER_SHARD]
        yield replace(whole, folder=whole.folder / f"shard-{seeds[0]:06d}", seeds=seeds)


def is_finished(job: Job) -> bool:
    """Return whether a shard is there in full: the last one of a set that grew may be shorter."""
    seeds = job.folder / "seeds.npy"
    frames = len(job.seeds) * job.views_per_room
    try:
        return len(np.load(seeds, mmap_mode="r")) >= frames
    except Exception:  # Missing, or damaged in whatever way: it is rendered again.
        return False


def render_shard(job: Job) -> int:
    """Render one shard, in a process of its own, and move it into place.

    Returns:
        Its number of frames.
    """
    # One core per worker: the workers are what runs in parallel.
    os.environ["LP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    frames = list(_clips(job) if job.clips else _views(job))
    partial = job.folder.with_name(f"partial-{job.folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for kind in KINDS:
        path = partial / f"{kind}.npy"
        with written(path):
            np.save(path, np.stack([frame[kind] for frame in frames]))
    shutil.rmtree(job.folder, ignore_errors=True)
    partial.rename(job.folder)
    return len(frames)


def _views(job: Job) -> Iterator[dict[str, Any]]:
    """Yield single views of every room."""
    with Renderer(robot_intrinsics(job.size)) as renderer:
        for seed in job.seeds:
            room = make_room(seed, job.textures)
            renderer.load(compile_scene(room))
            for view in range(job.views_per_room):
                rng = np.random.default_rng([seed, 1, view])
                seen = renderer.render(sample_pose(rng, room))
                rgb = expose(seen.rgb, random_sensor(rng, seen.rgb), rng)
                yield _stored(rgb, seen, seed)


def _clips(job: Job) -> Iterator[dict[str, Any]]:
    """Yield the first frames of a clip of every room; the kinds of movement take turns."""
    for seed in job.seeds:
        kind = MOVEMENTS[seed % len(MOVEMENTS)]
        clip = render_clip(kind, seed, job.views_per_room, job.size, textures=job.textures)
        for frame in clip:
            yield _stored(frame.rgb, frame, seed)


def _stored(rgb: NDArray[np.uint8], seen: View | ClipFrame, seed: int) -> dict[str, Any]:
    return {
        "rgb": rgb,
        "depth": seen.depth.astype(np.float16),
        "labels": seen.labels,
        "normals": np.rint(seen.normals * NORMAL_SCALE).astype(np.int8),
        "seeds": seed,
    }
