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
class _Actor:
    """One moving thing: its body, what decides where it goes, and its rotation (w, x, y, z)."""

    placed: Placed
    mocap: int
    mover: Walker | Roller
    quat: Array


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
            placed = plan.placed[index]
            mocap = int(scene.model.body_mocapid[scene.bodies[index]])
            mover = _mover(rng, space, placed, goal)
            quat = scene.data.mocap_quat[mocap].copy()
            self._actors.append(_Actor(placed, mocap, mover, quat))

    def discs(self) -> Array:
        """Return centre and radius of each mover, ``(m, 3)`` metres."""
        return np.array([actor.mover.disc() for actor in self._actors]).reshape(-1, 3)

    def step(self, camera: tuple[float, float, float]) -> None:
        """Move everything on by one frame, clear of the camera's disc (x, y, radius), metres."""
        data = self._scene.data
        for index, actor in enumerate(self._actors):
            others = np.vstack([np.delete(self.discs(), index, axis=0), camera])
            actor.mover.step(others)
            data.mocap_pos[actor.mocap], data.mocap_quat[actor.mocap] = _place(actor)
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


def _mover(
    rng: np.random.Generator, space: FreeSpace, placed: Placed, goal: Goal
) -> Walker | Roller:
    """Return what decides where a thing goes."""
    at, half = np.array(placed.pos[:2]), placed.thing.half
    if placed.thing.label == "person":
        heading = placed.yaw + np.pi / 2
        speed = rng.uniform(0.5, 1.1)
        return Walker(rng, space, at, heading, 0.3, goal, speed, 2.0, longest_rest=45)
    if placed.thing.label == "ball":
        return Roller(rng, space, at, half[0], goal, rng.uniform(0.8, 1.8), friction=0.5)
    return Roller(rng, space, at, float(np.hypot(*half)), goal, 0.7, friction=1.2)


def _place(actor: _Actor) -> tuple[Array, Array]:
    """Return the position (3,) and rotation (4,) of a mover's body."""
    mover = actor.mover
    if isinstance(mover, Walker):
        # The front of a thing is its y axis.
        half = (mover.heading - np.pi / 2) / 2
        return np.append(mover.at, 0.0), np.array([np.cos(half), 0.0, 0.0, np.sin(half)])
    if actor.placed.thing.label != "ball":
        return np.append(mover.at, 0.0), actor.quat
    # A body's origin is on the floor, but a ball turns about its centre.
    radius = actor.placed.thing.half[0]
    angle = float(np.linalg.norm(mover.moved)) / radius
    if angle > 0:
        axis = np.array([-mover.moved[1], mover.moved[0], 0.0]) / (radius * angle)
        roll = np.empty(4)
        mujoco.mju_axisAngle2Quat(roll, axis, angle)
        mujoco.mju_mulQuat(actor.quat, roll, actor.quat.copy())
    down = np.empty(3)
    mujoco.mju_rotVecQuat(down, np.array([0.0, 0.0, radius]), actor.quat)
    return np.array([*mover.at, radius]) - down, actor.quat
