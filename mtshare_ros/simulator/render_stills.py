"""Renders a training set, shard by shard: the job behind `mtshare render`."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from mtshare_ros.datasets.stills import VERSION, StillsError, read_meta
from mtshare_ros.progress import OnCount, silent
from mtshare_ros.simulator.gl import require_gl
from mtshare_ros.simulator.poses import robot_intrinsics
from mtshare_ros.simulator.shards import Job, is_finished, parts, render_shard
from mtshare_ros.simulator.simulate import check_size
from mtshare_ros.tasks import ROOM_CLASSES


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
    _write_meta(output, seeds, views_per_room, size, textures, clips)
    jobs = [
        Job(output / f"shard-{part[0]:06d}", part, views_per_room, size, textures, clips)
        for part in parts(seeds)
    ]
    todo = [job for job in jobs if not is_finished(job)]
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
    kept = read_meta(path)
    for key, value in meta.items():
        # A set may grow by further rooms of the same kind.
        if key != "seeds" and kept.get(key) != value:
            raise StillsError(f"{path}: {key} is {kept.get(key)}, expected {value}")
    if kept.get("clips", False) != clips:
        raise StillsError(f"{path}: clips is {kept.get('clips', False)}, expected {clips}")
    first, end, _ = kept["seeds"]
    meta["seeds"] = [min(first, seeds.start), max(end, seeds.stop), seeds.step]
    path.write_text(json.dumps(meta, indent=1) + "\n")
