"""Clips: reproducible, and each kind of camera moves as it says while things move."""

from itertools import islice

import numpy as np
import pytest

from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.errors import OptionError
from mtshare_ros.simulator import exposure
from mtshare_ros.simulator.clips import render_clip
from mtshare_ros.simulator.movement.movers import Movement, free_space, movers
from mtshare_ros.simulator.movement.trajectories import KINDS, angles, camera_path, start_pose
from mtshare_ros.simulator.room import make_room
from mtshare_ros.simulator.scene import compile_scene
from mtshare_ros.simulator.simulate import write_clip

SIZE = (64, 48)
SEED = 200_003
RATE = 30


def moved(kind, seed, frames):
    """Return room, poses, and the movers' discs (frames, m, 3), without rendering."""
    rng = np.random.default_rng(seed)
    room = make_room(seed)
    scene = compile_scene(room)
    space = free_space(room.plan)
    pose = start_pose(rng, room)
    path = camera_path(kind, rng, pose, space)
    movement = Movement(rng, scene, space, pose)
    poses, discs = [pose], [movement.discs()]
    for _ in range(frames):
        poses.append(path.step(movement.discs()))
        movement.step(path.disc())
        discs.append(movement.discs())
    return scene, poses, np.array(discs)


def positions(poses):
    return np.array([pose.position for pose in poses])


def standing_clearance(scene, points):
    """Return the distances (n,) of points (n, 2) to furniture and walls as they are drawn."""
    room, moving = scene.room, set(movers(scene.room.plan))
    points = np.asarray(points, float)
    best = (np.array(room.plan.half) - np.abs(points)).min(axis=1)
    data, model = scene.data, scene.model
    for index, placed in enumerate(room.plan.placed):
        label = placed.thing.label
        if index in moving or label in ("floor", "ceiling", "wall", "door", "window"):
            continue
        for geom in np.flatnonzero(model.geom_bodyid == scene.bodies[index]):
            centre = data.geom_xpos[geom]
            # What hangs overhead blocks no one.
            if centre[2] > 1.5:
                continue
            away = np.column_stack([points - centre[:2], np.zeros(len(points))])
            outside = np.abs(away @ data.geom_xmat[geom].reshape(3, 3)) - model.geom_aabb[geom, 3:]
            best = np.minimum(best, np.linalg.norm(np.maximum(outside, 0.0), axis=1))
    return best


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_clip_and_more_frames_only_add_to_it(kind):
    short = list(render_clip(kind, SEED, 4, SIZE))
    long = list(islice(render_clip(kind, SEED, 9, SIZE), 4))
    for one, other in zip(short, long, strict=True):
        assert one.stamp == other.stamp
        for key in ("rgb", "depth", "labels", "normals"):
            np.testing.assert_array_equal(getattr(one, key), getattr(other, key))
        np.testing.assert_array_equal(one.pose.rotation, other.pose.rotation)
    another = next(render_clip(kind, SEED + 1, 1, SIZE))
    assert (another.labels != short[0].labels).mean() > 0.2


def test_frames_come_at_30_hz():
    stamps = [frame.stamp for frame in render_clip("static", SEED, 7, SIZE)]
    expected = stamps[0] + np.arange(7) * 1e9 / 30
    assert np.abs(np.array(stamps) - expected).max() <= 1


def test_a_static_camera_stays_while_things_move():
    frames = list(render_clip("static", SEED, 40, SIZE))
    for frame in frames:
        np.testing.assert_array_equal(frame.pose.position, frames[0].pose.position)
        np.testing.assert_array_equal(frame.pose.rotation, frames[0].pose.rotation)
    changed = (frames[0].labels != frames[-1].labels).mean()
    assert 0.002 < changed < 0.5
    # What did not move is the same to the last bit, but for the noise of the sensor.
    still = np.isclose(frames[0].depth, frames[-1].depth, atol=0, rtol=0)
    assert still.mean() > 0.5
    noise = (frames[0].rgb.astype(int) - frames[1].rgb)[still]
    assert 0.3 < noise.std() < 12


