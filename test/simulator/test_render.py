"""Rooms: seeds, and that depth, labels and normals are the truth about the picture."""

import os
import subprocess
import sys

import numpy as np
import pytest

from mtshare_ros.datasets.seeds import SPLITS, related_seed, split_of, textures_of
from mtshare_ros.simulator.gl import mujoco
from mtshare_ros.simulator.poses import look, robot_intrinsics, sample_pose
from mtshare_ros.simulator.render import Renderer
from mtshare_ros.simulator.room import make_room
from mtshare_ros.simulator.scene import compile_scene
from mtshare_ros.tasks import ROOM_CLASSES, UNLABELLED

SIZE = (160, 120)
K = robot_intrinsics(SIZE)
NAMES = [c.name for c in ROOM_CLASSES]


@pytest.fixture(scope="module")
def renderer():
    with Renderer(K) as opened:
        yield opened


def views(renderer, seed, count):
    """Return the scene and (pose, view) of some poses in a room."""
    scene = compile_scene(make_room(seed))
    renderer.load(scene)
    rng = np.random.default_rng([seed, 9])
    poses = [sample_pose(rng, scene.room) for _ in range(count)]
    return scene, [(pose, renderer.render(pose)) for pose in poses]


def points_of(view):
    """Return the points that are seen, (H, W, 3) metres in the optical frame."""
    x, y = np.meshgrid((np.arange(K.width) - K.cx) / K.fx, (np.arange(K.height) - K.cy) / K.fy)
    return np.stack([x, y, np.ones_like(x)], axis=-1) * view.depth[..., None]


def test_splits_do_not_overlap_and_are_where_they_are_documented():
    assert SPLITS["train"] == range(0, 100_000)
    assert SPLITS["validation"] == range(100_000, 200_000)
    assert SPLITS["test"] == range(200_000, 300_000)
    assert SPLITS["benchmark"] == range(300_000, 400_000)
    edges = sorted((s.start, s.stop) for s in SPLITS.values())
    assert all(a[1] == b[0] for a, b in zip(edges, edges[1:], strict=False))
    assert [split_of(s) for s in (99_999, 100_000, 299_999, 300_000, 899_999, 900_000)] == [
        "train",
        "validation",
        "test",
        "benchmark",
        "spare",
        "reserved",
    ]
    with pytest.raises(ValueError, match="-1"):
        split_of(-1)


def test_training_and_validation_never_use_held_out_textures_unless_asked():
    assert {textures_of(s) for s in (0, 99_999, 100_000, 199_999)} == {"A"}
    assert {textures_of(s) for s in (200_000, 300_000)} == {"mix"}
    assert textures_of(5, "B") == "B"
    with pytest.raises(ValueError, match="'C'"):
        textures_of(5, "C")


@pytest.mark.parametrize("seed", [0, 99_999, 199_998, 200_000, 299_999, 950_000])
def test_rooms_behind_a_cut_are_of_the_same_split(seed):
    related = [related_seed(seed, number) for number in range(30)]
    assert related[0] == seed and len(set(related)) == 30
    assert {split_of(s) for s in related} == {split_of(seed)}


def test_the_same_seed_gives_the_same_room_and_another_seed_another(renderer):
    _, first = views(renderer, 7, 1)
    _, other = views(renderer, 8, 1)
    _, again = views(renderer, 7, 1)
    for key in ("rgb", "depth", "labels", "normals"):
        np.testing.assert_array_equal(getattr(first[0][1], key), getattr(again[0][1], key))
    assert (first[0][1].rgb != other[0][1].rgb).mean() > 0.5


@pytest.mark.parametrize("seed", [11, 200_011])
def test_depth_of_walls_floor_and_ceiling_is_where_the_planes_are(renderer, seed):
    scene, seen = views(renderer, seed, 4)
    model, data = scene.model, scene.data
    planes = np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE)
    checked = 0
    for pose, view in seen:
        world = points_of(view) @ pose.rotation.T + pose.position
        for plane in planes:
            normal = data.geom_xmat[plane].reshape(3, 3)[:, 2]
            off = (world[view.geoms == plane] - data.geom_xpos[plane]) @ normal
            if len(off):
                assert np.abs(off).max() < 0.01
                checked += len(off)
    assert checked > K.width * K.height


