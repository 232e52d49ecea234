"""Motion of the image and of the camera, held against simulated rooms: parallax, roll, movers."""

from __future__ import annotations

from itertools import islice

import cv2
import numpy as np
import pytest

from mtshare_ros.perception.motion.carry import CameraMotion, carried, moved
from mtshare_ros.perception.motion.flow import ImageMotion, Where, at_size, grey_of
from mtshare_ros.perception.motion.rigid import Pinhole, RigidMotion, pinhole_of, rigid_motion
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.simulator.clips import ClipFrame, render_clip
from mtshare_ros.tasks import TASKS

SIZE = (320, 240)
STEPS = (3, 6)
"""Frames after the key frame that are looked at."""
SEED = 200_011
TASK_LIST = list(TASKS.values())


@pytest.fixture(scope="module", params=["pan", "drive", "handheld"])
def frames(request: pytest.FixtureRequest) -> list[ClipFrame]:
    """The end of a short clip, in which the camera is on its way."""
    first = {"pan": 40, "drive": 30, "handheld": 25}[request.param]
    clip = render_clip(request.param, SEED, first + 7, SIZE)
    return list(islice(clip, first, None))


def back(motion: ImageMotion, image: np.ndarray, size: tuple[int, int]) -> Where:
    """Return where the pixels of an image were, for maps of some width and height."""
    return at_size(motion.back(grey_of(image)), size)


def camera(frame: ClipFrame) -> Pinhole:
    return pinhole_of(frame.intrinsics.fx / SIZE[0], SIZE, SIZE)


def truth(frame: ClipFrame) -> Predictions:
    """Return predictions that are the truth about a frame."""
    return Predictions(
        stamp=frame.stamp,
        maps={"normals": frame.normals, "depth": frame.depth, "segmentation": frame.labels},
        confidence={},
        dirty=np.ones((15, 20), np.bool_),
    )


def real_motion(key: ClipFrame, frame: ClipFrame) -> RigidMotion:
    """Return how the scene moved in the camera's frame, from the simulation's poses."""
    back = frame.pose.rotation.T
    turn = cv2.Rodrigues(back @ key.pose.rotation)[0].ravel()
    return RigidMotion(turn, back @ (key.pose.position - frame.pose.position))


def flows(frames: list[ClipFrame]) -> dict[int, Where]:
    """Return the flow of each frame of a clip but the first, which is the key frame."""
    motion = ImageMotion()
    motion.start(grey_of(frames[0].rgb))
    return {step: back(motion, frames[step].rgb, SIZE) for step in range(1, len(frames))}


def errors(found: Predictions, frame: ClipFrame) -> np.ndarray:
    """Return mean angle, relative depth error and share of wrong labels where it was in view."""
    seen = np.isfinite(frame.depth) & (np.abs(frame.normals).sum(-1) > 0.5)
    seen &= np.isfinite(found.maps["depth"]) & (np.abs(found.maps["normals"]).sum(-1) > 0.5)
    cosine = np.clip((found.maps["normals"] * frame.normals).sum(-1)[seen], -1, 1)
    depth = np.abs(found.maps["depth"] - frame.depth)[seen] / frame.depth[seen]
    wrong = (found.maps["segmentation"] != frame.labels)[seen]
    return np.array([np.degrees(np.arccos(cosine)).mean(), depth.mean(), wrong.mean()])


def test_the_camera_s_own_motion_is_found(frames: list[ClipFrame]) -> None:
    key, where = frames[0], flows(frames)
    for step in STEPS:
        real = real_motion(key, frames[step])
        found = rigid_motion(where[step], key.depth, camera(key))
        assert found is not None
        assert np.degrees(np.linalg.norm(found.turn - real.turn)) < 0.3
        assert np.linalg.norm(found.shift - real.shift) < 0.02


def test_carried_maps_are_nearer_to_the_truth_than_held_ones(frames: list[ClipFrame]) -> None:
    key, flow = frames[0], flows(frames)
    held, plain, whole = (np.zeros(3) for _ in range(3))
    for step in STEPS:
        where = flow[step]
        motion = rigid_motion(where, key.depth, camera(key))
        assert motion is not None
        along = carried(truth(key), where, TASK_LIST)
        held += errors(truth(key), frames[step])
        plain += errors(along, frames[step])
        whole += errors(
            moved(along, CameraMotion(where, motion, camera(key)), TASK_LIST), frames[step]
        )
    assert (whole < 0.8 * held).all(), (whole, held)
    # Turning the normals and moving the depth is worth it beside the flow, and never harms.
    assert (whole[:2] < 1.02 * plain[:2]).all() and whole[2] == plain[2], (whole, plain)
    assert (whole[:2] < 0.9 * plain[:2]).any(), (whole, plain)


