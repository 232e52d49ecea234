"""How the camera of a clip moves: not at all, turning to and fro, driving, or carried by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from mtshare_ros.simulator.movement.free_space import Array, FreeSpace
from mtshare_ros.simulator.movement.movers import movers
from mtshare_ros.simulator.movement.walkers import STEP, Walker
from mtshare_ros.simulator.poses import Pose, look, sample_pose
from mtshare_ros.simulator.room import Room

ROBOT_RADIUS = 0.32
"""Distance that the driving robot's camera keeps from everything, metres."""

PERSONAL_SPACE = 0.7
"""Distance from a camera that stays in its place to whatever moves, metres."""


class CameraPath(Protocol):
    """A camera on its way."""

    def step(self, discs: Array) -> Pose:
        """Move on by one frame, around the movers' ``discs`` (m, 3), and return the pose."""
        ...

    def disc(self) -> tuple[float, float, float]:
        """Return centre and radius (m) of the floor that nothing else may enter."""
        ...


def angles(pose: Pose) -> tuple[float, float, float]:
    """Return yaw, pitch and roll (radians) of a pose, as ``poses.look`` takes them."""
    forward, right = pose.rotation[:, 2], pose.rotation[:, 0]
    yaw = np.arctan2(forward[1], forward[0])
    level = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, level)
    roll = np.arctan2(right @ down, right @ level)
    return float(yaw), float(np.arcsin(forward[2])), float(roll)


def start_pose(rng: np.random.Generator, room: Room) -> Pose:
    """Return a pose from which a clip begins: the one of several that sees most movers."""
    things = [room.plan.placed[i] for i in movers(room.plan)]

    def worth(pose: Pose) -> float:
        seen = 0.0
        for thing in things:
            away = np.array(thing.pos[:2]) - pose.position[:2]
            far = float(np.linalg.norm(away))
            ahead = away @ pose.rotation[:2, 2] / max(far, 1e-6)
            seen += ahead > np.cos(np.deg2rad(24.0)) and 1.4 < far < 4.5
        clear = room.plan.clearance(*pose.position[:2])
        return seen + min(clear, 0.5)

    return max((sample_pose(rng, room) for _ in range(12)), key=worth)


class _Fixed:
    """A camera that stays at one point of the floor."""

    def __init__(self, start: Pose) -> None:
        self._start = start

    def step(self, discs: Array) -> Pose:
        """Return the same pose each time."""
        return self._start

    def disc(self) -> tuple[float, float, float]:
        """Return the floor that movers keep clear of."""
        x, y, _ = self._start.position
        return float(x), float(y), PERSONAL_SPACE


class _Pan(_Fixed):
    """Turns to one side, rests, turns back, rests: as a robot looks about."""

    def __init__(self, rng: np.random.Generator, start: Pose) -> None:
        super().__init__(start)
        self._yaw, self._pitch, self._roll = angles(start)
        self._swing = float(rng.choice([-1, 1]) * np.deg2rad(rng.uniform(20.0, 55.0)))
        rate = np.deg2rad(rng.uniform(15.0, 40.0))
        self._sweep = max(int(abs(self._swing) / rate / STEP), 15)
        self._rest = int(rng.integers(15, 50))
        self._time = 0

    def step(self, discs: Array) -> Pose:
        """Return the pose of the next frame."""
        self._time += 1
        leg, at = divmod(self._time, self._rest + self._sweep)
        done = max(at - self._rest, 0) / self._sweep
        # Starts and stops without a jerk.
        eased = done * done * (3 - 2 * done)
        turned = self._swing * (eased if leg % 2 == 0 else 1 - eased)
        return look(self._start.position, self._yaw + turned, self._pitch, self._roll)


class _Shake:
    """Smooth noise: a few slow waves with random frequencies, zero at the start."""

    def __init__(self, rng: np.random.Generator, scale: Array, band: tuple[float, float]) -> None:
        shape = (3, len(scale))
        self._rate = 2 * np.pi * STEP * rng.uniform(*band, shape)
        self._phase = rng.uniform(0, 2 * np.pi, shape)
        self._size = scale * rng.uniform(0.2, 0.5, shape)
        self._time = 0

    def step(self) -> Array:
        """Return the offsets of the next frame, in the unit of the scale."""
        self._time += 1
        waves = np.sin(self._rate * self._time + self._phase) - np.sin(self._phase)
        return np.asarray((self._size * waves).sum(axis=0))


class _Handheld(_Fixed):
    """Carried by hand: wanders and turns in all six degrees of freedom."""

    def __init__(self, rng: np.random.Generator, start: Pose, space: FreeSpace) -> None:
        super().__init__(start)
        height = start.position[2]
        # Three waves of half the scale, twice each at most, stay within three times the scale.
        aside = min(0.15, 0.25 * max(space.clearance_at(start.position[:2]), 0.0))
        up = min(0.08, (height - 0.15) / 3)
        turn = np.deg2rad([14.0, 4.0, 2.5])
        self._slow = _Shake(rng, np.array([aside, aside, up, *turn]), (0.08, 0.45))
        self._fast = _Shake(rng, np.array([0.002, 0.002, 0.004, *turn * 0.06]), (1.0, 3.0))

    def step(self, discs: Array) -> Pose:
        """Return the pose of the next frame."""
        moved = self._slow.step() + self._fast.step()
        yaw, pitch, roll = angles(self._start) + moved[3:]
        return look(self._start.position + moved[:3], yaw, pitch, roll)


class _Drive:
    """A robot that drives about; its camera shakes a little while the wheels turn."""

    def __init__(self, rng: np.random.Generator, start: Pose, space: FreeSpace) -> None:
        yaw, self._pitch, self._roll = angles(start)
        self._height = start.position[2]
        reachable = space.points[space.clearances > ROBOT_RADIUS + 0.05]
        points = reachable if len(reachable) else space.points

        def goal() -> Array:
            return np.asarray(points[int(rng.integers(len(points)))])

        speed = rng.uniform(0.35, 0.7)
        self._robot = Walker(
            rng, space, start.position[:2], yaw, ROBOT_RADIUS, goal, speed, 0.7, longest_rest=10
        )
        self._shake = _Shake(rng, np.array([0.002, *np.deg2rad([0.1, 0.25, 0.2])]), (3.0, 8.0))

    def step(self, discs: Array) -> Pose:
        """Return the pose of the next frame."""
        robot = self._robot
        robot.step(discs)
        up, yaw, pitch, roll = self._shake.step() * min(robot.pace / 0.4, 1.0)
        at = np.append(robot.at, self._height + up)
        return look(at, robot.heading + yaw, self._pitch + pitch, self._roll + roll)

    def disc(self) -> tuple[float, float, float]:
        """Return the floor that the robot takes."""
        return self._robot.disc()


_PATHS: dict[str, Callable[[np.random.Generator, Pose, FreeSpace], CameraPath]] = {
    "static": lambda rng, start, space: _Fixed(start),
    "pan": lambda rng, start, space: _Pan(rng, start),
    "drive": _Drive,
    "handheld": _Handheld,
}
KINDS = tuple(_PATHS)
"""Kinds of clips."""


def camera_path(kind: str, rng: np.random.Generator, start: Pose, space: FreeSpace) -> CameraPath:
    """Return the path of a camera that begins at a pose; ``kind`` is one of ``KINDS``."""
    return _PATHS[kind](rng, start, space)
