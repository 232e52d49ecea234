"""The ways of the camera."""

import numpy as np
import pytest

from mtshare_ros.simulator.layout import Plan
from mtshare_ros.simulator.movement.free_space import NOBODY, FreeSpace
from mtshare_ros.simulator.movement.movers import movers
from mtshare_ros.simulator.movement.trajectories import (
    KINDS,
    _Shake,
    angles,
    camera_path,
    start_pose,
)
from mtshare_ros.simulator.poses import look, sample_pose
from mtshare_ros.simulator.room import make_room
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


def test_angles_are_those_that_the_pose_was_made_of():
    for turned in np.random.default_rng(0).uniform((-3, -1.4, -3), (3, 1.4, 3), (20, 3)):
        assert angles(look(np.zeros(3), *turned)) == pytest.approx(tuple(turned))


def test_things_keep_at_a_distance_of_a_camera_that_stays():
    start = look(np.array([1.0, -2.0, 0.5]), 0.3, 0.0, 0.0)
    space = FreeSpace(Plan((4.0, 4.0), 2.5), [])
    for kind in ("static", "pan", "handheld"):
        path = camera_path(kind, np.random.default_rng(0), start, space)
        path.step(NOBODY)
        assert path.disc() == (1.0, -2.0, 0.7)


def test_a_clip_begins_where_most_of_what_moves_is_seen():
    room = make_room(200_003)
    things = np.array([room.plan.placed[n].pos[:2] for n in movers(room.plan)])

    def seen(pose):
        away = things - pose.position[:2]
        far = np.linalg.norm(away, axis=1)
        ahead = away @ pose.rotation[:2, 2] / far > np.cos(np.deg2rad(24.0))
        return int((ahead & (far > 1.4) & (far < 4.5)).sum())

    rng = np.random.default_rng(0)
    usual = np.mean([seen(sample_pose(rng, room)) for _ in range(60)])
    assert np.mean([seen(start_pose(rng, room)) for _ in range(8)]) > usual + 0.5


def test_a_pan_starts_and_stops_without_a_jerk_and_comes_back():
    start = look(np.array([0.0, 0.0, 0.5]), 0.3, 0.1, 0.0)
    path = camera_path("pan", np.random.default_rng(1), start, FreeSpace(Plan((4, 4), 2.5), []))
    yaw = np.array([angles(path.step(NOBODY))[0] for _ in range(600)]) - 0.3
    speed = np.abs(np.diff(yaw))
    # Eased, the middle is at one and a half times the mean speed and the ends stand still.
    moving = np.flatnonzero(speed > 1e-9)
    assert speed[moving[0]] < 0.3 * speed.max()
    assert np.abs(np.diff(speed)).max() < 0.35 * speed.max()
    back = np.flatnonzero(np.abs(yaw[moving[0] + 1 :]) < 1e-9)
    assert len(back) and np.ptp(yaw) > np.deg2rad(19)


def test_the_camera_of_a_robot_that_stands_does_not_shake():
    start = look(np.array([0.0, 0.0, 0.5]), 0.3, 0.1, 0.0)
    path = camera_path("drive", np.random.default_rng(1), start, FreeSpace(Plan((4, 4), 2.5), []))
    path._robot.step = lambda discs: None
    path._robot.pace = 0.0
    for _ in range(5):
        pose = path.step(NOBODY)
        np.testing.assert_allclose(pose.rotation, start.rotation, atol=1e-12)
        assert pose.position.tolist() == [0.0, 0.0, 0.5]
    path._robot.pace = 0.4
    assert np.abs(path.step(NOBODY).rotation - start.rotation).max() > 1e-6


def test_shaking_begins_at_nothing():
    shake = _Shake(np.random.default_rng(0), np.ones(50), (0.1, 0.3))
    first = np.abs(shake.step())
    assert first.max() < 0.1 and first.max() > 0.0
