"""Builders of lamps, plants, balls and people. Origin on the floor."""

from __future__ import annotations

import numpy as np

from mtshare_ros.simulator.things.parts import Look, Thing
from mtshare_ros.simulator.things.style import Style


def _glow(style: Style) -> Look:
    """Return the look of a lit lampshade: warm to cold white, shining by itself."""
    rgb = style.colour((0.07, 0.16), (0.02, 0.35), (0.95, 1.0))
    return style.plain(rgb, emission=style.between(0.75, 1.0))


def floor_lamp(style: Style) -> Thing:
    """Return a lamp on a pole with a bright shade; held out: an arc with a globe."""
    z = style.between(1.1, 1.7)
    return _lamp(style, z, style.between(0.13, 0.22), 0.15)


def table_lamp(style: Style) -> Thing:
    """Return a small lamp to stand on a table."""
    return _lamp(style, style.between(0.32, 0.5), style.between(0.09, 0.14), 0.07)


def _lamp(style: Style, z: float, shade: float, foot: float) -> Thing:
    """Return foot, pole and shade; ``z`` height, ``shade`` and ``foot`` radii, metres."""
    thing = Thing("lamp", (max(shade, foot),) * 2, z)
    metal, glow = style.metal(), _glow(style)
    thing.add("cylinder", (foot, 0.015, 0), (0, 0, 0.015), metal)
    thing.limb((0, 0, 0.02), (0, 0, z - shade), 0.014, metal, "cylinder")

    def drum() -> None:
        thing.add("cylinder", (shade, shade * 0.75, 0), (0, 0, z - shade * 0.7), glow)

    def globe() -> None:
        thing.add("sphere", (shade * 0.8, 0, 0), (0, 0, z - shade * 0.7), glow)

    def lantern() -> None:
        thing.box((shade * 0.7, shade * 0.7, shade), (0, 0, z - shade), glow)

    style.variant([drum, drum, globe], [lantern])
    return thing


def pendant(style: Style, ceiling: float) -> Thing:
    """Return a lamp that hangs from the ceiling (``ceiling``: metres above the floor)."""
    thing = Thing("lamp", (0.25, 0.25), ceiling)
    drop, radius = style.between(0.25, 0.8), style.between(0.14, 0.25)
    glow = _glow(style)
    thing.limb((0, 0, ceiling), (0, 0, ceiling - drop), 0.01, style.metal(), "cylinder")

    def dome() -> None:
        thing.add("ellipsoid", (radius, radius, radius * 0.6), (0, 0, ceiling - drop), glow)

    def drum() -> None:
        thing.add("cylinder", (radius, radius * 0.5, 0), (0, 0, ceiling - drop), glow)

    def bar() -> None:
        thing.box((radius * 1.6, 0.05, 0.04), (0, 0, ceiling - drop), glow)

    style.variant([dome, drum], [bar])
    return thing


def plant(style: Style, small: bool = False) -> Thing:
    """Return a potted plant: bush or long leaves; held out: cactus or ball on a stem."""
    scale = style.between(0.35, 0.5) if small else style.between(0.8, 1.6)
    pot_r, pot_z = scale * style.between(0.13, 0.2), scale * style.between(0.2, 0.3)
    thing = Thing("plant", (scale * 0.3, scale * 0.3), scale)
    pot = style.plain(style.colour((0.0, 0.12), (0.0, 0.7), (0.4, 0.95)), shine=0.3)
    thing.add("cylinder", (pot_r, pot_z / 2, 0), (0, 0, pot_z / 2), pot)

    def leaf() -> Look:
        return style.plain(style.colour((0.22, 0.42), (0.4, 0.9), (0.2, 0.7)))

    def bush() -> None:
        stem = style.plain((0.3, 0.2, 0.1))
        thing.limb((0, 0, pot_z), (0, 0, scale * 0.75), scale * 0.025, stem, "cylinder")
        for _ in range(int(style.rng.integers(6, 11))):
            angle, out = style.between(0, 2 * np.pi), style.between(0, 0.17) * scale
            size = (scale * style.between(0.08, 0.16),) * 2 + (scale * style.between(0.08, 0.2),)
            at = (
                out * np.cos(angle),
                out * np.sin(angle),
                pot_z + scale * style.between(0.1, 0.62),
            )
            thing.add("ellipsoid", size, at, leaf())

    def leaves() -> None:
        for index in range(int(style.rng.integers(6, 11))):
            angle = 2.4 * index + style.between(0, 0.5)
            out, up = style.between(0.12, 0.3) * scale, style.between(0.3, 0.75) * scale
            end = (out * np.cos(angle), out * np.sin(angle), pot_z + up)
            thing.limb((0, 0, pot_z - 0.02), end, scale * style.between(0.015, 0.04), leaf())

    def cactus() -> None:
        look = leaf()
        thing.limb((0, 0, pot_z), (0, 0, scale * 0.9), scale * 0.08, look)
        for side in (-1, 1):
            z = pot_z + scale * style.between(0.15, 0.35)
            elbow = (side * scale * 0.2, 0, z)
            thing.limb((0, 0, z), elbow, scale * 0.05, look)
            thing.limb(elbow, (elbow[0], 0, z + scale * 0.22), scale * 0.05, look)

    def topiary() -> None:
        thing.limb((0, 0, pot_z), (0, 0, scale * 0.7), scale * 0.025, pot)
        thing.add("sphere", (scale * 0.22, 0, 0), (0, 0, scale * 0.78), leaf())

    style.variant([bush, leaves], [cactus, topiary])
    return thing


