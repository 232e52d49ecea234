"""Clips as bags: what is written of a pose."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtshare_ros.simulator import clip_bag
from mtshare_ros.simulator.poses import look


@given(st.tuples(*[st.floats(-3.1, 3.1)] * 3))
def test_the_orientation_turns_as_the_pose_does(turned):
    pose = look(np.array([1.0, 2.0, 3.0]), *turned)
    message = clip_bag._pose(pose, 5_000_000_001)
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (5, 1)
    position, orientation = message.pose.position, message.pose.orientation
    assert (position.x, position.y, position.z) == (1.0, 2.0, 3.0)
    w, x, y, z = orientation.w, orientation.x, orientation.y, orientation.z
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    again = np.eye(3) + 2 * w * cross + 2 * cross @ cross
    assert w >= 0
    np.testing.assert_allclose(again, pose.rotation, atol=1e-9)
