"""The robot's camera: intrinsics, and poses from which a room is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.camera.calibration import Intrinsics
from mtshare_ros.simulator.layout import Placed, Plan
from mtshare_ros.simulator.room import Room

FOCAL_PER_WIDTH = 0.8
"""Focal length in image widths (64 degrees across): one camera, so that one image tells metres."""

HEIGHTS = (0.3, 0.8)
"""Height of the camera above the floor, metres."""

CLEARANCE = 0.45
"""Distance that a camera keeps from things and walls, metres."""


WORTH_A_LOOK = 1.6
"""Things nearer than this (m) are looked at only where there are no others of their class."""


@dataclass(frozen=True)
class Pose:
    """Where the optical frame (x right, y down, z forward) is in the room.

    Attributes:
        position: ``(3,)`` metres.
        rotation: ``(3, 3)`` whose columns are the axes of the optical frame in the room's frame.
    """

    position: NDArray[np.float64]
    rotation: NDArray[np.float64]


def robot_intrinsics(size: tuple[int, int], focal: float = FOCAL_PER_WIDTH) -> Intrinsics:
    """Return the intrinsics of the robot's camera for an image of ``(width, height)`` pixels.

    Its pixels' centres are at whole numbers: the image's middle is ``(width - 1) / 2``.
    """
    width, height = size
    f = focal * width
    return Intrinsics(width, height, f, f, (width - 1) / 2, (height - 1) / 2, source="K")


def look(position: NDArray[np.float64], yaw: float, pitch: float, roll: float) -> Pose:
    """Return the pose of a camera.

    Args:
        position: ``(3,)`` metres.
        yaw: Heading in radians, 0 along the room's x axis, counterclockwise.
        pitch: Upwards, radians.
        roll: Clockwise as the camera sees it, radians.
    """
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    axes = np.stack([c * right + s * down, c * down - s * right, forward], axis=1)
    return Pose(np.asarray(position, float), axes)


def sample_pose(rng: np.random.Generator, room: Room) -> Pose:
    """Draw a camera pose: on free floor, roughly level, with something to see ahead."""
    best, best_free = (0.0, 0.0, 0.0), -np.inf
    for x, y in rng.uniform(-1, 1, (60, 2)) * room.plan.half:
        free = room.plan.clearance(x, y)
        if free <= best_free:
            continue
        yaw = _heading(rng, room, x, y)
        free = min(free, _free_ahead(room.plan, x, y, yaw) + CLEARANCE)
        if free > best_free:
            best, best_free = (float(x), float(y), yaw), free
        if free >= CLEARANCE:
            break
    x, y, yaw = best
    position = np.array([x, y, rng.uniform(*HEIGHTS)])
    pitch = np.deg2rad(np.clip(rng.normal(0.0, 5.0), -12.0, 12.0))
    roll = np.deg2rad(np.clip(rng.normal(0.0, 1.0), -3.0, 3.0))
    return look(position, yaw, float(pitch), float(roll))


def _heading(rng: np.random.Generator, room: Room, x: float, y: float) -> float:
    """Return a yaw, mostly towards some thing, with each class equally likely."""
    if rng.random() < 0.25:
        return float(rng.uniform(-np.pi, np.pi))
    by_class: dict[str, list[Placed]] = {}
    for placed in room.plan.placed:
        if placed.thing.label not in ("floor", "ceiling", "wall"):
            by_class.setdefault(placed.thing.label, []).append(placed)
    choices = by_class[sorted(by_class)[int(rng.integers(len(by_class)))]]
    far = [c for c in choices if np.hypot(c.pos[0] - x, c.pos[1] - y) > WORTH_A_LOOK] or choices
    target = far[int(rng.integers(len(far)))]
    towards = np.arctan2(target.pos[1] - y, target.pos[0] - x)
    return float(towards + rng.normal(0.0, np.deg2rad(14.0)))


def _free_ahead(plan: Plan, x: float, y: float, yaw: float) -> float:
    """Return the least clearance (m) of the points up to 1.1 m ahead of a camera."""
    steps = (0.4, 0.75, 1.1)
    return min(plan.clearance(x + d * np.cos(yaw), y + d * np.sin(yaw)) for d in steps) - 0.05
