"""What moves in a simulated room."""

import numpy as np
import pytest

from mtshare_ros.simulator.gl import mujoco
from mtshare_ros.simulator.layout import Placed, Plan
from mtshare_ros.simulator.movement.movers import (
    MOST,
    Movement,
    _actor,
    _Ball,
    _Person,
    free_space,
    movers,
)
from mtshare_ros.simulator.movement.trajectories import KINDS
from mtshare_ros.simulator.poses import look
from mtshare_ros.simulator.room import make_room
from mtshare_ros.simulator.scene import compile_scene
from mtshare_ros.simulator.things.parts import Thing, turn
from support.moving_rooms import RATE, moved, standing_clearance


@pytest.mark.parametrize("kind", KINDS)
def test_things_move_in_every_kind_and_no_faster_than_they_can(kind):
    for seed in range(200_000, 200_005):
        _, _, discs = moved(kind, seed, 150)
        steps = np.linalg.norm(np.diff(discs[..., :2], axis=0), axis=-1)
        assert steps.sum(axis=0).max() > 0.5
        assert steps.max() * RATE < 2.0


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_moves_enters_furniture_walls_or_another_mover(kind):
    for seed in range(200_012, 200_016):
        scene, _, discs = moved(kind, seed, 150)
        free = standing_clearance(scene, discs[..., :2].reshape(-1, 2))
        # Legs and tubes stick out of a thing's footprint by a little.
        assert (free >= discs[..., 2].reshape(-1) - 0.05).all()
        for frame in discs[::5]:
            gaps = np.linalg.norm(frame[:, None, :2] - frame[None, :, :2], axis=-1)
            gaps -= frame[:, 2] + frame[None, :, 2].T
            assert (gaps[~np.eye(len(frame), dtype=bool)] > -0.02).all()


def test_at_most_so_many_of_each_class_move():
    for seed in range(200_000, 200_010):
        plan = make_room(seed).plan
        labels = [plan.placed[index].thing.label for index in movers(plan)]
        assert all(plan.placed[index].thing.movable for index in movers(plan))
        assert all(labels.count(label) <= MOST.get(label, 0) for label in set(labels))


def crowded():
    plan = Plan((4.0, 4.0), 2.5)
    for n in range(5):
        plan.put(Thing("person", (0.2, 0.2), 1.8, movable=True), (n - 2.0, 1.0, 0.0), 0.0)
    plan.put(Thing("ball", (0.05, 0.05), 0.1, movable=True), (0.0, -1.0, 0.7), 0.0, blocks=False)
    plan.put(Thing("chair", (0.2, 0.2), 0.9, movable=True), (0.0, -2.0, 0.0), 0.0)
    plan.put(Thing("box", (0.2, 0.2), 0.9, movable=False), (1.0, -2.0, 0.0), 0.0)
    plan.put(Thing("box", (0.2, 0.2), 0.9, movable=True), (2.0, -2.0, 0.0), 0.0)
    return plan


def test_the_first_of_each_class_that_stand_on_the_floor_move():
    # Three people and a box: not the ball on a table, nor chairs and what is fixed.
    assert movers(crowded()) == [0, 1, 2, 8]


class Mover:
    """A walker or roller at a place."""

    def __init__(self, at, heading=0.0, moved=(0.0, 0.0)):
        """Stand still."""
        self.at, self.heading, self.moved = np.array(at), heading, np.array(moved)


def rotation(quat):
    matrix = np.empty(9)
    mujoco.mju_quat2Mat(matrix, np.asarray(quat, float))
    return matrix.reshape(3, 3)


def test_people_face_the_way_that_they_walk():
    for heading in (0.0, 1.0, -2.5):
        position, quat = _Person(0, Mover((1.0, 2.0), heading)).pose()
        # The front of a thing is its y axis.
        front = rotation(quat)[:, 1]
        np.testing.assert_allclose(front, [np.cos(heading), np.sin(heading), 0], atol=1e-12)
        assert position.tolist() == [1.0, 2.0, 0.0]


def test_a_ball_rolls_the_way_that_it_moves_about_its_centre():
    mover = Mover((0.5, -0.5))
    ball = _Ball(0, mover, np.array([1.0, 0.0, 0.0, 0.0]), radius=0.2)
    position, quat = ball.pose()
    assert position.tolist() == [0.5, -0.5, 0.0] and quat.tolist() == [1, 0, 0, 0]
    mover.moved = np.array([0.0, 0.2 * np.pi / 2])
    position, quat = ball.pose()
    turned = rotation(quat)
    # A quarter turn: what was on top is now in front, and the origin, at the bottom, behind.
    np.testing.assert_allclose(turned @ [0, 0, 1], [0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(position, [0.5, -0.7, 0.2], atol=1e-9)
    np.testing.assert_allclose(position + turned @ [0, 0, 0.2], [0.5, -0.5, 0.2], atol=1e-9)
    # The next quarter adds up.
    turned = rotation(ball.pose()[1])
    np.testing.assert_allclose(turned @ [0, 0, 1], [0, 0, -1], atol=1e-9)


def test_everything_keeps_clear_of_the_others_and_of_the_camera_and_is_drawn_where_it_is():
    room = make_room(200_000)
    scene = compile_scene(room)
    pose = look(np.array([0.0, 0.0, 0.5]), 0.0, 0.0, 0.0)
    movement = Movement(np.random.default_rng(0), scene, free_space(room.plan), pose)
    count, seen = len(movement.discs()), []
    assert count > 1
    for actor in movement._actors:
        step = actor.mover.step
        actor.mover.step = lambda discs, step=step: (seen.append(discs), step(discs))
    for _ in range(30):
        movement.step((9.0, 8.0, 0.5))
    assert all(len(discs) == count and discs[-1].tolist() == [9.0, 8.0, 0.5] for discs in seen)
    data, model = scene.data, scene.model
    for actor in movement._actors:
        body = int(np.flatnonzero(model.body_mocapid == actor.mocap)[0])
        np.testing.assert_allclose(data.xpos[body], data.mocap_pos[actor.mocap], atol=1e-9)
        centre = data.geom_xpos[model.body_geomadr[body]][:2]
        assert np.linalg.norm(centre - actor.mover.at) < 0.5


def test_people_begin_to_walk_the_way_that_they_stand():
    plan = crowded()
    space = free_space(plan)
    person = Placed(plan.placed[0].thing, (1.0, 1.0, 0.0), 0.7)
    rng, upright = np.random.default_rng(0), np.array([1.0, 0, 0, 0])
    actor = _actor(rng, space, person, lambda: np.zeros(2), 0, upright)
    np.testing.assert_allclose(rotation(actor.pose()[1]), rotation(turn(0.7)), atol=1e-12)
