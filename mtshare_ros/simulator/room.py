"""A furnished room, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.seeds import textures_of
from mtshare_ros.simulator.layout import (
    Plan,
    place_around,
    place_at_wall,
    place_free,
    place_on,
    wall_pose,
    wall_width,
)
from mtshare_ros.simulator.things import props, seating, shell, storage
from mtshare_ros.simulator.things.parts import Thing, Vector
from mtshare_ros.simulator.things.style import Style


@dataclass(frozen=True)
class Light:
    """A lamp of the renderer: a wide spot light, metres and 0-1 colours."""

    pos: Vector
    direction: Vector
    rgb: Vector
    shadows: bool


@dataclass(frozen=True)
class Room:
    """A room as plain values, before MuJoCo sees it.

    Attributes:
        seed: What it was drawn from.
        pool: Texture pool: ``A``, ``B`` or ``mix``.
        plan: Floor plan with everything that stands in the room.
        textures: Images that looks refer to by index, each ``(n, n, 3)`` uint8 RGB.
        lights: Light sources.
        ambient: Light that comes from everywhere, 0-1.
    """

    seed: int
    pool: str
    plan: Plan
    textures: list[NDArray[np.uint8]]
    lights: list[Light]
    ambient: float


def make_room(seed: int, textures: str = "auto") -> Room:
    """Draw a furnished room.

    Args:
        seed: Decides everything; see ``seeds`` for the ranges.
        textures: ``auto`` for the pool of the seed's split, or ``A``, ``B`` or ``mix``.
    """
    pool = textures_of(seed, textures)
    style = Style(np.random.default_rng([seed, 0]), pool)
    half = (style.between(1.6, 4.0), style.between(1.6, 4.0))
    plan = Plan(half, style.between(2.35, 3.1))
    _build_shell(style, plan)
    _furnish_walls(style, plan)
    _furnish_middle(style, plan)
    lights = _light(style, plan)
    return Room(seed, pool, plan, style.textures, lights, style.between(0.3, 0.5))


def _build_shell(style: Style, plan: Plan) -> None:
    """Add floor, ceiling, walls, and doors and windows in them."""
    plan.put(shell.floor(style, plan.half), (0, 0, 0), 0.0, blocks=False)
    plan.put(shell.ceiling(style, plan.half, plan.height), (0, 0, 0), 0.0, blocks=False)
    look = shell.wall_look(style)
    for index in range(4):
        if style.chance(0.2):
            look = shell.wall_look(style)
        thing = shell.wall(style, wall_width(plan, index), plan.height, look)
        x, y, yaw = wall_pose(plan, index, 0.0, 0.0)
        plan.put(thing, (x, y, 0.0), yaw, blocks=False)
    taken: list[tuple[int, float, float]] = []
    for _ in range(int(style.rng.integers(1, 4))):
        _open_wall(style, plan, shell.door(style), taken, 0.6)
    for _ in range(int(style.rng.integers(2, 5))):
        _open_wall(style, plan, shell.window(style), taken, 0.0)


def _open_wall(
    style: Style, plan: Plan, thing: Thing, taken: list[tuple[int, float, float]], free: float
) -> None:
    """Set a door or window into a wall and keep ``free`` metres of floor before it clear."""
    for _ in range(12):
        wall = int(style.rng.integers(4))
        reach = wall_width(plan, wall) - thing.half[0] - 0.1
        if reach <= 0:
            continue
        along = style.between(-reach, reach)
        low, high = along - thing.half[0] - 0.15, along + thing.half[0] + 0.15
        if any(w == wall and low < b and a < high for w, a, b in taken):
            continue
        taken.append((wall, low, high))
        x, y, yaw = wall_pose(plan, wall, along, 0.005)
        plan.put(thing, (x, y, 0.0), yaw, blocks=False)
        if free > 0:
            fx, fy, _ = wall_pose(plan, wall, along, free / 2)
            across, out = (thing.half[0], free / 2)[:: 1 if wall % 2 == 0 else -1]
            plan.kept_free.append((fx - across, fy - out, fx + across, fy + out))
        return


def _count(style: Style, low: int, high: int) -> range:
    """Return a range of random length, both ends included."""
    return range(int(style.rng.integers(low, high + 1)))


def _furnish_walls(style: Style, plan: Plan) -> None:
    """Stand large furniture along the walls; what finds no room is left out."""
    large = [seating.sofa(style) for _ in _count(style, 1, 2)]
    large += [seating.bed(style) for _ in _count(style, 0, 2)]
    large += [storage.cabinet(style) for _ in _count(style, 1, 2)]
    large += [storage.shelf(style) for _ in _count(style, 1, 2)]
    large += [props.floor_lamp(style) for _ in _count(style, 0, 1)]
    large += [props.plant(style) for _ in _count(style, 1, 2)]
    for index in style.rng.permutation(len(large)):
        place_at_wall(style, plan, large[int(index)])


def _furnish_middle(style: Style, plan: Plan) -> None:
    """Stand tables with chairs, lamps, people and small things on the rest of the floor."""
    for _ in _count(style, 1, 3):
        table = place_free(style, plan, seating.table(style), gap=0.25)
        if table is not None:
            chairs = [seating.chair(style)] * int(style.rng.integers(1, 4))
            place_around(style, plan, table, chairs)
    free = [props.person(style) for _ in _count(style, 1, 2)]
    free += [seating.chair(style) for _ in _count(style, 0, 1)]
    free += [storage.box(style) for _ in _count(style, 1, 4)]
    free += [props.ball(style) for _ in _count(style, 1, 3)]
    free += [props.floor_lamp(style) for _ in _count(style, 0, 1)]
    free += [props.plant(style) for _ in _count(style, 0, 1)]
    for thing in free:
        place_free(style, plan, thing)
    small: list[Callable[[], Thing]] = [
        lambda: props.table_lamp(style),
        lambda: props.plant(style, small=True),
        lambda: storage.box(style, small=True),
        lambda: props.ball(style, small=True),
    ]
    for below in [p for p in plan.placed if p.thing.support is not None]:
        if style.chance(0.75):
            place_on(style, plan, below, small[int(style.rng.integers(len(small)))]())
    if style.chance(0.6):
        x, y = (style.between(-0.6, 0.6) * h for h in plan.half)
        plan.put(props.pendant(style, plan.height), (x, y, 0.0), 0.0, blocks=False)


def _light(style: Style, plan: Plan) -> list[Light]:
    """Return one light with shadows and up to two without, under the ceiling."""
    lights = []
    for index in range(1 + int(style.rng.integers(0, 3))):
        x, y = (style.between(-0.7, 0.7) * h for h in plan.half)
        strength = style.between(0.55, 0.85) if index == 0 else style.between(0.15, 0.35)
        tint = style.colour((0.05, 0.65), (0.0, 0.15), (1.0, 1.0))
        rgb = (strength * tint[0], strength * tint[1], strength * tint[2])
        aim = (-0.25 * x, -0.25 * y, -1.0)
        lights.append(Light((x, y, plan.height - 0.1), aim, rgb, shadows=index == 0))
    return lights
