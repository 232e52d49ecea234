"""Moves the people, balls and boxes of a room, all of them and the camera out of each other's way.

Chairs, and small things on tables, stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtshare_ros.simulator.gl import mujoco
from mtshare_ros.simulator.layout import Placed, Plan
from mtshare_ros.simulator.movement.free_space import Array, FreeSpace
from mtshare_ros.simulator.movement.walkers import Goal, Roller, Walker
from mtshare_ros.simulator.poses import Pose
from mtshare_ros.simulator.scene import Scene

MOST = {"person": 3, "ball": 2, "box": 1}
"""How many of each class move in one room."""

IN_VIEW = 0.8
"""Share of the goals that are where the camera looked at first: else little would be seen."""


def movers(plan: Plan) -> list[int]:
    """Return which of ``plan.placed`` move."""
    left = dict(MOST)
    chosen = []
    for index, placed in enumerate(plan.placed):
        label = placed.thing.label
        if placed.thing.movable and placed.pos[2] == 0 and left.get(label, 0) > 0:
            left[label] -= 1
            chosen.append(index)
    return chosen


def free_space(plan: Plan) -> FreeSpace:
    """Return a room's floor without those things that move."""
    return FreeSpace(plan, [plan.placed[i] for i in movers(plan)])


@dataclass
class _Person:
    """Someone who walks and faces the way."""

    mocap: int
    mover: Walker

    def pose(self) -> tuple[Array, Array]:
        """Return the position (3,) and rotation (w, x, y, z) of the body."""
        # The front of a thing is its y axis.
        half = (self.mover.heading - np.pi / 2) / 2
        return np.append(self.mover.at, 0.0), np.array([np.cos(half), 0.0, 0.0, np.sin(half)])


@dataclass
class _Box:
    """Something that slides and keeps its rotation ``quat`` (w, x, y, z)."""

    mocap: int
    mover: Roller
    quat: Array

    def pose(self) -> tuple[Array, Array]:
        """Return the position (3,) and rotation (w, x, y, z) of the body."""
        return np.append(self.mover.at, 0.0), self.quat


@dataclass
class _Ball(_Box):
    """A ball of a radius in metres, which rolls."""

    radius: float

    def pose(self) -> tuple[Array, Array]:
        """Return the position (3,) and rotation (w, x, y, z) of the body."""
        moved = self.mover.moved
        angle = float(np.linalg.norm(moved)) / self.radius
        if angle > 0:
            axis = np.array([-moved[1], moved[0], 0.0]) / (self.radius * angle)
            roll = np.empty(4)
            mujoco.mju_axisAngle2Quat(roll, axis, angle)
            mujoco.mju_mulQuat(self.quat, roll, self.quat.copy())
        # A body's origin is on the floor, but a ball turns about its centre.
        down = np.empty(3)
        mujoco.mju_rotVecQuat(down, np.array([0.0, 0.0, self.radius]), self.quat)
        return np.array([*self.mover.at, self.radius]) - down, self.quat


class Movement:
    """Everything that moves in one scene."""

    def __init__(
        self, rng: np.random.Generator, scene: Scene, space: FreeSpace, camera: Pose
    ) -> None:
        """Take the movers of a scene; most of them stay where ``camera`` can see them."""
        plan = scene.room.plan
        self._scene = scene
        goal = _goals(rng, space, camera)
        self._actors = []
        for index in movers(plan):
            mocap = int(scene.model.body_mocapid[scene.bodies[index]])
            quat = scene.data.mocap_quat[mocap].copy()
            self._actors.append(_actor(rng, space, plan.placed[index], goal, mocap, quat))

    def discs(self) -> Array:
        """Return centre and radius of each mover, ``(m, 3)`` metres."""
        return np.array([actor.mover.disc() for actor in self._actors]).reshape(-1, 3)

    def step(self, camera: tuple[float, float, float]) -> None:
        """Move everything on by one frame, clear of the camera's disc (x, y, radius), metres."""
        data = self._scene.data
        for index, actor in enumerate(self._actors):
            others = np.vstack([np.delete(self.discs(), index, axis=0), camera])
            actor.mover.step(others)
            data.mocap_pos[actor.mocap], data.mocap_quat[actor.mocap] = actor.pose()
        mujoco.mj_kinematics(self._scene.model, data)


def _goals(rng: np.random.Generator, space: FreeSpace, camera: Pose) -> Goal:
    """Return what draws points of free floor, most of them in front of a camera."""
    points = space.points[space.clearances > 0.3]
    if not len(points):
        points = space.points[[int(space.clearances.argmax())]]
    away = points - camera.position[:2]
    far = np.linalg.norm(away, axis=1)
    forward = camera.rotation[:2, 2] / np.linalg.norm(camera.rotation[:2, 2])
    ahead = (away @ forward) / np.maximum(far, 1e-6) > np.cos(np.deg2rad(26.0))
    seen = points[ahead & (far > 1.4) & (far < 5.0)]

    def goal() -> Array:
        choices = seen if len(seen) and rng.random() < IN_VIEW else points
        return np.asarray(choices[int(rng.integers(len(choices)))])

    return goal


def _actor(
    rng: np.random.Generator, space: FreeSpace, placed: Placed, goal: Goal, mocap: int, quat: Array
) -> _Person | _Box:
    """Return a moving thing; ``mocap`` is its body, ``quat`` how the body is turned."""
    at, half = np.array(placed.pos[:2]), placed.thing.half
    if placed.thing.label == "person":
        heading = placed.yaw + np.pi / 2
        speed = rng.uniform(0.5, 1.1)
        walker = Walker(rng, space, at, heading, 0.3, goal, speed, 2.0, longest_rest=45)
        return _Person(mocap, walker)
    if placed.thing.label == "ball":
        speed = rng.uniform(0.8, 1.8)
        ball = Roller(rng, space, at, half[0], goal, speed, friction=0.5)
        return _Ball(mocap, ball, quat, half[0])
    box = Roller(rng, space, at, float(np.hypot(*half)), goal, 0.7, friction=1.2)
    return _Box(mocap, box, quat)
