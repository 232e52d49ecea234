"""Exact normals of MuJoCo's primitives."""

import numpy as np
import pytest

from mtshare_ros.simulator.gl import mujoco
from mtshare_ros.simulator.true_normals import local_normals

GEOM = mujoco.mjtGeom


@pytest.mark.parametrize(
    ("kind", "size", "point", "normal"),
    [
        (GEOM.mjGEOM_PLANE, (1, 1, 0.1), (0.3, -0.2, 0.0), (0, 0, 1)),
        (GEOM.mjGEOM_BOX, (1, 2, 3), (0.2, -2.0, 1.0), (0, -1, 0)),
        (GEOM.mjGEOM_SPHERE, (0.5, 0, 0), (0.3, 0.0, 0.4), (0.6, 0, 0.8)),
        (GEOM.mjGEOM_CAPSULE, (0.1, 0.5, 0), (0.1, 0.0, 0.2), (1, 0, 0)),
        (GEOM.mjGEOM_CAPSULE, (0.1, 0.5, 0), (0.0, 0.0, 0.6), (0, 0, 1)),
        (GEOM.mjGEOM_CYLINDER, (0.2, 0.5, 0), (0.0, 0.2, 0.1), (0, 1, 0)),
        (GEOM.mjGEOM_CYLINDER, (0.2, 0.5, 0), (0.1, 0.0, 0.5), (0, 0, 1)),
        (GEOM.mjGEOM_ELLIPSOID, (1, 2, 3), (0.0, 2.0, 0.0), (0, 1, 0)),
        # The gradient of x^2 + y^2 / 4 + z^2 / 9.
        (GEOM.mjGEOM_ELLIPSOID, (1, 2, 3), (0.6, 0.0, 2.4), (0.9138115, 0, 0.4061385)),
        (GEOM.mjGEOM_CAPSULE, (0.1, 0.5, 0), (0.1, 0.0, -0.2), (1, 0, 0)),
        (GEOM.mjGEOM_CAPSULE, (0.1, 0.5, 0), (0.06, 0.0, -0.58), (0.6, 0, -0.8)),
        (GEOM.mjGEOM_CYLINDER, (0.2, 0.5, 0), (0.1, 0.0, -0.5), (0, 0, -1)),
        # A little inside the side, where flat faces stand for the round one, and near the top.
        (GEOM.mjGEOM_CYLINDER, (0.2, 0.5, 0), (0.19, 0.0, 0.495), (1, 0, 0)),
        # A thin board close to its edge, on its large face.
        (GEOM.mjGEOM_BOX, (1, 0.01, 1), (0.995, 0.0099, 0.0), (0, 1, 0)),
    ],
)
def test_the_normal_of_a_point_on_a_primitive(kind, size, point, normal):
    one = np.ones((1, 3))
    found = local_normals(np.array([int(kind)], np.int32), one * size, one * point)[0]
    np.testing.assert_allclose(found / np.linalg.norm(found), normal, atol=1e-6)