@pytest.mark.parametrize("kind", KINDS)
def test_things_move_in_every_kind_and_no_faster_than_they_can(kind):
    for seed in range(200_000, 200_005):
        _, _, discs = moved(kind, seed, 150)
        steps = np.linalg.norm(np.diff(discs[..., :2], axis=0), axis=-1)
        assert steps.sum(axis=0).max() > 0.5
        assert steps.max() * RATE < 2.0


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_moves_enters_furniture_walls_or_another_mover(kind):
    for seed in range(200_012, 200_016):
        scene, _, discs = moved(kind, seed, 150)
        free = standing_clearance(scene, discs[..., :2].reshape(-1, 2))
        # Legs and tubes stick out of a thing's footprint by a little.
        assert (free >= discs[..., 2].reshape(-1) - 0.05).all()
        for frame in discs[::5]:
            gaps = np.linalg.norm(frame[:, None, :2] - frame[None, :, :2], axis=-1)
            gaps -= frame[:, 2] + frame[None, :, 2].T
            assert (gaps[~np.eye(len(frame), dtype=bool)] > -0.02).all()


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


def test_a_cut_shows_another_room_and_the_clip_goes_on():
    frames = list(render_clip("static", SEED, 6, SIZE, cuts=[3]))
    changed = [(a.labels != b.labels).mean() for a, b in zip(frames, frames[1:], strict=False)]
    assert changed[2] > 0.3 and max(changed[:2] + changed[3:]) < 0.1
    assert {frame.intrinsics for frame in frames} == {frames[0].intrinsics}
    steps = np.diff([frame.stamp for frame in frames])
    assert steps.max() - steps.min() <= 1


def test_exposure_changes_touch_brightness_and_nothing_else(monkeypatch):
    # Corrections more often than a camera's, so that a short clip has some.
    monkeypatch.setattr(exposure, "SHORTEST", 3)
    monkeypatch.setattr(exposure, "LONGEST", 5)
    plain = list(render_clip("static", SEED, 14, SIZE))
    hunting = list(render_clip("static", SEED, 14, SIZE, exposure_changes=True))
    for one, other in zip(plain, hunting, strict=True):
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_array_equal(one.depth, other.depth)
    ratio = np.array([b.rgb.mean() / a.rgb.mean() for a, b in zip(plain, hunting, strict=True)])
    assert ratio[0] == pytest.approx(1.0)
    assert np.abs(ratio - 1).max() > 0.05
    assert np.abs(np.diff(ratio)).max() < 0.2


def test_exposure_stays_within_what_a_camera_corrects():
    hunting = exposure.Exposure(np.random.default_rng(0))
    factors = [hunting.step() for _ in range(2000)]
    assert 0.6 < min(factors) < 0.75 and 1.3 < max(factors) < 1.6


@pytest.mark.parametrize("name", ["clip.mcap", "folder"])
def test_a_written_clip_is_the_rendered_one(tmp_path, name):
    done = []
    write_clip(
        tmp_path / name, "drive", SEED, 3, SIZE, lambda *counts: done.append(counts), cuts=1
    )
    assert done == [(1, 3), (2, 3), (3, 3)]
    read = list(ClipReader(tmp_path / name))
    rendered = list(render_clip("drive", SEED, 3, SIZE, cuts=[1]))
    for one, other in zip(read, rendered, strict=True):
        assert one.stamp == other.stamp
        for key in ("rgb", "depth", "labels"):
            np.testing.assert_array_equal(getattr(one, key), getattr(other, key))
        np.testing.assert_allclose(one.normals, other.normals, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "teleport"}, "static, pan, drive, handheld"),
        ({"seed": -1}, "-1"),
        ({"frames": 0}, "frames 0"),
        ({"size": (0, 48)}, "0x48"),
        ({"size": (100_000, 48)}, "100000x48"),
        ({"textures": "C"}, "'C'"),
        ({"cuts": 5}, "cuts 5"),
    ],
)
def test_what_can_not_be_rendered_is_refused_in_one_line(tmp_path, changes, said):
    settings = {"kind": "pan", "seed": SEED, "frames": 3, "size": SIZE, **changes}
    with pytest.raises(OptionError) as error:
        write_clip(tmp_path / "clip.mcap", **settings)
    assert said in str(error.value) and "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_output_is_refused_and_kept(tmp_path):
    path = tmp_path / "clip.mcap"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="clip.mcap"):
        write_clip(path, "pan", SEED, 3, SIZE)
    assert path.read_text() == "mine"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_camera_on_a_long_way_through_many_rooms_touches_nothing(kind):
    for seed in range(200_100, 200_112):
        scene, poses, _ = moved(kind, seed, 600)
        assert standing_clearance(scene, positions(poses)[:, :2]).min() > 0.05
