"""Renders one part of a training set, in a process of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.stills import KINDS, NORMAL_SCALE
from mtshare_ros.simulator.clips import ClipFrame, render_clip
from mtshare_ros.simulator.movement.trajectories import KINDS as MOVEMENTS
from mtshare_ros.simulator.poses import robot_intrinsics, sample_pose
from mtshare_ros.simulator.render import Renderer, View
from mtshare_ros.simulator.room import make_room
from mtshare_ros.simulator.scene import compile_scene
from mtshare_ros.simulator.sensor import expose, random_sensor

ROOMS_PER_SHARD = 10
"""Rooms in one shard: what is lost when rendering is interrupted."""


@dataclass(frozen=True)
class Job:
    """One shard to be rendered."""

    folder: Path
    seeds: range
    views_per_room: int
    size: tuple[int, int]
    textures: str
    clips: bool = False


def parts(seeds: range) -> Iterator[range]:
    """Split the seeds into shards."""
    for start in range(0, len(seeds), ROOMS_PER_SHARD):
        yield seeds[start : start + ROOMS_PER_SHARD]


def is_finished(job: Job) -> bool:
    """Return whether a shard is there in full: the last one of a set that grew may be shorter."""
    seeds = job.folder / "seeds.npy"
    frames = len(job.seeds) * job.views_per_room
    return seeds.exists() and len(np.load(seeds, mmap_mode="r")) >= frames


def render_shard(job: Job) -> int:
    """Render one shard and move it into place; return its number of frames."""
    # One core per worker: the workers are what runs in parallel.
    os.environ["LP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    frames = list(_clips(job) if job.clips else _views(job))
    partial = job.folder.with_name(f"partial-{job.folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for kind in KINDS:
        np.save(partial / f"{kind}.npy", np.stack([frame[kind] for frame in frames]))
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
