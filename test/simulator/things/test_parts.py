"""The plain values that a room is made of."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtshare_ros.simulator.things.parts import Look, Thing, tilt, towards, turn


def turned(quat, vector):
    """Return a vector after the rotation (w, x, y, z)."""
    w, axis = quat[0], np.array(quat[1:])
    return vector + 2 * np.cross(axis, np.cross(axis, vector) + w * np.array(vector))


@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1))
def test_towards_takes_the_z_axis_to_the_direction(direction):
    unit = np.array(direction) / np.linalg.norm(direction)
    # Straight down within 1.5 mrad is taken for straight down.
    np.testing.assert_allclose(turned(towards(np.array(direction)), [0, 0, 1]), unit, atol=2e-3)


def test_turns_about_z_and_tilts_about_x():
    np.testing.assert_allclose(turned(turn(np.pi / 2), [1, 0, 0]), [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(turned(tilt(np.pi / 2), [0, 1, 0]), [0, 0, 1], atol=1e-12)


def test_a_limb_reaches_from_one_point_to_the_other():
    thing = Thing("plant", (1, 1), 1)
    thing.limb((0, 0, 0), (0, 0.6, 0.8), 0.05, Look((1, 1, 1)))
    (part,) = thing.parts
    assert part.label == "plant" and part.shape == "capsule"
    np.testing.assert_allclose(part.pos, (0, 0.3, 0.4))
    np.testing.assert_allclose(part.size[:2], (0.05, 0.5))
    np.testing.assert_allclose(turned(part.quat, [0, 0, 1]), [0, 0.6, 0.8], atol=1e-9)
