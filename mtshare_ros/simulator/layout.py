"""Where things stand: on the floor plan, without overlaps, along walls and around tables."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mtshare_ros.simulator.things.parts import Thing, Vector
from mtshare_ros.simulator.things.style import Style

TRIES = 25
"""Random positions that are tried before a thing is left out of a full room."""


@dataclass(frozen=True)
class Placed:
    """A thing with its pose in the room: origin in metres, yaw in radians."""

    thing: Thing
    pos: Vector
    yaw: float


@dataclass
class Plan:
    """The floor plan: the room is centred on the origin.

    Attributes:
        half: Half sizes (x, y) of the room, metres.
        height: Height of the ceiling, metres.
        placed: What stands in the room.
        blocked: Rectangles (x0, y0, x1, y1) of the floor that things occupy, metres.
        kept_free: Rectangles where no furniture may stand, such as in front of doors.
    """

    half: tuple[float, float]
    height: float
    placed: list[Placed] = field(default_factory=list)
    blocked: list[tuple[float, float, float, float]] = field(default_factory=list)
    kept_free: list[tuple[float, float, float, float]] = field(default_factory=list)

    def clearance(self, x: float, y: float) -> float:
        """Return the distance (m) of a point to the nearest thing or wall; negative inside."""
        best = min(self.half[0] - abs(x), self.half[1] - abs(y))
        for x0, y0, x1, y1 in self.blocked:
            dx, dy = max(x0 - x, x - x1), max(y0 - y, y - y1)
            outside = float(np.hypot(max(dx, 0.0), max(dy, 0.0)))
            best = min(best, outside if outside > 0 else max(dx, dy))
        return best

    def put(self, thing: Thing, pos: Vector, yaw: float, blocks: bool = True) -> None:
        """Place a thing without asking whether there is room."""
        self.placed.append(Placed(thing, pos, yaw))
        if blocks:
            self.blocked.append(footprint(thing, pos[0], pos[1], yaw))

    def fits(self, rectangle: tuple[float, float, float, float], gap: float) -> bool:
        """Return whether a rectangle is inside the room and clear of what is there."""
        x0, y0, x1, y1 = rectangle
        if x0 < -self.half[0] or x1 > self.half[0] or y0 < -self.half[1] or y1 > self.half[1]:
            return False
        return not any(
            x0 - gap < b[2] and b[0] < x1 + gap and y0 - gap < b[3] and b[1] < y1 + gap
            for b in self.blocked + self.kept_free
        )


def footprint(thing: Thing, x: float, y: float, yaw: float) -> tuple[float, float, float, float]:
    """Return the axis-aligned rectangle (x0, y0, x1, y1) that a turned thing covers, metres."""
    c, s = abs(np.cos(yaw)), abs(np.sin(yaw))
    hx = float(c * thing.half[0] + s * thing.half[1])
    hy = float(s * thing.half[0] + c * thing.half[1])
    return x - hx, y - hy, x + hx, y + hy


def wall_pose(plan: Plan, wall: int, along: float, away: float) -> tuple[float, float, float]:
    """Return (x, y, yaw) of a thing that has its back to a wall.

    Args:
        plan: Floor plan.
        wall: 0 to 3: at -y, +x, +y, -x.
        along: Distance from the middle of the wall, metres.
        away: Distance of the thing's origin from the wall, metres.
    """
    yaw = (0.0, np.pi / 2, np.pi, -np.pi / 2)[wall]
    c, s = float(np.cos(yaw)), float(np.sin(yaw))
    out = plan.half[wall % 2 == 0] - away
    return c * along + s * out, s * along - c * out, yaw


def wall_width(plan: Plan, wall: int) -> float:
    """Return half the width of a wall in metres."""
    return plan.half[0] if wall % 2 == 0 else plan.half[1]


def place_at_wall(style: Style, plan: Plan, thing: Thing) -> bool:
    """Try to stand a thing with its back to some wall; return whether it found room."""
    for _ in range(TRIES):
        wall = int(style.rng.integers(4))
        reach = wall_width(plan, wall) - thing.half[0]
        if reach <= 0:
            continue
        away = thing.half[1] + style.between(0.05, 0.09)
        x, y, yaw = wall_pose(plan, wall, style.between(-reach, reach), away)
        if plan.fits(footprint(thing, x, y, yaw), 0.04):
            plan.put(thing, (x, y, 0.0), yaw)
            return True
    return False


def place_free(style: Style, plan: Plan, thing: Thing, gap: float = 0.12) -> Placed | None:
    """Try to stand a thing anywhere on the floor at any angle; return it if it found room."""
    for _ in range(TRIES):
        x = style.between(-1, 1) * (plan.half[0] - thing.half[0])
        y = style.between(-1, 1) * (plan.half[1] - thing.half[1])
        yaw = style.between(-np.pi, np.pi)
        if plan.fits(footprint(thing, x, y, yaw), gap):
            plan.put(thing, (x, y, 0.0), yaw)
            return plan.placed[-1]
    return None


def place_around(style: Style, plan: Plan, table: Placed, chairs: list[Thing]) -> None:
    """Push chairs to the sides of a table, facing it; those without room are left out."""
    c, s = np.cos(table.yaw), np.sin(table.yaw)
    hx, hy = table.thing.half
    under_table = footprint(table.thing, table.pos[0], table.pos[1], table.yaw)
    sides = [(0.0, -1.0, 0.0), (0.0, 1.0, np.pi), (-1.0, 0.0, -np.pi / 2), (1.0, 0.0, np.pi / 2)]
    for chair, index in zip(chairs, style.rng.permutation(4), strict=False):
        ax, ay, turned = sides[int(index)]
        pull = style.between(0.02, 0.3)
        lx = ax * (hx + pull) + (1 - abs(ax)) * style.between(-0.4, 0.4) * hx
        ly = ay * (hy + pull) + (1 - abs(ay)) * style.between(-0.4, 0.4) * hy
        x, y = table.pos[0] + c * lx - s * ly, table.pos[1] + s * lx + c * ly
        yaw = table.yaw + turned + style.between(-0.3, 0.3)
        others = [b for b in plan.blocked if b != under_table]
        if Plan(plan.half, plan.height, [], others, plan.kept_free).fits(
            footprint(chair, x, y, yaw), 0.0
        ):
            plan.put(chair, (float(x), float(y), 0.0), float(yaw))


def place_on(style: Style, plan: Plan, below: Placed, thing: Thing) -> None:
    """Stand a small thing on a table or cabinet."""
    if below.thing.support is None:
        return
    hx = max(0.0, below.thing.half[0] * 0.85 - thing.half[0])
    hy = max(0.0, below.thing.half[1] * 0.85 - thing.half[1])
    lx, ly = style.between(-hx, hx), style.between(-hy, hy)
    c, s = np.cos(below.yaw), np.sin(below.yaw)
    at = (float(below.pos[0] + c * lx - s * ly), float(below.pos[1] + s * lx + c * ly))
    yaw = style.between(-np.pi, np.pi)
    plan.put(thing, (*at, below.thing.support), yaw, blocks=False)