def ball(style: Style, small: bool = False) -> Thing:
    """Return a ball with a band or spots."""
    radius = style.between(0.05, 0.09) if small else style.between(0.09, 0.2)
    thing = Thing("ball", (radius, radius), 2 * radius, movable=True)
    rgb = style.colour(saturation=(0.4, 1.0), value=(0.45, 1.0))
    look = style.textured("fabric", rgb, shine=0.5) if style.chance(0.5) else style.plain(rgb, 0.6)
    thing.add("sphere", (radius, 0, 0), (0, 0, radius), look)
    if style.chance(0.5):
        band = style.plain(style.colour(value=(0.5, 1.0)), shine=0.4)
        thing.add("cylinder", (radius * 1.003, radius * 0.2, 0), (0, 0, radius), band)
    return thing


def person(style: Style) -> Thing:
    """Return a standing or walking person; held out: raised arms, a skirt or a hat."""
    h = style.between(1.5, 1.9)
    thing = Thing("person", (0.26, 0.26), h, movable=True)
    skin = style.plain(style.colour((0.03, 0.08), (0.25, 0.6), (0.35, 0.95)))
    shirt, trousers = style.fabric(), style.fabric()
    hair = style.plain(style.colour((0.02, 0.12), (0.1, 0.7), (0.05, 0.7)))
    shoe = style.plain(style.colour(saturation=(0.0, 0.4), value=(0.05, 0.6)))
    hip, shoulder, stride = 0.5 * h, 0.81 * h, style.between(-0.22, 0.22)
    for side in (-1, 1):
        foot = (side * 0.09, side * stride, 0.05)
        knee = (side * 0.095, side * stride * 0.4 + 0.03, 0.27 * h)
        thing.limb((side * 0.09, 0, hip), knee, 0.075, trousers)
        thing.limb(knee, (foot[0], foot[1], 0.09), 0.055, trousers)
        thing.add("ellipsoid", (0.045, 0.12, 0.045), (foot[0], foot[1] + 0.05, 0.045), shoe)
    thing.add("ellipsoid", (0.16, 0.11, 0.1), (0, 0, hip + 0.03), trousers)
    thing.limb((0, 0, hip + 0.12), (0, 0, shoulder - 0.09), 0.145, shirt)
    thing.limb((-0.12, 0, shoulder - 0.03), (0.12, 0, shoulder - 0.03), 0.075, shirt)
    raised = style.held_out() and style.chance(0.5)
    for side in (-1, 1):
        elbow = (side * 0.26, -side * stride * 0.5, shoulder - (0.0 if raised else 0.27))
        reach = style.between(0.0, 0.25)
        hand = (side * 0.25, elbow[1] + reach, elbow[2] + (0.25 if raised else reach - 0.25))
        thing.limb((side * 0.19, 0, shoulder - 0.03), elbow, 0.05, shirt)
        thing.limb(elbow, hand, 0.038, shirt if style.chance(0.5) else skin)
        thing.add("sphere", (0.045, 0, 0), hand, skin)
    thing.limb((0, 0, shoulder), (0, 0, shoulder + 0.1), 0.05, skin)
    thing.add("ellipsoid", (0.085, 0.1, 0.12), (0, 0.01, h - 0.12), skin)
    thing.add("ellipsoid", (0.093, 0.1, 0.1), (0, -0.02, h - 0.09), hair)
    if style.held_out():
        thing.add("cylinder", (0.17, 0.012, 0), (0, 0, h - 0.05), shirt)
    return thing
