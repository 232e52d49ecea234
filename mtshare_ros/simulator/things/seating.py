"""Builders of what one sits or lies on, and of tables. Front towards +y, origin on the floor."""

from __future__ import annotations

from mtshare_ros.simulator.things.parts import Look, Thing
from mtshare_ros.simulator.things.style import Style


def _legs(
    thing: Thing, x: float, y: float, top: float, radius: float, look: Look, square: bool
) -> None:
    """Add four legs at (+-x, +-y) from the floor to ``top``, metres."""
    for sx in (-x, x):
        for sy in (-y, y):
            size = (radius, radius, top / 2) if square else (radius, top / 2, 0.0)
            thing.add("box" if square else "cylinder", size, (sx, sy, top / 2), look)


def chair(style: Style) -> Thing:
    """Return a chair: a seat at 0.45 m, a back, and legs; held out: office chair, armrests."""
    seat_z, half = style.between(0.42, 0.5), style.between(0.19, 0.25)
    back = style.between(0.35, 0.55)
    thing = Thing("chair", (half + 0.03, half + 0.03), seat_z + back, movable=True)
    frame = style.wood() if style.chance(0.6) else style.metal()
    cover = style.fabric() if style.chance(0.5) else frame

    def four_legs() -> None:
        apart, radius = half - 0.03, style.between(0.014, 0.028)
        _legs(thing, apart, apart, seat_z, radius, frame, square=style.chance(0.6))

    def pedestal() -> None:
        thing.limb((0, 0, 0.06), (0, 0, seat_z), 0.035, frame, "cylinder")
        for end in ((-half, 0, 0.04), (half, 0, 0.04), (0, -half, 0.04), (0, half, 0.04)):
            thing.limb((0, 0, 0.08), end, 0.025, frame)

    def cantilever() -> None:
        for x in (-half + 0.03, half - 0.03):
            thing.limb((x, -half, 0.02), (x, half, 0.02), 0.018, frame)
            thing.limb((x, half, 0.02), (x, half, seat_z), 0.018, frame)
            thing.limb((x, 0, seat_z), (x, half * 0.6, seat_z + 0.2), 0.018, frame)

    style.variant([four_legs], [pedestal, cantilever])
    thing.box((half, half, 0.025), (0, 0, seat_z), cover)

    def panel() -> None:
        thing.box((half, 0.018, back / 2), (0, -half, seat_z + back / 2), cover)

    def slats() -> None:
        for x in (-half + 0.02, half - 0.02):
            thing.box((0.02, 0.018, back / 2), (x, -half, seat_z + back / 2), frame)
        for step in (0.4, 0.7, 1.0):
            thing.box((half, 0.012, 0.035), (0, -half, seat_z + back * step - 0.03), frame)

    def oval() -> None:
        thing.add("ellipsoid", (half, 0.03, back / 2), (0, -half, seat_z + back * 0.6), cover)

    style.variant([panel, slats], [oval])
    return thing


def sofa(style: Style) -> Thing:
    """Return a sofa of one to three seats: base, back, arms and cushions; held out: corner."""
    seats = int(style.rng.choice([1, 2, 2, 3]))
    x, y = 0.16 + 0.3 * seats, style.between(0.38, 0.46)
    seat_z, top = style.between(0.36, 0.44), style.between(0.7, 0.95)
    thing = Thing("sofa", (x, y), top)
    cover, accent = style.fabric(), style.fabric()
    arm = style.between(0.07, 0.12)
    thing.box((x, y, seat_z / 2 - 0.06), (0, 0, seat_z / 2), cover)
    thing.box((x, 0.1, top / 2 - 0.03), (0, -y + 0.1, top / 2 + 0.03), cover)
    arm_z = seat_z + style.between(0.12, 0.22)
    for sx in (-x + arm, x - arm):
        if style.held_out():
            thing.limb((sx, -y + arm, arm_z), (sx, y - arm, arm_z), arm, cover)
        thing.box((arm, y, arm_z / 2), (sx, 0, arm_z / 2 + 0.03), cover)
    inner = (x - 2 * arm) / seats
    for seat in range(seats):
        sx = -x + 2 * arm + inner * (2 * seat + 1)
        thing.box((inner - 0.01, y - 0.12, 0.07), (sx, 0.08, seat_z), cover)
        if style.chance(0.6):
            pillow = (min(0.2, inner - 0.03), 0.07, 0.17)
            thing.add("ellipsoid", pillow, (sx, -y + 0.28, seat_z + 0.22), accent)
    if style.held_out() and seats > 1:
        thing.box((0.34, 0.3, seat_z / 2), (x - 0.34, y + 0.28, seat_z / 2 + 0.02), cover)
        thing.half = (x, y + 0.56)
    return thing


