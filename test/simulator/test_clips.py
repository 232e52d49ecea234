"""Clips: reproducible, and each kind of camera moves as it says while things move."""

from itertools import islice

import numpy as np
import pytest

from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.errors import OptionError
from mtshare_ros.simulator import sensor
from mtshare_ros.simulator.clips import render_clip
from mtshare_ros.simulator.movement.trajectories import KINDS
from mtshare_ros.simulator.simulate import write_clip

SIZE = (64, 48)
SEED = 200_003
RATE = 30


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


def test_a_cut_shows_another_room_and_the_clip_goes_on():
    frames = list(render_clip("static", SEED, 6, SIZE, cuts=[3]))
    changed = [(a.labels != b.labels).mean() for a, b in zip(frames, frames[1:], strict=False)]
    assert changed[2] > 0.3 and max(changed[:2] + changed[3:]) < 0.1
    assert {frame.intrinsics for frame in frames} == {frames[0].intrinsics}
    steps = np.diff([frame.stamp for frame in frames])
    assert steps.max() - steps.min() <= 1


def test_exposure_changes_touch_brightness_and_nothing_else(monkeypatch):
    # Corrections more often than a camera's, so that a short clip has some.
    monkeypatch.setattr(sensor, "SHORTEST", 3)
    monkeypatch.setattr(sensor, "LONGEST", 5)
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
    hunting = sensor.Exposure(np.random.default_rng(0))
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
