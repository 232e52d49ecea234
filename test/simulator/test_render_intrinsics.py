"""A camera whose optical axis is not in the image's middle."""

import numpy as np
import pytest

from mtshare_ros.perception.camera.calibration import Intrinsics
from mtshare_ros.simulator.gl import mujoco
from mtshare_ros.simulator.poses import look
from mtshare_ros.simulator.render import Renderer
from mtshare_ros.simulator.room import make_room
from mtshare_ros.simulator.scene import compile_scene


def test_a_camera_whose_axis_is_not_in_the_middle_sees_planes_where_they_are():
    k = Intrinsics(96, 72, 70.0, 75.0, 30.0, 50.0, source="K")
    scene = compile_scene(make_room(3))
    planes = np.flatnonzero(scene.model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE)
    checked = 0
    with Renderer(k) as opened:
        with pytest.raises(RuntimeError, match="no scene loaded"):
            opened.render(look(np.zeros(3), 0, 0, 0))
        opened.load(scene)
        for yaw in (0.6, 3.5):
            pose = look(np.array([0.0, 0.0, 1.2]), yaw, 0.1, 0.05)
            view = opened.render(pose)
            x, y = np.meshgrid((np.arange(96) - k.cx) / k.fx, (np.arange(72) - k.cy) / k.fy)
            rays = np.stack([x, y, np.ones_like(x)], axis=-1)
            world = (rays * view.depth[..., None]) @ pose.rotation.T + pose.position
            for plane in planes:
                normal = scene.data.geom_xmat[plane].reshape(3, 3)[:, 2]
                off = (world[view.geoms == plane] - scene.data.geom_xpos[plane]) @ normal
                assert np.abs(off).max(initial=0.0) < 0.01
                checked += len(off)
    assert checked > 96 * 72 / 2
