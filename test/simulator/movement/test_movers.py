"""What moves in a simulated room."""

import numpy as np
import pytest

from mtshare_ros.simulator.movement.movers import MOST, movers
from mtshare_ros.simulator.movement.trajectories import KINDS
from mtshare_ros.simulator.room import make_room
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
