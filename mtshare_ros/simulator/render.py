"""Renders a room: colour, metric depth, class ids and normals of one camera pose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.camera.calibration import Intrinsics
from mtshare_ros.simulator.gl import mujoco, open_context
from mtshare_ros.simulator.poses import Pose
from mtshare_ros.simulator.scene import FAR, NEAR, Scene
from mtshare_ros.simulator.true_normals import local_normals
from mtshare_ros.tasks import UNLABELLED


@dataclass(frozen=True)
class View:
    """What a camera sees, and the truth about it.

    Attributes:
        rgb: ``(H, W, 3)`` uint8, without sensor noise.
        depth: ``(H, W)`` float32 metres along the optical axis, NaN where there is nothing.
        labels: ``(H, W)`` uint8 class ids, 255 unlabelled.
        normals: ``(H, W, 3)`` float32 unit vectors in the optical frame, towards the camera;
            zero where there is nothing.
        geoms: ``(H, W)`` int32 MuJoCo geom ids, -1 where there is nothing.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    labels: NDArray[np.uint8]
    normals: NDArray[np.float32]
    geoms: NDArray[np.int32]


class Renderer:
    """Renders views of one scene after another; use it as a context manager."""

    def __init__(self, intrinsics: Intrinsics) -> None:
        """Open OpenGL.

        Raises:
            GLUnavailableError: Where neither EGL nor OSMesa works.
        """
        self.intrinsics = intrinsics
        width, height = intrinsics.width, intrinsics.height
        self._gl: Any = open_context(width, height)
        self._viewport = mujoco.MjrRect(0, 0, width, height)
        self._pixels = np.empty((height, width, 3), np.uint8)
        self._depth = np.empty((height, width), np.float32)
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._scene: Scene | None = None
        self._visual: Any = None
        self._context: Any = None
        columns = (np.arange(width) - intrinsics.cx) / intrinsics.fx
        rows = (np.arange(height) - intrinsics.cy) / intrinsics.fy
        x, y = np.meshgrid(columns, rows)
        self._rays = np.stack([x, y, np.ones_like(x)], axis=-1)

    def __enter__(self) -> Renderer:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Free the OpenGL context; rendering is over."""
        self._unload()
        if self._gl is not None:
            self._gl.free()
            self._gl = None

    def _unload(self) -> None:
        """Free what belongs to the scene that is loaded."""
        if self._context is not None:
            self._context.free()
            self._context = None

    def load(self, scene: Scene) -> None:
        """Upload a scene; the views that follow are of it."""
        self._unload()
        self._scene = scene
        scene.model.vis.global_.offwidth = self.intrinsics.width
        scene.model.vis.global_.offheight = self.intrinsics.height
        self._visual = mujoco.MjvScene(scene.model, scene.model.ngeom + 16)
        self._visual.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        self._visual.flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = 0
        self._visual.flags[mujoco.mjtRndFlag.mjRND_HAZE] = 0
        self._context = mujoco.MjrContext(scene.model, mujoco.mjtFontScale.mjFONTSCALE_50)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        # Zero at the far plane keeps the precision of float depth buffers at a distance.
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR

    def render(self, pose: Pose) -> View:
        """Render the loaded scene, with its bodies where ``scene.data`` has them."""
        if self._scene is None:
            raise RuntimeError("no scene loaded: call load() before render()")
        scene, visual = self._scene, self._visual
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(
            scene.model, scene.data, self._option, None, self._camera, everything, visual
        )
        self._aim(pose)
        rgb = self._draw(segment=False)
        codes = self._draw(segment=True).astype(np.int32)
        depth = _metres(self._depth[::-1])
        code = codes[..., 0] | codes[..., 1] << 8 | codes[..., 2] << 16
        geoms = self._geom_of_code()[code]
        return View(
            rgb=rgb,
            depth=np.where(geoms >= 0, depth, np.nan).astype(np.float32),
            labels=np.append(scene.labels, np.uint8(UNLABELLED))[geoms],
            normals=self._normals(pose, geoms, depth),
            geoms=geoms,
        )

    def _aim(self, pose: Pose) -> None:
        """Set the frustum of MuJoCo's camera (both eyes) from the intrinsics."""
        k = self.intrinsics
        for eye in self._visual.camera:
            eye.pos = pose.position
            eye.forward = pose.rotation[:, 2]
            eye.up = -pose.rotation[:, 1]
            eye.frustum_near, eye.frustum_far = NEAR, FAR
            eye.frustum_center = NEAR * ((k.width - 1) / 2 - k.cx) / k.fx
            eye.frustum_width = NEAR * k.width / 2 / k.fx
            eye.frustum_top = NEAR * (k.cy + 0.5) / k.fy
            eye.frustum_bottom = -NEAR * (k.height - 0.5 - k.cy) / k.fy

    def _draw(self, segment: bool) -> NDArray[np.uint8]:
        """Draw one pass and return its colours, first row on top."""
        flags = self._visual.flags
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = segment
        flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = segment
        mujoco.mjr_render(self._viewport, self._visual, self._context)
        depth = self._depth if segment else None
        mujoco.mjr_readPixels(self._pixels, depth, self._viewport, self._context)
        return self._pixels[::-1].copy()

    def _geom_of_code(self) -> NDArray[np.int32]:
        """Return the geom id for each colour code of the segmentation pass; -1 for others."""
        count = self._visual.ngeom
        table = np.full(1 << 24 if count > 65534 else count + 2, -1, np.int32)
        for geom in self._visual.geoms[:count]:
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                table[geom.segid + 1] = geom.objid
        return table

    def _normals(
        self, pose: Pose, geoms: NDArray[np.int32], depth: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Return the normals ``(H, W, 3)`` of the surfaces that are seen."""
        assert self._scene is not None
        model, data = self._scene.model, self._scene.data
        normals = np.zeros((*geoms.shape, 3), np.float32)
        seen = geoms >= 0
        ids = geoms[seen]
        rays = self._rays[seen]
        # One matrix for each geom takes optical coordinates to the geom's own frame.
        turns = data.geom_xmat.reshape(-1, 3, 3).transpose(0, 2, 1) @ pose.rotation
        origins = np.einsum(
            "gji,gj->gi", data.geom_xmat.reshape(-1, 3, 3), pose.position - data.geom_xpos
        )
        turn = turns[ids]
        points = np.einsum("nij,nj->ni", turn, rays * depth[seen][:, None]) + origins[ids]
        local = local_normals(model.geom_type[ids], model.geom_size[ids], points)
        optical = np.einsum("nji,nj->ni", turn, local)
        optical /= np.linalg.norm(optical, axis=1, keepdims=True)
        away = np.einsum("ni,ni->n", optical, rays) > 0
        optical[away] *= -1
        normals[seen] = optical
        return normals


def _metres(depth: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return metres along the optical axis from a depth buffer that is 1 near and 0 far."""
    return np.asarray(NEAR * FAR / (depth.astype(np.float64) * (FAR - NEAR) + NEAR))
