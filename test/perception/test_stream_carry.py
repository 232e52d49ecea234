"""Frames that a stream does not compute but carries along: how many, when not, and what of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.motion import carrier
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from support.hand_made import WIDE, HandMadeEngine
from support.samples import coarse_image

TASKS = ["normals", "depth", "segmentation"]
FRAME = 33_333_333


def ages(stream: PerceptionStream, frames: int, **options: Any) -> list[int]:
    """Return for each of some frames of a still scene how long ago its outputs were computed."""
    return [
        stream.step(coarse_image(), number * FRAME, TASKS, **options).carried
        for number in range(frames)
    ]


def test_so_many_frames_are_carried_and_one_is_computed(engine: Engine) -> None:
    stream = PerceptionStream(engine, StreamSettings(policy="dense", carry_frames=2))
    assert ages(stream, 8) == [0, 1, 2, 0, 1, 2, 0, 1]
    assert ages(PerceptionStream(engine), 3) == [0, 0, 0]


def test_a_carried_frame_has_its_own_stamp_and_no_dirty_token(engine: Engine) -> None:
    stream = PerceptionStream(engine, StreamSettings(carry_frames=1, output_size="input"))
    image = coarse_image(size=(200, 150))
    key = stream.step(image, 5, TASKS)
    kept = {name: array.copy() for name, array in key.maps.items()}
    found = stream.step(image, 5 + FRAME, TASKS)
    assert found.stamp == 5 + FRAME and found.carried == 1 and found.reset is None
    assert not found.dirty.any() and found.dirty.shape == key.dirty.shape
    assert set(found.milliseconds) == {"prepare", "carry", "total"}
    for name, array in kept.items():
        here = found.maps[name]
        assert here.shape == array.shape and here.dtype == array.dtype
        # The scene stands still, so what is carried is what was computed.
        assert np.mean(np.abs(here.astype(float) - array) > 0.02) < 0.01
        assert np.array_equal(key.maps[name], array), "the key frame's arrays are untouched"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.step(coarse_image(seed=5), FRAME, TASKS), "cut"),
        (lambda s: s.step(coarse_image(), 5_000_000_000, TASKS), "clock"),
        (lambda s: s.step(coarse_image(size=(160, 120)), FRAME, TASKS), "size"),
        (lambda s: (s.reset(), s.step(coarse_image(), FRAME, TASKS))[1], "requested"),
        (lambda s: s.step(coarse_image(), FRAME, ["depth"]), None),
        (lambda s: s.step(coarse_image(), FRAME, TASKS, focal_length=1.1), None),
        (lambda s: s.step(lit(coarse_image()), FRAME, TASKS), None),
    ],
)
def test_what_is_kept_is_not_carried_where_it_says_nothing(
    engine: Engine, change: Any, reason: str | None
) -> None:
    stream = PerceptionStream(engine, StreamSettings(carry_frames=100))
    assert ages(stream, 1) == [0]
    found = change(stream)
    assert found.carried == 0 and found.dirty.any() and found.reset == reason


def lit(image: np.ndarray) -> np.ndarray:
    """Return an image with a lamp that was switched on over half of it."""
    image = image.copy()
    image[: len(image) // 2] = np.minimum(image[: len(image) // 2].astype(int) + 60, 255)
    return image


@pytest.mark.parametrize(
    "changes",
    [{"max_depth": 1.0}, {"output_size": "input"}, {"policy": "dense"}, {"max_age": 5}, {}],
)
def test_changed_settings_are_not_served_from_before(changes: dict[str, Any]) -> None:
    engine = HandMadeEngine()
    stream = PerceptionStream(engine, StreamSettings(carry_frames=100))
    image = coarse_image(size=(200, 90))
    assert [stream.step(image, n * FRAME, TASKS).carried for n in range(3)] == [0, 1, 2]
    stream.settings = StreamSettings(**{"carry_frames": 100, **changes})
    found = stream.step(image, 3 * FRAME, TASKS)
    assert found.carried == 0 and found.reset is None and len(engine.rows) == 2
    assert found.size() == ((200, 90) if "output_size" in changes else (160, 64))
    assert stream.step(image, 4 * FRAME, TASKS).carried == 1


def test_frames_are_no_longer_carried_when_that_is_switched_off() -> None:
    stream = PerceptionStream(HandMadeEngine(), StreamSettings(carry_frames=100))
    image = coarse_image()
    assert [stream.step(image, n * FRAME, TASKS).carried for n in range(2)] == [0, 1]
    stream.settings = StreamSettings()
    assert [stream.step(image, n * FRAME, TASKS).carried for n in range(2, 5)] == [0] * 3
    stream.settings = StreamSettings(carry_frames=1)
    assert [stream.step(image, n * FRAME, TASKS).carried for n in range(5, 8)] == [0, 1, 0]


def test_a_stamp_that_jumps_within_what_is_carried_is_seen() -> None:
    stream = PerceptionStream(HandMadeEngine(), StreamSettings(carry_frames=100))
    second = 1_000_000_000
    stamps = [0, 15 * second // 10, 3 * second, 45 * second // 10, 40 * second // 10]
    found = [stream.step(coarse_image(), stamp, TASKS) for stamp in stamps]
    # Never more than two seconds from one frame to the next, but for the last, which goes back.
    assert [f.carried for f in found] == [0, 1, 2, 3, 0]
    assert [f.reset for f in found] == ["first frame", None, None, None, "clock"]


def test_a_camera_of_training_s_focal_length_is_the_same_camera() -> None:
    stream = PerceptionStream(HandMadeEngine(), StreamSettings(carry_frames=100))
    focal_lengths = (None, WIDE.focal_length, None, 0.7, 0.7, None)
    carried = [
        stream.step(coarse_image(), n * FRAME, TASKS, focal_length).carried
        for n, focal_length in enumerate(focal_lengths)
    ]
    assert carried == [0, 1, 2, 0, 1, 0]


def test_the_camera_of_a_stretched_image_has_square_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cameras = []

    def spy(where: Any, depth: Any, camera: Any) -> None:
        cameras.append((where.shape, camera))

    monkeypatch.setattr(carrier, "rigid_motion", spy)
    for output_size in ("model", "input"):
        settings = StreamSettings(carry_frames=1, output_size=output_size)
        stream = PerceptionStream(HandMadeEngine(), settings)
        for frame in range(2):
            stream.step(coarse_image(size=(200, 90)), frame * FRAME, TASKS, 0.5)
    (at_model, model), (at_input, image) = cameras
    assert at_model == (64, 160, 2) and at_input == (90, 200, 2)
    assert (image.fx, image.fy, image.cx, image.cy) == (100.0, 100.0, 99.5, 44.5)
    assert (model.fx, model.fy) == pytest.approx((80.0, 100.0 * 64 / 90))
    assert (model.cx, model.cy) == (79.5, 31.5)


def test_every_token_is_recomputed_within_max_age_though_frames_are_carried(
    engine: Engine,
) -> None:
    stream = PerceptionStream(engine, StreamSettings(max_age=8, carry_frames=1))
    age = np.zeros((6, 8), int)
    for number in range(40):
        dirty = stream.step(coarse_image(), number * FRAME, TASKS).dirty
        age = np.where(dirty, 0, age + 1)
        assert age.max() < 8


def test_depth_beyond_max_depth_is_invalid_after_carrying_too(engine: Engine) -> None:
    near = PerceptionStream(engine).step(coarse_image(), 0, ["depth"]).maps["depth"]
    limit = float(np.median(near))
    settings = StreamSettings(max_depth=limit, carry_frames=3, policy="dense")
    stream = PerceptionStream(engine, settings)
    for number in range(4):
        depth = stream.step(coarse_image(), number * FRAME, ["depth"]).maps["depth"]
        assert 0.3 < np.isnan(depth).mean() < 0.7
        assert np.nanmax(depth) <= limit


def test_tasks_with_a_rate_of_their_own_are_carried_with_their_frame(engine: Engine) -> None:
    settings = StreamSettings(task_every={"depth": 2}, carry_frames=1, policy="dense")
    stream = PerceptionStream(engine, settings)
    has_depth = [
        "depth" in stream.step(coarse_image(), number * FRAME, TASKS).maps for number in range(8)
    ]
    assert has_depth[:2] == [True, True] and sum(has_depth) in (4, 6)
    assert has_depth[0::2] == has_depth[1::2]


def test_one_task_alone_is_carried(engine: Engine) -> None:
    for task in TASKS:
        stream = PerceptionStream(engine, StreamSettings(carry_frames=1))
        stream.step(coarse_image(), 0, [task])
        found = stream.step(coarse_image(), FRAME, [task])
        assert found.carried == 1
        got = ["normals" in found.maps, "depth" in found.maps, "segmentation" in found.maps]
        assert got == [task == name for name in TASKS]


def test_frames_to_carry_must_not_be_negative() -> None:
    with pytest.raises(ValueError, match="carry_frames: -1, expected 0 or more"):
        StreamSettings(carry_frames=-1)
