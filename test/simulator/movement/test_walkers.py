"""Walkers go to goals around what is in their way; rollers roll, bounce and stop."""

import numpy as np
import pytest

from mtshare_ros.simulator.layout import Plan
from mtshare_ros.simulator.movement.free_space import NOBODY, FreeSpace
from mtshare_ros.simulator.movement.walkers import STEP, Roller, Walker
from mtshare_ros.simulator.things.parts import Thing


def space():
    plan = Plan((3.0, 2.0), 2.5)
    plan.put(Thing("box", (0.3, 0.9), 1.0), (0.0, 0.0, 0.0), 0.0)
    return FreeSpace(plan, [])


def walker(goal, **changes):
    settings = {"speed": 0.8, "turn_rate": 2.0, "longest_rest": 5, "radius": 0.3} | changes
    return Walker(
        np.random.default_rng(0), space(), np.array([-2.0, 0.0]), 0.0, goal=goal, **settings
    )


def test_a_walker_goes_from_goal_to_goal_and_touches_nothing():
    goals = np.random.default_rng(2)
    one = walker(lambda: goals.uniform((-2.5, -1.5), (-0.9, 1.5)))
    places = []
    for _ in range(900):
        one.step(NOBODY)
        places.append(one.at.copy())
        assert space().clearance_at(one.at) > 0.25 and one.pace <= 0.8 + 1e-9
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert steps.sum() > 3.0 and steps.max() <= 0.8 * STEP + 1e-9
    assert (steps < 1e-6).any()  # It rests at its goals.


def test_a_walker_waits_for_who_stands_in_its_way():
    one = walker(lambda: np.array([-2.0, 0.0]))
    somebody = np.array([[-1.2, 0.0, 0.3]])
    for _ in range(60):
        one.step(somebody)
        assert np.linalg.norm(one.at - somebody[0, :2]) > 0.5


def test_a_roller_stops_is_pushed_again_and_stays_in_the_room():
    ball = Roller(
        np.random.default_rng(1),
        space(),
        np.array([-2.0, 0.0]),
        radius=0.1,
        goal=lambda: np.array([2.5, 0.0]),
        speed=1.5,
        friction=1.0,
    )
    speeds = []
    for _ in range(900):
        ball.step(NOBODY)
        speeds.append(float(np.linalg.norm(ball.moved)) / STEP)
        assert space().clearance_at(ball.at) > 0.05
    assert max(speeds) > 0.5 and min(speeds) == 0.0


def empty():
    return FreeSpace(Plan((9.0, 9.0), 2.5), [])


def test_a_walker_speeds_up_and_slows_down_like_a_person():
    one = walker(lambda: np.array([-2.0, 1.4]), longest_rest=0)
    paces = [0.0]
    for _ in range(300):
        one.step(NOBODY)
        paces.append(one.pace)
    change = np.diff(paces) / STEP
    assert change.max() == pytest.approx(1.0) and change.min() >= -1.5 - 1e-9


def test_a_walker_that_would_touch_something_stands_still():
    one = walker(lambda: np.array([2.0, 0.0]))
    one.pace, before = 0.8, one.at.copy()
    one._decide = lambda discs: (0.8, 0.0)
    one.step(np.array([[-1.69, 0.0, 0.0]]))
    assert one.pace == 0.0 and one.at.tolist() == before.tolist()


def test_a_walker_turns_the_short_way_round():
    one = Walker(
        np.random.default_rng(0), empty(), np.zeros(2), 3.0, 0.3,
        lambda: np.array([-4.0, -1.0]), 0.8, 2.0, 0,
    )  # fmt: skip
    for _ in range(20):
        one.step(NOBODY)
    assert 3.0 < one.heading < 4.0


def test_a_walker_that_can_not_get_on_looks_for_another_goal():
    asked = []

    def goal():
        asked.append(None)
        return np.array([-2.0, 1.4])

    one = walker(goal)
    one._target = np.array([2.0, 0.0])
    closed = np.array([[-2.0 + x, y, 0.3] for x, y in ((0.7, 0), (-0.7, 0), (0, 0.7), (0, -0.7))])
    before = len(asked)
    for _ in range(120):
        one.step(closed)
    assert len(asked) > before


def test_a_walker_rests_at_its_goal_for_up_to_as_long_as_it_is_told():
    rests = []
    for seed in range(30):
        one = Walker(
            np.random.default_rng(seed), empty(), np.zeros(2), 0.0, 0.3,
            lambda: np.array([3.0, 0.0]), 0.8, 2.0, 12,
        )  # fmt: skip
        one._target = np.zeros(2)
        one._decide(NOBODY)
        rests.append(one._rest)
        before = one._rest
        if before:
            assert one._decide(NOBODY) == (0.0, 0.0) and one._rest == before - 1
    assert min(rests) <= 1 and 10 <= max(rests) <= 12


def roller(at=(0.0, 0.0), **changes):
    settings = {"radius": 0.1, "speed": 1.5, "friction": 0.9} | changes
    rng, at = np.random.default_rng(1), np.array(at)
    return Roller(rng, empty(), at, goal=lambda: np.array([5.0, 0.0]), **settings)


def test_friction_ends_a_rollers_speed_by_a_share_each_second():
    ball = roller()
    ball._velocity = np.array([1.0, 0.0])
    ball.step(NOBODY)
    assert ball._velocity.tolist() == pytest.approx([1 - 0.9 / 30, 0.0])
    assert ball.moved.tolist() == pytest.approx([(1 - 0.9 / 30) / 30, 0.0])
    for _ in range(29):
        ball.step(NOBODY)
    assert ball._velocity[0] == pytest.approx((1 - 0.03) ** 30)


def test_a_roller_bounces_off_with_less_speed_and_has_not_moved_then():
    ball = roller()
    ball._velocity = np.array([1.0, 0.5])
    ball.step(NOBODY)
    assert np.linalg.norm(ball.moved) > 0
    ahead = ball.at + [5.0 + 0.1, 0.0]
    wall = np.array([[*ahead, 5.0]])  # So large that its side is nearly straight.
    ball._velocity = np.array([1.0, 0.5]) / 0.97
    ball.step(wall)
    assert ball.moved.tolist() == [0.0, 0.0]
    assert ball._velocity == pytest.approx([-0.7, 0.5], abs=0.05)
