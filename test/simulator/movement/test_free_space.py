"""Distances on the floor of a room."""

import numpy as np
import pytest

from mtshare_ros.simulator.layout import Plan
from mtshare_ros.simulator.movement.free_space import FreeSpace
from mtshare_ros.simulator.things.parts import Thing


def room():
    plan = Plan((3.0, 2.0), 2.5)
    plan.put(Thing("box", (0.5, 0.5), 1.0), (1.0, 0.0, 0.0), 0.0)
    return plan


def test_clearance_is_the_distance_to_the_nearest_wall_thing_or_disc():
    space = FreeSpace(room(), [])
    points = np.array([[-2.9, 0.0], [0.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    np.testing.assert_allclose(space.clearance(points), [0.1, 0.5, -0.5, 1.5], atol=1e-9)
    disc = np.array([[-1.0, 1.0, 0.4]])
    assert np.isclose(space.clearance_at(np.array([-1.0, 0.0]), disc), 0.6)


def test_what_moves_is_no_obstacle():
    plan = room()
    assert FreeSpace(plan, plan.placed).clearance_at(np.array([1.0, 0.0])) > 1.5


def test_the_push_leads_away_from_what_is_near():
    push = FreeSpace(room(), []).push(np.array([0.4, 0.0]))
    np.testing.assert_allclose(push, [-1.0, 0.0], atol=1e-6)


def test_the_grid_covers_the_floor_and_knows_how_free_each_point_is():
    space = FreeSpace(room(), [])
    assert np.abs(space.points).max(axis=0) == pytest.approx([2.85, 1.85], abs=0.1)
    np.testing.assert_array_equal(space.clearances, space.clearance(space.points))
    free = space.clearances[np.argmin(np.linalg.norm(space.points - [-1.0, 0.0], axis=1))]
    assert abs(free - 1.5) < 0.2


def test_the_push_leads_away_from_a_disc_in_any_direction():
    space = FreeSpace(Plan((3.0, 3.0), 2.5), [])
    for angle in np.arange(0.0, 6.0, 0.7):
        away = np.array([np.cos(angle), np.sin(angle)])
        push = space.push(0.6 * away, np.array([[0.0, 0.0, 0.3]]))
        np.testing.assert_allclose(push, away, atol=0.02)