def test_without_depth_a_turn_of_the_camera_is_found_all_the_same() -> None:
    frames = list(islice(render_clip("pan", SEED, 47, SIZE), 40, None))
    real = real_motion(frames[0], frames[6])
    found = rigid_motion(flows(frames)[6], None, camera(frames[0]))
    assert found is not None and not found.shift.any()
    assert np.degrees(np.linalg.norm(real.turn)) > 2
    assert np.degrees(np.linalg.norm(found.turn - real.turn)) < 0.3


def grid() -> Where:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    return np.stack([x, y], axis=-1).astype(np.float32)


CAMERA = pinhole_of(0.8, SIZE, SIZE)


def test_a_known_motion_of_a_known_scene_comes_back() -> None:
    """A slanted plane, moved exactly: what is found is what was put in."""
    turn, shift = np.array([0.01, -0.02, 0.03]), np.array([0.02, -0.01, -0.05])
    motion = RigidMotion(turn, shift)
    x, y = CAMERA.rays(grid()[..., 0], grid()[..., 1])
    normal, distance = np.array([0.1, 0.2, -0.9]), -2.0
    rotation = motion.rotation()
    rays = np.stack([x, y, np.ones_like(x)], axis=-1)
    depth = (distance / (rays @ normal)).astype(np.float32)
    # The plane after the motion, and each later pixel's point on it, before the motion.
    turned = rotation @ normal
    later = (distance + turned @ shift) / (rays @ turned)
    before = (rays * later[..., None] - shift) @ rotation
    ratio = before[..., :2] / before[..., 2:]
    where = (ratio * (CAMERA.fx, CAMERA.fy) + (CAMERA.cx, CAMERA.cy)).astype(np.float32)
    found = rigid_motion(where, depth, CAMERA)
    assert found is not None
    assert found.turn == pytest.approx(turn, abs=1e-3)
    assert found.shift == pytest.approx(shift, abs=4e-3)
    key = truth_of_plane(depth, normal / np.linalg.norm(normal))
    after = moved(carried(key, where, TASK_LIST), CameraMotion(where, found, CAMERA), TASK_LIST)
    inside = (slice(40, -40), slice(40, -40))
    assert after.maps["depth"][inside] == pytest.approx(later[inside], rel=0.01)
    expected = turned / np.linalg.norm(turned)
    assert np.abs(after.maps["normals"][inside] - expected).max() < 2e-3


def truth_of_plane(depth: np.ndarray, normal: np.ndarray) -> Predictions:
    normals = np.broadcast_to(normal.astype(np.float32), (*depth.shape, 3))
    return Predictions(
        stamp=0,
        maps={"normals": np.ascontiguousarray(normals), "depth": depth},
        confidence={},
        dirty=np.ones((15, 20), np.bool_),
    )


def test_what_moves_by_itself_does_not_turn_the_camera() -> None:
    where = grid()
    where[60:180, :110] += (15.0, 4.0)
    found = rigid_motion(where, np.full(SIZE[::-1], 2.0, np.float32), CAMERA)
    assert found is not None
    assert np.degrees(np.linalg.norm(found.turn)) < 0.1 and np.linalg.norm(found.shift) < 0.005


@pytest.mark.parametrize("what", ["noise", "out of view", "no depth there"])
def test_no_motion_where_none_explains_the_flow(what: str) -> None:
    where, depth = grid(), np.full(SIZE[::-1], 2.0, np.float32)
    if what == "noise":
        where += np.random.default_rng(0).uniform(-30, 30, where.shape).astype(np.float32)
    elif what == "out of view":
        where += 1000.0
    else:
        depth[:] = np.nan
    assert rigid_motion(where, depth, CAMERA) is None


def test_a_stretched_image_has_two_focal_lengths() -> None:
    camera = pinhole_of(0.8, (640, 320), (320, 240))
    assert (camera.fx, camera.fy) == pytest.approx((256.0, 384.0))
    assert (camera.cx, camera.cy) == (159.5, 119.5)
