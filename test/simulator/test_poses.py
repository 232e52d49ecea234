"""The robot's camera: its intrinsics, and where it looks."""

import numpy as np
import pytest

from mtshare_ros.simulator.layout import Plan
from mtshare_ros.simulator.movement.trajectories import angles
from mtshare_ros.simulator.poses import CLEARANCE, HEIGHTS, look, robot_intrinsics, sample_pose
from mtshare_ros.simulator.room import Room
from mtshare_ros.simulator.things.parts import Thing

ORIGIN = np.zeros(3)


def test_the_middle_of_the_image_is_between_its_pixels():
    k = robot_intrinsics((320, 240))
    assert (k.fx, k.fy, k.cx, k.cy) == (256.0, 256.0, 159.5, 119.5)


@pytest.mark.parametrize(
    ("turned", "right", "down", "forward"),
    [
        ((0.0, 0.0, 0.0), (0, -1, 0), (0, 0, -1), (1, 0, 0)),
        ((np.pi / 2, 0.0, 0.0), (1, 0, 0), (0, 0, -1), (0, 1, 0)),
        ((0.0, np.pi / 6, 0.0), (0, -1, 0), (0.5, 0, -np.sqrt(0.75)), (np.sqrt(0.75), 0, 0.5)),
        # Clockwise as the camera sees it: its right side goes down.
        ((0.0, 0.0, np.pi / 2), (0, 0, -1), (0, 1, 0), (1, 0, 0)),
    ],
)
def test_the_axes_of_a_turned_camera(turned, right, down, forward):
    axes = look(ORIGIN, *turned).rotation
    np.testing.assert_allclose(axes, np.stack([right, down, forward], axis=1), atol=1e-12)


@pytest.fixture(scope="module")
def sampled():
    plan = Plan((4.0, 4.0), 2.5)
    plan.put(Thing("chair", (0.2, 0.2), 0.9), (2.0, 2.5, 0.0), 0.0)
    plan.put(Thing("floor", (4.0, 4.0), 0.0), (0.0, 0.0, 0.0), 0.0, blocks=False)
    room = Room(0, "A", plan, [], [], 0.3)
    rng = np.random.default_rng(0)
    return plan, [sample_pose(rng, room) for _ in range(200)]


def test_a_camera_stands_on_free_floor_and_is_roughly_level(sampled):
    plan, poses = sampled
    turned = np.rad2deg([angles(pose) for pose in poses])
    assert 4 < np.abs(turned[:, 1]).max() <= 12.001 and 1 < np.abs(turned[:, 2]).max() <= 3.001
    for pose in poses:
        x, y, z = pose.position
        assert plan.clearance(x, y) >= CLEARANCE and HEIGHTS[0] <= z <= HEIGHTS[1]
        ahead = pose.position + 1.1 * np.append(pose.rotation[:2, 2], 0.0)
        assert plan.clearance(*ahead[:2]) > 0.0


def test_most_cameras_look_at_something(sampled):
    _, poses = sampled
    off = []
    for pose in poses:
        away = np.array([2.0, 2.5]) - pose.position[:2]
        towards = np.arctan2(away[1], away[0]) - angles(pose)[0]
        off.append(abs((towards + np.pi) % (2 * np.pi) - np.pi))
    # Three in four, within about 14 degrees; none aims at the floor.
    assert 0.65 < np.mean(np.array(off) < np.deg2rad(30)) < 0.95
