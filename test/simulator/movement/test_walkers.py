"""Walkers go to goals around what is in their way; rollers roll, bounce and stop."""

import numpy as np

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
