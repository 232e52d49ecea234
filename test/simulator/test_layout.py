"""The floor plan: what fits where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtshare_ros.simulator.layout import (
    Plan,
    footprint,
    place_around,
    place_at_wall,
    place_free,
    wall_pose,
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