@pytest.mark.parametrize("seed", [12, 200_012])
def test_normals_agree_with_finite_differences_of_depth_and_face_the_camera(renderer, seed):
    _, seen = views(renderer, seed, 4)
    for _, view in seen:
        points = points_of(view)
        across = points[1:-1, 2:] - points[1:-1, :-2]
        down = points[2:, 1:-1] - points[:-2, 1:-1]
        measured = np.cross(down, across)
        measured /= np.linalg.norm(measured, axis=-1, keepdims=True)
        inner = view.normals[1:-1, 1:-1]
        # Only where all five pixels are of one flat surface: elsewhere differences mean nothing.
        smooth = np.ones(inner.shape[:2], bool)
        for rows, columns in ((0, 1), (2, 1), (1, 0), (1, 2)):
            part = slice(rows, rows + inner.shape[0]), slice(columns, columns + inner.shape[1])
            smooth &= view.geoms[part] == view.geoms[1:-1, 1:-1]
            smooth &= (view.normals[part] * inner).sum(-1) > 0.9999
        assert smooth.mean() > 0.2
        cosine = (measured * inner).sum(-1)[smooth]
        assert np.quantile(cosine, 0.02) > np.cos(np.deg2rad(3.0))
        valid = view.geoms >= 0
        np.testing.assert_allclose(np.linalg.norm(view.normals[valid], axis=-1), 1, atol=1e-5)
        assert ((view.normals * points)[valid].sum(-1) <= 1e-6).all()


def test_a_ball_is_seen_where_the_intrinsics_project_it(renderer):
    scene = compile_scene(make_room(3))
    renderer.load(scene)
    index = next(
        i
        for i, p in enumerate(scene.room.plan.placed)
        if p.thing.label == "ball" and p.pos[2] == 0
    )
    mocap = int(scene.model.body_mocapid[scene.bodies[index]])
    radius = scene.room.plan.placed[index].thing.half[0]
    pose = look(np.array([0.0, 0.0, 1.2]), 0.4, 0.1, 0.1)
    # Hung in the air, up, down, left and right of the optical axis.
    for x, y in ((-0.15, -0.1), (0.2, -0.1), (0.0, 0.12)):
        centre = pose.position + pose.rotation @ np.array([x, y, 0.6])
        scene.data.mocap_pos[mocap] = centre - [0, 0, radius]
        mujoco.mj_kinematics(scene.model, scene.data)
        view = renderer.render(pose)
        rows, columns = np.nonzero(
            scene.model.geom_bodyid[np.maximum(view.geoms, 0)] == scene.bodies[index]
        )
        assert len(rows) > 50
        middle = (columns.max() + columns.min()) / 2, (rows.max() + rows.min()) / 2
        # An off-axis sphere's outline is not centred on its projection: half a pixel here.
        assert middle == pytest.approx((K.cx + K.fx * x / 0.6, K.cy + K.fy * y / 0.6), abs=2.0)
        assert np.nanmin(view.depth[rows, columns]) == pytest.approx(0.6 - radius, abs=0.02)


def test_every_class_is_seen_in_a_few_rooms(renderer):
    missing = set(range(len(NAMES)))
    for seed in range(40):
        _, seen = views(renderer, seed, 3)
        for _, view in seen:
            found, counts = np.unique(view.labels, return_counts=True)
            missing -= {int(f) for f, c in zip(found, counts, strict=True) if c >= 40}
        if not missing:
            return
    pytest.fail(f"not seen in 40 rooms: {[NAMES[m] for m in missing]}")


def test_labels_are_classes_and_depth_is_nan_only_where_there_is_nothing(renderer):
    _, seen = views(renderer, 200_020, 3)
    for _, view in seen:
        nothing = view.geoms < 0
        assert (view.labels[~nothing] < len(NAMES)).all()
        assert (view.labels[nothing] == UNLABELLED).all()
        np.testing.assert_array_equal(np.isnan(view.depth), nothing)
        assert nothing.mean() < 0.01


@pytest.mark.parametrize("asked", ["", "osmesa", "egl"])
def test_without_a_library_for_rendering_one_line_says_what_to_install(asked):
    # As on a machine that has neither library.
    code = """
import ctypes
real = ctypes.CDLL
def missing(name, *rest, **more):
    if name and ("EGL" in str(name) or "OSMesa" in str(name)):
        raise OSError(name)
    return real(name, *rest, **more)
ctypes.CDLL = missing
from mtshare_ros.simulator.poses import robot_intrinsics
from mtshare_ros.simulator.gl import GLUnavailableError
from mtshare_ros.simulator.render import Renderer
try:
    Renderer(robot_intrinsics((32, 24)))
except GLUnavailableError as error:
    print(error)
"""
    environment = {**os.environ, "MUJOCO_GL": asked}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert len(done.stdout.splitlines()) == 1, done.stderr
    tried = [asked] if asked else ["egl", "osmesa"]
    assert all(name in done.stdout for name in tried)
    assert "apt install libegl1" in done.stdout
