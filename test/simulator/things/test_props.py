"""Things that stand in a room: each is within its footprint, of one class, and no two alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mtshare_ros.simulator.things import parts, props, seating, storage
from mtshare_ros.simulator.things.parts import Thing
from mtshare_ros.simulator.things.style import Style
from mtshare_ros.tasks import ROOM_CLASSES

BUILDERS: dict[str, Callable[[Style], Thing]] = {
    "floor_lamp": props.floor_lamp,
    "table_lamp": props.table_lamp,
    "plant": props.plant,
    "ball": props.ball,
    "person": props.person,
    "chair": seating.chair,
    "sofa": seating.sofa,
    "bed": seating.bed,
    "table": seating.table,
    "cabinet": storage.cabinet,
    "shelf": storage.shelf,
    "box": storage.box,
}
LABELS = {"floor_lamp": "lamp", "table_lamp": "lamp"}


def made(name: str, seed: int, pool: str = "mix") -> Thing:
    return BUILDERS[name](Style(np.random.default_rng(seed), pool))


def reach(part: parts.Part) -> np.ndarray:
    """Return how far a part reaches from its centre along each axis, at most."""
    size = np.array(part.size)
    if part.shape in ("box", "ellipsoid"):
        extent = size
    else:  # Radius, and half of the length of a capsule or cylinder.
        extent = np.array([size[0], size[0], size[0] + size[1]])
    turned = part.quat != parts.UPRIGHT
    return np.full(3, np.linalg.norm(extent)) if turned else extent


@pytest.mark.parametrize("name", BUILDERS)
def test_a_thing_stands_on_the_floor_within_its_height_and_about_its_footprint(name: str) -> None:
    for seed in range(12):
        thing = made(name, seed)
        assert 0 < thing.height < 2.6 and min(thing.half) > 0.02
        for part in thing.parts:
            assert part.pos[2] + reach(part)[2] > 0 and part.pos[2] <= thing.height + 0.15
            # Its centre is over its footprint, whatever sticks out.
            assert abs(part.pos[0]) <= thing.half[0] + 0.12
            assert abs(part.pos[1]) <= thing.half[1] + 0.12


@pytest.mark.parametrize("name", BUILDERS)
def test_every_part_is_of_the_class_of_the_thing(name: str) -> None:
    thing = made(name, 3)
    assert {part.label for part in thing.parts} <= {item.name for item in ROOM_CLASSES}
    assert thing.label == LABELS.get(name, name)


@pytest.mark.parametrize("name", BUILDERS)
def test_the_same_seed_makes_the_same_thing_and_others_make_others(name: str) -> None:
    assert made(name, 5).parts == made(name, 5).parts
    assert len({repr(made(name, seed).parts) for seed in range(5)}) == 5


def test_people_balls_boxes_and_chairs_may_move_and_heavy_furniture_may_not() -> None:
    movable = {name for name in BUILDERS if made(name, 1).movable}
    assert movable == {"person", "ball", "box", "chair"}


def lowest(part: parts.Part) -> float:
    """Return the height of the lowest point of an upright part."""
    half = {"box": 2, "ellipsoid": 2, "sphere": 0, "cylinder": 1}[part.shape]
    return part.pos[2] - part.size[half]


@pytest.mark.parametrize("name", BUILDERS)
def test_a_thing_stands_on_the_floor_and_not_in_it(name: str) -> None:
    for seed in range(12):
        upright = [p for p in made(name, seed).parts if p.quat == parts.UPRIGHT]
        heights = [lowest(part) for part in upright if part.shape != "capsule"]
        assert min(heights, default=0.0) > -0.005


@pytest.mark.parametrize("name", ["ball", "cabinet", "sofa", "table", "box", "shelf"])
def test_a_thing_covers_its_footprint_and_little_more(name: str) -> None:
    for seed in range(20):
        thing = made(name, seed)
        for axis in (0, 1):
            ends = [abs(p.pos[axis]) + reach(p)[axis] for p in thing.parts if upright(p)]
            # What is too small makes things stand in each other.
            assert max(ends) < thing.half[axis] + 0.05


def upright(part: parts.Part) -> bool:
    return part.quat == parts.UPRIGHT


def test_a_ball_lies_on_the_floor_and_is_as_high_as_it_is_wide() -> None:
    for seed in range(8):
        ball = made("ball", seed)
        sphere = ball.parts[0]
        assert sphere.size[0] == sphere.pos[2] == ball.half[0] == ball.height / 2


def test_a_pendant_is_a_lamp_that_hangs_from_the_ceiling() -> None:
    for seed in range(8):
        lamp = props.pendant(Style(np.random.default_rng(seed), "mix"), 2.6)
        wire, shade = lamp.parts
        assert {lamp.label, wire.label, shade.label} == {"lamp"} and lamp.height == 2.6
        assert wire.pos[2] + wire.size[1] == pytest.approx(2.6)
        assert shade.pos[2] == pytest.approx(2.6 - 2 * wire.size[1]) and 1.7 < shade.pos[2] < 2.4
        assert shade.look.emission >= 0.75
