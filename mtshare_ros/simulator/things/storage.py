"""Builders of cabinets, shelves and boxes. Front towards +y, origin on the floor."""

from __future__ import annotations

from mtshare_ros.simulator.things.parts import Thing
from mtshare_ros.simulator.things.style import Style


def cabinet(style: Style) -> Thing:
    """Return a cabinet or chest of drawers: body, fronts with gaps, and handles."""
    tall = style.chance(0.45)
    z = style.between(1.5, 2.1) if tall else style.between(0.6, 1.1)
    x, y = style.between(0.35, 0.75), style.between(0.2, 0.32)
    thing = Thing("cabinet", (x, y + 0.03), z, support=None if tall else z)
    body, front, grip = style.wood(), style.wood(), style.metal()
    front = body if style.chance(0.5) else front
    thing.box((x, y, z / 2 - 0.02), (0, 0, z / 2 + 0.02), body)
    columns = 1 if x < 0.4 else 2
    rows = int(style.rng.integers(1, 3)) if tall else int(style.rng.integers(1, 5))
    width, height = x / columns, (z - 0.08) / rows / 2
    for column in range(columns):
        for row in range(rows):
            sx = -x + width * (2 * column + 1)
            sz = 0.06 + height * (2 * row + 1)
            thing.box((width - 0.012, 0.012, height - 0.012), (sx, y + 0.008, sz), front)
            if style.held_out():
                thing.add("sphere", (0.025, 0, 0), (sx, y + 0.035, sz), grip)
            elif height > 0.25:
                side = width - 0.06 if column == 0 else 0.06 - width
                thing.box((0.01, 0.012, 0.08), (sx + side, y + 0.03, sz), grip)
            else:
                thing.box((0.07, 0.012, 0.01), (sx, y + 0.03, sz), grip)
    return thing


def shelf(style: Style) -> Thing:
    """Return an open shelf with boards and books; held out: a ladder-like rack, round jars."""
    x, y = style.between(0.3, 0.6), style.between(0.13, 0.19)
    levels = int(style.rng.integers(3, 6))
    z = levels * style.between(0.32, 0.4)
    thing = Thing("shelf", (x, y), z)
    frame = style.wood() if style.chance(0.75) else style.metal()
    if style.held_out():
        for sx in (-x, x):
            for sy in (-y, y):
                thing.limb((sx, sy, 0), (sx, sy, z), 0.018, frame, "cylinder")
    else:
        for sx in (-x, x):
            thing.box((0.015, y, z / 2), (sx, 0, z / 2), frame)
        if style.chance(0.5):
            thing.box((x, 0.008, z / 2), (0, -y, z / 2), frame)
    step = (z - 0.08) / levels
    for level in range(levels + 1):
        thing.box((x, y, 0.012), (0, 0, 0.06 + level * step), frame)
        if level < levels:
            _fill(style, thing, x - 0.03, y, 0.072 + level * step, step - 0.05)
    return thing


def _fill(style: Style, thing: Thing, x: float, y: float, z: float, room: float) -> None:
    """Put books or jars on a board: half width ``x``, at height ``z``, ``room`` metres high."""
    at = -x + 0.02
    end = x * style.between(0.2, 1.0)
    while at < end and len(thing.parts) < 34:
        look = style.plain(style.colour(), shine=0.2)
        if style.held_out() or style.chance(0.15):
            radius, tall = style.between(0.035, 0.06), room * style.between(0.4, 0.8)
            thing.add("cylinder", (radius, tall / 2, 0), (at + radius, 0, z + tall / 2), look)
            at += 2 * radius + 0.02
            continue
        wide, tall = style.between(0.02, 0.07), room * style.between(0.55, 0.95)
        thing.box((wide, y * 0.75, tall / 2), (at + wide, 0.01, z + tall / 2), look)
        at += 2 * wide + style.between(0.003, 0.05)


def box(style: Style, small: bool = False) -> Thing:
    """Return a cardboard or plastic box with tape or a lid; held out: open flaps."""
    low, high = (0.06, 0.14) if small else (0.12, 0.3)
    x, y, z = (style.between(low, high) for _ in range(3))
    thing = Thing("box", (x, y), 2 * z, movable=True)
    cardboard = style.chance(0.6)
    if cardboard:
        rgb = style.colour((0.07, 0.11), (0.35, 0.6), (0.55, 0.85))
        look = style.textured("paint", rgb, shine=0.0)
    else:
        look = style.paint()
    thing.box((x, y, z), (0, 0, z), look)
    if style.held_out():
        for side in (-1, 1):
            thing.box((0.005, y, z * 0.35), (side * x, 0, 2 * z + z * 0.3), look)
    elif cardboard:
        tape = style.plain((0.8, 0.72, 0.5), shine=0.4)
        thing.box((0.03, y + 0.003, z + 0.003), (0, 0, z), tape)
    else:
        thing.box((x + 0.012, y + 0.012, 0.025), (0, 0, 2 * z), style.paint())
    return thing
