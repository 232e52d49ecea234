"""Rooms that are drawn from a seed: what stands where."""

import numpy as np
import pytest

from mtshare_ros.simulator import room as rooms
from mtshare_ros.simulator.layout import footprint
from mtshare_ros.simulator.room import make_room
from mtshare_ros.simulator.things.style import Style

SEEDS = range(200_000, 200_012)


@pytest.fixture(scope="module")
def made():
    return [make_room(seed) for seed in SEEDS]


def test_a_seed_decides_the_room_and_textures_may_be_asked_for(made):
    assert make_room(SEEDS[0]).plan == made[0].plan
    assert len({repr(room.plan.half) for room in made}) == len(made)
    assert made[0].pool == "mix" and make_room(SEEDS[0], "B").pool == "B"
    assert make_room(5).pool == "A"


def test_the_floor_before_each_door_is_kept_free(made):
    for room in made:
        doors = [placed for placed in room.plan.placed if placed.thing.label == "door"]
        assert 1 <= len(doors) == len(room.plan.kept_free)
        for door, free in zip(doors, room.plan.kept_free, strict=True):
            front = np.array([-np.sin(door.yaw), np.cos(door.yaw)])
            along = np.array([np.cos(door.yaw), np.sin(door.yaw)])
            middle = np.array([free[0] + free[2], free[1] + free[3]]) / 2
            away = middle - door.pos[:2]
            assert away @ front == pytest.approx(0.3, abs=0.01)
            assert abs(away @ along) < 1e-9
            size = np.abs(np.array([free[2] - free[0], free[3] - free[1]]))
            assert size @ np.abs(front) == pytest.approx(0.6)
            assert size @ np.abs(along) == pytest.approx(2 * door.thing.half[0])
            for x0, y0, x1, y1 in room.plan.blocked:
                assert x1 <= free[0] or free[2] <= x0 or y1 <= free[1] or free[3] <= y0


def test_doors_and_windows_do_not_overlap(made):
    for room in made:
        openings = [p for p in room.plan.placed if p.thing.label in ("door", "window")]
        boxes = [footprint(p.thing, p.pos[0], p.pos[1], p.yaw) for p in openings]
        for n, (a0, b0, a1, b1) in enumerate(boxes):
            for (c0, d0, c1, d1), other in zip(boxes[:n], openings[:n], strict=True):
                if abs(other.yaw - openings[n].yaw) < 1e-6:
                    assert a1 < c0 or c1 < a0 or b1 < d0 or d1 < b0


def test_the_first_of_up_to_three_lamps_casts_shadows_from_under_the_ceiling(made):
    assert {len(room.lights) for room in made} == {1, 2, 3}
    for room in made:
        first, *others = room.lights
        assert first.shadows and not any(light.shadows for light in others)
        for light in room.lights:
            assert light.pos[2] == pytest.approx(room.plan.height - 0.1)
            assert light.direction[2] < 0
            assert max(light.rgb) <= max(first.rgb)


def test_a_random_count_has_both_its_ends():
    style = Style(np.random.default_rng(0), "A")
    assert {len(rooms._count(style, 1, 3)) for _ in range(60)} == {1, 2, 3}
