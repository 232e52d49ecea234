"""Clips: a camera in a room where people walk and balls roll, frame by frame, at 30 Hz."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.seeds import related_seed
from mtshare_ros.perception.camera.calibration import Intrinsics
from mtshare_ros.simulator.movement.movers import Movement, free_space
from mtshare_ros.simulator.movement.trajectories import KINDS, camera_path, start_pose
from mtshare_ros.simulator.poses import Pose, robot_intrinsics
from mtshare_ros.simulator.render import Renderer
from mtshare_ros.simulator.room import make_room
from mtshare_ros.simulator.scene import compile_scene
from mtshare_ros.simulator.sensor import Exposure, Sensor, expose, random_sensor

RATE = 30
"""Frames per second."""

FIRST_STAMP = 1_700_000_000 * 1_000_000_000
"""Stamp of the first frame in nanoseconds: fixed, so that a seed always gives the same bag."""


@dataclass(frozen=True)
class ClipFrame:
    """One frame of a clip, with the truth about it.

    Attributes:
        stamp: Nanoseconds.
        rgb: ``(H, W, 3)`` uint8, with the sensor's noise.
        depth: ``(H, W)`` float32 metres along the optical axis, NaN where there is nothing.
        labels: ``(H, W)`` uint8 class ids, 255 unlabelled.
        normals: ``(H, W, 3)`` float32 unit vectors in the optical frame, towards the camera;
            zero where there is nothing.
        pose: Of the optical frame in the room.
        intrinsics: Of the camera.
    """

    stamp: int
    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    labels: NDArray[np.uint8]
    normals: NDArray[np.float32]
    pose: Pose
    intrinsics: Intrinsics


def render_clip(
    kind: str,
    seed: int,
    frames: int,
    size: tuple[int, int],
    *,
    textures: str = "auto",
    exposure_changes: bool = False,
    cuts: Sequence[int] = (),
) -> Iterator[ClipFrame]:
    """Render a clip; the same arguments give the same frames, and more frames only add to them.

    Args:
        kind: How the camera moves: one of ``KINDS``.
        seed: Decides everything else; see ``seeds`` for the ranges.
        frames: Number of frames.
        size: Width and height in pixels.
        textures: ``auto``, ``A``, ``B`` or ``mix``; see ``seeds``.
        exposure_changes: Whether the exposure is corrected every now and then.
        cuts: Numbers of the frames that show another room of the same split.

    Raises:
        ValueError: For an unknown kind or textures.
        GLUnavailableError: Where nothing can render.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: expected one of {', '.join(KINDS)}")
    bounds = [0, *sorted(set(cuts)), frames]
    with Renderer(robot_intrinsics(size)) as renderer:
        for segment, (first, last) in enumerate(zip(bounds, bounds[1:], strict=False)):
            shot = _Shot(renderer, kind, related_seed(seed, segment), textures, exposure_changes)
            for index in range(first, last):
                # Rounded from the index, so that the stamps don't drift.
                yield shot.frame(FIRST_STAMP + round(index * 1e9 / RATE))


class _Shot:
    """The part of a clip between two cuts."""

    def __init__(
        self, renderer: Renderer, kind: str, seed: int, textures: str, exposure_changes: bool
    ) -> None:
        # Each purpose draws from a stream of its own, apart from those of rooms and stills.
        start, camera, movement, sensor, exposure, self._noise = (
            np.random.default_rng([seed, 2, KINDS.index(kind), purpose]) for purpose in range(6)
        )
        room = make_room(seed, textures)
        scene = compile_scene(room)
        renderer.load(scene)
        space = free_space(room.plan)
        self._renderer = renderer
        self._pose = start_pose(start, room)
        self._path = camera_path(kind, camera, self._pose, space)
        self._movement = Movement(movement, scene, space, self._pose)
        self._exposure = Exposure(exposure) if exposure_changes else None
        self._metering = sensor
        self._sensor: Sensor | None = None

    def frame(self, stamp: int) -> ClipFrame:
        """Return the next frame."""
        if self._sensor is not None:
            self._pose = self._path.step(self._movement.discs())
            self._movement.step(self._path.disc())
        view = self._renderer.render(self._pose)
        if self._sensor is None:
            self._sensor = random_sensor(self._metering, view.rgb)
        sensor = self._sensor
        if self._exposure is not None:
            factor = self._exposure.step()
            red, green, blue = sensor.gain
            sensor = replace(sensor, gain=(red * factor, green * factor, blue * factor))
        return ClipFrame(
            stamp=stamp,
            rgb=expose(view.rgb, sensor, self._noise),
            depth=view.depth,
            labels=view.labels,
            normals=view.normals,
            pose=self._pose,
            intrinsics=self._renderer.intrinsics,
        )
