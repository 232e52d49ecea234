"""Builders of the room itself: floor, ceiling, walls, doors and windows.

Walls, doors and windows are in the frame of a wall: x along it, y into the room, z up.
"""

from __future__ import annotations

import numpy as np

from mtshare_ros.simulator.things.parts import Look, Thing, tilt
from mtshare_ros.simulator.things.style import Style

FACING_ROOM = tilt(-np.pi / 2)
"""Turns a plane, whose normal is z, to face along y."""

SEAM = 0.05
"""How far walls reach beyond the corners of the room, metres."""


def floor(style: Style, half: tuple[float, float]) -> Thing:
    """Return the floor plane, sometimes with a rug (which is floor as well)."""
    thing = Thing("floor", half, 0.0)
    brown = style.chance(0.6)
    rgb = style.colour((0.03, 0.12) if brown else (0.0, 1.0), (0.05, 0.55), (0.35, 0.9))
    look = style.textured("floor", rgb, shine=0.1, repeat=style.between(0.5, 1.2))
    thing.add("plane", (*half, 0.1), (0, 0, 0), look)
    if style.chance(0.4):
        size = (half[0] * style.between(0.25, 0.5), half[1] * style.between(0.25, 0.5), 0.006)
        at = (half[0] * style.between(-0.3, 0.3), half[1] * style.between(-0.3, 0.3), 0.006)
        thing.box(size, at, style.fabric())
    return thing


def ceiling(style: Style, half: tuple[float, float], height: float) -> Thing:
    """Return the ceiling plane at ``height`` metres: near white, sometimes tinted."""
    thing = Thing("ceiling", half, height)
    rgb = style.colour(saturation=(0.0, 0.15), value=(0.75, 1.0))
    look = style.textured("paint", rgb, shine=0.0, repeat=0.3)
    thing.add("plane", (*half, 0.1), (0, 0, height), look, tilt(np.pi))
    return thing


def wall_look(style: Style) -> Look:
    """Return the material of a wall: mostly pale, sometimes strong."""
    pale = style.chance(0.7)
    saturation, value = ((0.0, 0.3), (0.7, 1.0)) if pale else ((0.2, 0.7), (0.35, 0.9))
    rgb = style.colour(saturation=saturation, value=value)
    return style.textured("wall", rgb, shine=0.0, repeat=style.between(0.4, 1.0))


def wall(style: Style, width: float, height: float, look: Look) -> Thing:
    """Return a wall of half width ``width`` with a skirting board and perhaps pictures."""
    thing = Thing("wall", (width, 0.02), height)
    # Beyond its corners a wall is hidden by its neighbours; ending at them would leave a seam.
    size = (width + SEAM, height / 2 + SEAM, 0.1)
    thing.add("plane", size, (0, 0, height / 2), look, FACING_ROOM)
    if style.chance(0.6):
        board = style.plain(style.colour(saturation=(0.0, 0.4), value=(0.2, 1.0)))
        thing.box((width, 0.005, 0.045), (0, 0.005, 0.045), board)
    for _ in range(int(style.rng.integers(0, 3))):
        at = (style.between(-0.8, 0.8) * width, 0.012, style.between(1.3, 1.8))
        x, z = style.between(0.12, 0.4), style.between(0.12, 0.3)
        thing.box((x, 0.012, z), at, style.metal())
        thing.box((x - 0.03, 0.014, z - 0.03), at, style.paint())
    return thing


def door(style: Style) -> Thing:
    """Return a closed door: frame, leaf with panels, handle; held out: a glazed leaf."""
    x, z = style.between(0.38, 0.5), style.between(1.95, 2.15)
    thing = Thing("door", (x + 0.08, 0.05), z + 0.07)
    frame, leaf, grip = style.wood(), style.wood(), style.metal()
    for side in (-1, 1):
        thing.box((0.04, 0.035, z / 2 + 0.035), (side * (x + 0.04), 0.0, z / 2 + 0.035), frame)
    thing.box((x, 0.035, 0.04), (0, 0.0, z + 0.035), frame)
    thing.box((x, 0.015, z / 2), (0, 0.0, z / 2), leaf)
    inlay = leaf if style.chance(0.5) else style.wood()
    rows = int(style.rng.choice([0, 2, 3]))
    for row in range(rows):
        high = (z - 0.2) / rows / 2 - 0.05
        at = 0.15 + (z - 0.2) / rows * (row + 0.5)
        thing.box((x - 0.12, 0.024, high), (0, 0.0, at), inlay)
    if style.held_out():
        glass = style.plain((0.75, 0.85, 0.9), shine=0.9, emission=0.15)
        thing.box((x * 0.4, 0.026, z * 0.3), (0, 0.0, z * 0.6), glass)
    side = style.rng.choice([-1, 1]) * (x - 0.07)
    thing.box((0.02, 0.02, 0.08), (side, 0.02, 1.0), grip)
    thing.limb((side, 0.055, 1.02), (side * 0.72, 0.055, 1.02), 0.012, grip)
    return thing


def window(style: Style) -> Thing:
    """Return a window: frame, bars, a bright bluish pane, sometimes curtains or a blind."""
    x, z = style.between(0.35, 0.9), style.between(0.4, 0.75)
    low = style.between(0.5, 0.95)
    middle = low + z
    thing = Thing("window", (x + 0.06, 0.05), middle + z)
    rgb = style.colour((0.52, 0.62), (0.08, 0.5), (0.75, 1.0))
    pane = style.plain(rgb, emission=style.between(0.7, 1.0))
    thing.box((x, 0.01, z), (0, 0.0, middle), pane)
    ground = style.plain(style.colour((0.2, 0.4), (0.1, 0.5), (0.5, 0.8)), emission=0.7)
    horizon = style.between(0.05, 0.4)
    thing.box((x, 0.011, z * horizon), (0, 0.0, low + z * horizon), ground)
    frame = style.wood() if style.chance(0.4) else style.plain((0.92, 0.92, 0.9))
    for side in (-1, 1):
        thing.box((0.035, 0.04, z + 0.035), (side * x, 0.0, middle), frame)
        thing.box((x, 0.04, 0.035), (0, 0.0, middle + side * z), frame)
    if style.chance(0.7):
        thing.box((0.02, 0.03, z), (0, 0.0, middle), frame)
    if style.chance(0.5):
        thing.box((x, 0.03, 0.018), (0, 0.0, middle + z * style.between(0.0, 0.4)), frame)
    if style.chance(0.3):
        cloth = style.fabric()
        for side in (-1, 1):
            thing.box((0.13, 0.03, z + 0.12), (side * (x + 0.05), 0.05, middle + 0.04), cloth)
    elif style.held_out():
        blind = style.plain((0.85, 0.82, 0.75))
        for slat in range(8):
            thing.box((x, 0.035, 0.014), (0, 0.0, middle + z - 0.06 - 0.07 * slat), blind)
    return thing
