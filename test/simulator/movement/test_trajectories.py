"""The ways of the camera."""

import numpy as np
import pytest

from mtshare_ros.simulator.movement.trajectories import KINDS, angles
from support.moving_rooms import RATE, moved, positions, standing_clearance


def test_the_driving_robot_gets_on_and_never_through_furniture_or_people():
    travelled = []
    for seed in range(200_000, 200_008):
        scene, poses, discs = moved("drive", seed, 200)
        at = positions(poses)
        for point, others in zip(at, discs, strict=True):
            assert np.all(np.linalg.norm(others[:, :2] - point[:2], axis=1) > others[:, 2] + 0.15)
        assert standing_clearance(scene, at[:, :2]).min() > 0.2
        steps = np.linalg.norm(np.diff(at, axis=0), axis=1)
        assert steps.max() * RATE < 0.85
        travelled.append(steps.sum())
    assert np.median(travelled) > 0.8


def test_the_driving_robot_turns_smoothly_and_shakes_little():
    for seed in range(200_000, 200_004):
        _, poses, _ = moved("drive", seed, 200)
        yaw, pitch, roll = np.unwrap([angles(pose) for pose in poses], axis=0).T
        rate = np.diff(yaw) * RATE
        assert np.abs(rate).max() < 1.2
        assert np.abs(np.diff(rate)).max() < 0.6
        assert np.ptp(pitch) < np.deg2rad(3) and np.ptp(roll) < np.deg2rad(3)
        assert np.ptp(positions(poses)[:, 2]) < 0.03


def test_a_panning_camera_turns_to_and_fro_at_one_place_with_rests():
    for seed in range(200_000, 200_004):
        _, poses, _ = moved("pan", seed, 400)
        assert np.ptp(positions(poses), axis=0).max() == 0
        yaw = np.unwrap([angles(pose)[0] for pose in poses])
        assert np.deg2rad(19) < np.ptp(yaw) < np.deg2rad(56)
        rate = np.diff(yaw) * RATE
        assert rate.max() > 0.2 and rate.min() < -0.2
        assert (np.abs(rate) < 1e-9).mean() > 0.1
        assert np.abs(rate).max() < 1.3


def test_a_handheld_camera_wanders_in_all_six_degrees_of_freedom():
    for seed in range(200_000, 200_004):
        scene, poses, _ = moved("handheld", seed, 300)
        at = positions(poses)
        turned = np.unwrap([angles(pose) for pose in poses], axis=0)
        both = np.concatenate([at, turned], axis=1)
        assert (np.ptp(both, axis=0) > 0.005).all()
        assert 0.05 < at[:, 2].min() and at[:, 2].max() < 1.3
        assert standing_clearance(scene, at[:, :2]).min() > 0.05
        # Smooth: speed changes by little from one frame to the next.
        assert np.abs(np.diff(at, 2, axis=0)).max() * RATE < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_camera_on_a_long_way_through_many_rooms_touches_nothing(kind):
    for seed in range(200_100, 200_112):
        scene, poses, _ = moved(kind, seed, 600)
        assert standing_clearance(scene, positions(poses)[:, :2]).min() > 0.05