def bed(style: Style) -> Thing:
    """Return a bed, its head at -y: frame, mattress, pillows, blanket; held out: posts."""
    x, y = float(style.rng.choice([0.48, 0.7, 0.85])), style.between(0.98, 1.05)
    height = style.between(0.28, 0.45)
    thing = Thing("bed", (x, y), style.between(0.75, 1.1))
    frame, blanket = style.wood(), style.fabric()
    linen = style.plain(style.colour(saturation=(0.0, 0.15), value=(0.8, 1.0)))
    thing.box((x, y, 0.07), (0, 0, height - 0.12), frame)
    for sx in (-x + 0.05, x - 0.05):
        for sy in (-y + 0.05, y - 0.05):
            thing.box((0.035, 0.035, height / 2 - 0.06), (sx, sy, height / 2 - 0.06), frame)
    thing.box((x - 0.03, y - 0.03, 0.1), (0, 0, height + 0.03), linen)
    thing.box((x, 0.03, thing.height / 2), (0, -y, thing.height / 2), frame)
    cover = style.between(0.5, 0.72) * y
    thing.box((x + 0.01, cover, 0.11), (0, y - cover, height + 0.04), blanket)
    for sx in (-x / 2, x / 2) if x > 0.5 else (0.0,):
        thing.add(
            "ellipsoid",
            (min(0.33, x * 0.5), 0.2, 0.09),
            (sx, -y + 0.3, height + 0.19),
            linen if style.chance(0.7) else style.fabric(),
        )
    if style.held_out():
        for sx in (-x, x):
            for sy in (-y, y):
                thing.limb((sx, sy, 0), (sx, sy, 1.9), 0.03, frame, "cylinder")
        thing.height = 1.9
    return thing


def table(style: Style) -> Thing:
    """Return a dining table, desk or low table; held out: trestles, or a solid plinth."""
    low = style.chance(0.3)
    z = style.between(0.38, 0.5) if low else style.between(0.68, 0.8)
    x, y = style.between(0.35, 0.9), style.between(0.3, 0.5)
    top = style.wood() if style.chance(0.8) else style.plain(style.colour(), shine=0.7)
    frame = top if style.chance(0.6) else style.metal()
    thing = Thing("table", (x, y), z, support=z, movable=False)
    round_top = style.chance(0.3)
    if round_top:
        radius = min(x, 0.6)
        thing.half = (radius, radius)
        thing.add("cylinder", (radius, 0.02, 0.0), (0, 0, z - 0.02), top)
    else:
        thing.box((x, y, style.between(0.015, 0.03)), (0, 0, z - 0.03), top)
    hx, hy = thing.half

    def four_legs() -> None:
        inset = 0.72 if round_top else 1.0
        along, across = (hx - 0.05) * inset * 0.95, (hy - 0.05) * inset * 0.95
        radius = style.between(0.02, 0.04)
        _legs(thing, along, across, z - 0.05, radius, frame, square=style.chance(0.6))

    def pedestal() -> None:
        thing.limb((0, 0, 0.03), (0, 0, z - 0.04), 0.05, frame, "cylinder")
        thing.add("cylinder", (min(hx, hy) * 0.6, 0.02, 0.0), (0, 0, 0.02), frame)

    def trestles() -> None:
        for sx in (-hx * 0.7, hx * 0.7):
            for sy in (-hy * 0.8, hy * 0.8):
                thing.limb((sx, sy, 0.02), (sx, -sy * 0.3, z - 0.06), 0.022, frame)

    def plinth() -> None:
        thing.box((hx * 0.45, hy * 0.45, z / 2 - 0.03), (0, 0, z / 2 - 0.03), frame)

    style.variant(
        [four_legs, four_legs, pedestal] if round_top else [four_legs], [trestles, plinth]
    )
    return thing
