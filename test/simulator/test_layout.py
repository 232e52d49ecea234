"""The floor plan: what fits where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtshare_ros.simulator.layout import (
    Placed,
    Plan,
    footprint,
    place_around,
    place_at_wall,
    place_free,
    place_on,
    wall_pose,
    wall_width,
)
from mtshare_ros.simulator.things.parts import Thing
from mtshare_ros.simulator.things.style import Style

CHAIR = Thing("chair", (0.2, 0.25), 0.9)


def style(seed=0):
    return Style(np.random.default_rng(seed), "A")


@given(st.floats(-7, 7), st.floats(0.1, 2), st.floats(0.1, 2))
def test_a_footprint_holds_the_corners_of_the_turned_thing(yaw, half_x, half_y):
    x0, y0, x1, y1 = footprint(Thing("box", (half_x, half_y), 1.0), 1.0, -2.0, yaw)
    c, s = np.cos(yaw), np.sin(yaw)
    for a in (-half_x, half_x):
        for b in (-half_y, half_y):
            x, y = 1.0 + c * a - s * b, -2.0 + s * a + c * b
            assert x0 - 1e-9 <= x <= x1 + 1e-9 and y0 - 1e-9 <= y <= y1 + 1e-9


@pytest.mark.parametrize("wall", range(4))
def test_what_has_its_back_to_a_wall_faces_the_room(wall):
    plan = Plan((3.0, 2.0), 2.5)
    x, y, yaw = wall_pose(plan, wall, 0.0, 0.3)
    # The front of a thing is its y axis.
    front = np.array([-np.sin(yaw), np.cos(yaw)])
    assert np.dot(front, [-x, -y]) > 0
    assert plan.clearance(x, y) == pytest.approx(0.3)


def test_things_never_stand_in_each_other():
    plan, chosen = Plan((2.0, 2.0), 2.5), style()
    for _ in range(20):
        place_free(chosen, plan, CHAIR)
        place_at_wall(chosen, plan, Thing("cabinet", (0.4, 0.2), 1.0))
    assert 5 < len(plan.blocked) < 40  # Those without room are left out.
    for n, (a0, b0, a1, b1) in enumerate(plan.blocked):
        for c0, d0, c1, d1 in plan.blocked[:n]:
            assert a1 <= c0 or c1 <= a0 or b1 <= d0 or d1 <= b0


def test_chairs_face_their_table():
    plan, chosen = Plan((3.0, 3.0), 2.5), style()
    table = place_free(chosen, plan, Thing("table", (0.6, 0.4), 0.75))
    assert table is not None
    place_around(chosen, plan, table, [CHAIR] * 4)
    chairs = [placed for placed in plan.placed if placed.thing is CHAIR]
    assert chairs
    for placed in chairs:
        front = np.array([-np.sin(placed.yaw), np.cos(placed.yaw)])
        away = np.array(table.pos[:2]) - placed.pos[:2]
        assert np.dot(front, away) > 0


def test_clearance_is_negative_inside_a_thing_and_the_distance_outside():
    plan = Plan((4.0, 3.0), 2.5)
    plan.put(Thing("box", (0.5, 1.0), 1.0), (1.0, 0.0, 0.0), 0.0)
    found = [plan.clearance(*point) for point in ((1.0, 0.0), (2.5, 0.0), (1.8, 1.4), (-3.9, 0))]
    assert found == pytest.approx([-0.5, 1.0, 0.5, 0.1])


@pytest.mark.parametrize(
    ("rectangle", "gap", "expected"),
    [
        ((-3.0, -2.0, -2.0, 2.0), 0.0, True),  # From wall to wall.
        ((-3.1, 0.0, -2.0, 1.0), 0.0, False),
        ((2.5, 1.5, 3.1, 1.8), 0.0, False),
        ((0.0, -2.1, 0.5, -1.0), 0.0, False),
        ((0.0, 1.5, 0.5, 2.1), 0.0, False),
        ((-0.5, 1.1, 0.5, 1.4), 0.05, True),  # A tenth of a metre beyond the box.
        ((-0.5, 1.1, 0.5, 1.4), 0.2, False),
        ((1.1, -0.5, 1.4, 0.5), 0.05, True),
        ((1.1, -0.5, 1.4, 0.5), 0.2, False),
        ((2.1, -1.9, 2.2, -1.8), 0.0, False),  # In front of the door.
    ],
)
def test_a_rectangle_fits_inside_the_room_clear_of_things_and_doors(rectangle, gap, expected):
    plan = Plan((3.0, 2.0), 2.5, kept_free=[(2.0, -2.0, 3.0, -1.0)])
    plan.put(Thing("box", (1.0, 1.0), 1.0), (0.0, 0.0, 0.0), 0.0)
    assert plan.fits(rectangle, gap) == expected


@pytest.mark.parametrize(
    ("wall", "expected"),
    [
        (0, (0.5, -1.7, 0.0)),
        (1, (2.7, 0.5, np.pi / 2)),
        (2, (-0.5, 1.7, np.pi)),
        (3, (-2.7, -0.5, -np.pi / 2)),
    ],
)
def test_along_a_wall_is_to_the_right_of_what_has_its_back_to_it(wall, expected):
    assert wall_pose(Plan((3.0, 2.0), 2.5), wall, 0.5, 0.3) == pytest.approx(expected)
    assert wall_width(Plan((3.0, 2.0), 2.5), wall) == (3.0, 2.0)[wall % 2]


def test_chairs_find_no_room_where_other_things_stand_around_the_table():
    plan = Plan((3.0, 3.0), 2.5)
    plan.put(Thing("table", (0.6, 0.4), 0.75), (0.0, 0.0, 0.0), 0.0)
    table = plan.placed[0]
    for x, y in ((1.2, 0.0), (-1.2, 0.0)):
        plan.put(Thing("shelf", (0.5, 1.4), 1.0), (x, y, 0.0), 0.0)
    for x, y in ((0.0, 1.0), (0.0, -1.0)):
        plan.put(Thing("shelf", (0.7, 0.5), 1.0), (x, y, 0.0), 0.0)
    place_around(style(), plan, table, [CHAIR] * 4)
    assert not [placed for placed in plan.placed if placed.thing is CHAIR]


def test_small_things_stand_on_what_carries_them_and_within_its_edge():
    table = Thing("table", (0.6, 0.3), 0.75, support=0.7)
    small, chosen = Thing("box", (0.1, 0.1), 0.2), style()
    for _ in range(20):
        plan = Plan((3.0, 3.0), 2.5)
        plan.put(table, (1.0, -0.5, 0.0), np.pi / 2)
        place_on(chosen, plan, plan.placed[0], small)
        placed = plan.placed[1]
        # The table is turned, so its long side runs along y.
        assert abs(placed.pos[0] - 1.0) <= 0.3 * 0.85 - 0.1 + 1e-9
        assert abs(placed.pos[1] + 0.5) <= 0.6 * 0.85 - 0.1 + 1e-9
        assert placed.pos[2] == 0.7 and len(plan.blocked) == 1
    place_on(chosen, plan, Placed(Thing("bed", (1, 1), 0.5), (0, 0, 0), 0.0), small)
    assert len(plan.placed) == 2  # Nothing stands on a bed.
