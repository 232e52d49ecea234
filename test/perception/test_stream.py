"""One camera's stream: resets, budget, age, demand, several streams on one engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtshare_ros.perception.engines.interface import Engine, EngineError, EngineOutput
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from support.hand_made import WIDE, HandMadeEngine, manifest_of
from support.samples import coarse_image

TASKS = ["normals", "depth", "segmentation"]
FRAME = 33_333_333


def _same(a: Predictions, b: Predictions) -> bool:
    return all(
        mine.keys() == theirs.keys()
        and all(np.array_equal(mine[k], theirs[k], equal_nan=mine[k].dtype != "u1") for k in mine)
        for mine, theirs in ((a.maps, b.maps), (a.confidence, b.confidence))
    )


def test_outputs_follow_the_contract(engine: Engine) -> None:
    stream = PerceptionStream(engine, StreamSettings(output_size="input"))
    got = stream.step(coarse_image(size=(200, 150)), 7, TASKS)
    assert got.stamp == 7 and got.reset == "first frame" and got.dirty.all()
    types = {name: array.dtype for name, array in got.maps.items()}
    assert types == {"normals": np.float32, "depth": np.float32, "segmentation": np.uint8}
    assert {array.shape[:2] for array in got.maps.values()} == {(150, 200)}
    assert got.confidence["segmentation"].shape == (150, 200)
    assert np.abs(np.linalg.norm(got.maps["normals"], axis=2) - 1).max() < 1e-5
    assert got.milliseconds["total"] >= sum(got.milliseconds[task] for task in TASKS)


def test_a_still_scene_computes_only_what_age_demands(engine: Engine) -> None:
    stream = PerceptionStream(engine, StreamSettings(max_age=8))
    stream.step(coarse_image(), 0, TASKS)
    age = np.zeros(48, int)
    for frame in range(1, 30):
        dirty = stream.step(coarse_image(), frame * FRAME, TASKS).dirty.reshape(-1)
        assert 0 < dirty.sum() <= 6
        age = np.where(dirty, 0, age + 1)
        assert age.max() < 8


def test_a_slow_drift_adds_up_until_it_fires(engine: Engine) -> None:
    stream = PerceptionStream(engine, StreamSettings(max_age=10_000, change_threshold=6))
    fired = []
    for frame in range(9):
        image = coarse_image()
        image[:16, :16] += frame  # one level per frame: never above the threshold at once
        fired.append(bool(stream.step(image, frame * FRAME, TASKS).dirty[0, 0]))
    # Urgency is change x age: 1, 4, 9, then anew from the frame that was computed.
    assert fired[1:] == [False, False, True, False, False, True, False, False]


def test_the_budget_bounds_a_frame_and_what_waited_comes_next(engine: Engine) -> None:
    settings = StreamSettings(max_dirty_fraction=0.25, max_age=10_000)
    stream = PerceptionStream(engine, settings)
    image = coarse_image()
    stream.step(image, 0, TASKS)
    image = image.copy()
    image[:64] += 40  # 32 of 48 tokens
    seen = np.zeros((6, 8), bool)
    for frame in range(1, 4):
        dirty = stream.step(image, frame * FRAME, TASKS).dirty
        assert dirty.sum() <= 12
        seen |= dirty
    assert seen[:4].all()


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (lambda s: s.step(coarse_image(size=(160, 120)), FRAME, TASKS), "size"),
        (lambda s: s.step(coarse_image(), -FRAME, TASKS), "clock"),
        (lambda s: s.step(coarse_image(), 5_000_000_000, TASKS), "clock"),
        (lambda s: s.step(coarse_image(seed=5), FRAME, TASKS), "cut"),
        (lambda s: (s.reset(), s.step(coarse_image(), FRAME, TASKS))[1], "requested"),
    ],
)
def test_a_reset_recomputes_everything_whatever_the_budget(
    engine: Engine, second: Any, reason: str
) -> None:
    settings = StreamSettings(max_dirty_fraction=0.1)
    stream = PerceptionStream(engine, settings)
    stream.step(coarse_image(), 0, TASKS)
    got = second(stream)
    assert got.reset == reason and got.dirty.all()


def test_after_a_cut_the_result_is_that_of_a_fresh_stream(engine: Engine) -> None:
    stream = PerceptionStream(engine)
    stream.step(coarse_image(), 0, TASKS)
    cut = stream.step(coarse_image(seed=5), FRAME, TASKS)
    assert _same(cut, PerceptionStream(engine).step(coarse_image(seed=5), FRAME, TASKS))


def test_streams_on_one_engine_do_not_meet(engine: Engine) -> None:
    alone, a, b = (PerceptionStream(engine) for _ in range(3))
    for frame in range(4):
        moved = coarse_image(1).copy()
        moved[16 * frame : 16 * frame + 16] += 30
        expected = alone.step(moved, frame * FRAME, TASKS)
        b.step(coarse_image(frame + 2), frame * FRAME, TASKS)
        assert _same(a.step(moved, frame * FRAME, TASKS), expected)


def test_dense_policy_equals_a_fresh_stream_every_frame(engine: Engine) -> None:
    stream = PerceptionStream(engine, StreamSettings(policy="dense"))
    for frame in range(3):
        got = stream.step(coarse_image(frame // 2), frame * FRAME, TASKS)
        assert got.dirty.all()
        assert _same(got, PerceptionStream(engine).step(coarse_image(frame // 2), 0, TASKS))


def test_depth_scales_with_the_focal_length_and_ends_at_max_depth(engine: Engine) -> None:
    near = PerceptionStream(engine).step(coarse_image(), 0, ["depth"]).maps["depth"]
    far = (
        PerceptionStream(engine).step(coarse_image(), 0, ["depth"], focal_length=1.6).maps["depth"]
    )
    assert near is not None and far is not None
    assert np.allclose(far, 2 * near, rtol=1e-5)
    limit = float(np.median(near))
    cut = PerceptionStream(engine, StreamSettings(max_depth=limit)).step(
        coarse_image(), 0, ["depth"]
    )
    assert np.array_equal(np.isnan(cut.maps["depth"]), near > limit)  # type: ignore[arg-type]


class _FailsOnce:
    """An engine whose second frame fails after half of its work."""

    name = "fails once"

    def __init__(self, engine: Engine) -> None:
        self._engine, self.manifest, self.calls = engine, engine.manifest, 0
        self.sizes = engine.sizes

    def new_state(self) -> Any:
        return self._engine.new_state()

    def run(
        self, state: Any, image: Any, base_index: Any, task_index: Mapping[str, Any]
    ) -> EngineOutput:
        self.calls += 1
        output = self._engine.run(state, image, base_index, task_index)
        if self.calls == 2:
            raise EngineError("out of memory")
        return output


def test_a_failed_frame_drops_the_cache_and_the_next_is_dense(engine: Engine) -> None:
    stream = PerceptionStream(_FailsOnce(engine))
    stream.step(coarse_image(), 0, TASKS)
    with pytest.raises(EngineError, match="out of memory"):
        stream.step(coarse_image(), FRAME, TASKS)
    got = stream.step(coarse_image(), 2 * FRAME, TASKS)
    assert got.reset == "engine failure" and got.dirty.all()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((96, 128), np.uint8),
        np.zeros((96, 128, 4), np.uint8),
        np.zeros((96, 128, 3), np.float32),
        np.zeros((8, 8, 3), np.uint8),
    ],
)
def test_what_is_no_image_is_refused(engine: Engine, image: Any) -> None:
    with pytest.raises(ValueError, match="image: found"):
        PerceptionStream(engine).step(image, 0, TASKS)


def test_unknown_or_no_tasks_are_refused(engine: Engine) -> None:
    for wanted in ([], ["edges"]):
        with pytest.raises(ValueError, match="wanted"):
            PerceptionStream(engine).step(coarse_image(), 0, wanted)


@pytest.mark.parametrize(
    "bad",
    [
        {"max_dirty_fraction": 1.5},
        {"max_age": 0},
        {"change_threshold": -1.0},
        {"output_size": "half"},
        {"max_depth": 0.0},
    ],
)
def test_settings_out_of_range_are_refused_by_name(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        StreamSettings(**bad)


def test_a_policy_that_is_not_known_is_refused_by_name(engine: Engine) -> None:
    known = "policy: 'sometimes', expected one of dense, tokens, change, age"
    with pytest.raises(ValueError, match=known):
        PerceptionStream(engine, StreamSettings(policy="sometimes"))


class _NotFinite(_FailsOnce):
    """An engine whose second frame is not a number."""

    def run(self, state: Any, image: Any, base_index: Any, task_index: Any) -> EngineOutput:
        self.calls += 1
        output = self._engine.run(state, image, base_index, task_index)
        if self.calls == 2:
            output.raw["depth"][0, 0, 0] = np.nan
        return output


def test_what_is_not_finite_is_never_served(engine: Engine) -> None:
    stream = PerceptionStream(_NotFinite(engine))
    stream.step(coarse_image(), 0, TASKS)
    with pytest.raises(EngineError, match="depth is not finite"):
        stream.step(coarse_image(), FRAME, TASKS)
    assert stream.step(coarse_image(), 2 * FRAME, TASKS).reset == "engine failure"


def test_a_reset_allocates_no_new_caches(engine: Engine) -> None:
    counted = _FailsOnce(engine)
    states = []
    counted.new_state = lambda: states.append(1) or engine.new_state()  # type: ignore[method-assign]
    stream = PerceptionStream(counted)
    stream.step(coarse_image(), 0, TASKS)
    stream.reset()
    counted.calls = 2
    stream.step(coarse_image(seed=5), FRAME, TASKS)
    assert len(states) == 1


@pytest.mark.parametrize("focal_length", [0.0, -0.8, 1000.0, float("nan"), float("inf")])
def test_a_focal_length_that_is_none_is_refused(focal_length: float) -> None:
    engine = HandMadeEngine()
    with pytest.raises(ValueError, match="focal_length: .* expected fx / width"):
        PerceptionStream(engine).step(coarse_image(), 0, TASKS, focal_length)
    assert not engine.rows


def test_depth_is_that_of_the_camera_and_not_of_training_s() -> None:
    engine = HandMadeEngine()
    engine.raw["depth"] = np.full((1, 16, 40), np.log(15.0), np.float32)
    for focal_length, expected in ((None, 15.0), (0.6, 15.0), (0.9, 22.5), (0.3, 7.5)):
        stream = PerceptionStream(engine, StreamSettings(max_depth=100.0))
        depth = stream.step(coarse_image(), 0, ["depth"], focal_length).maps["depth"]
        assert depth == pytest.approx(expected, rel=1e-4)


def test_outputs_of_another_size_follow_from_the_next_frame_on() -> None:
    stream = PerceptionStream(HandMadeEngine())
    image = coarse_image(size=(200, 90))
    sizes = []
    for frame, size in enumerate(("model", "input", "model")):
        stream.settings = StreamSettings(output_size=size)
        found = stream.step(image, frame * FRAME, TASKS)
        assert found.reset == (None if frame else "first frame")
        assert len({array.shape[:2] for array in found.maps.values()}) == 1
        sizes.append(found.size())
    assert sizes == [(160, 64), (200, 90), (160, 64)]


def test_stamps_may_stand_still_or_pause_for_two_seconds_and_no_longer() -> None:
    stream = PerceptionStream(HandMadeEngine())
    stamps = [10, 10, 2_000_000_010, 4_000_000_010, 6_000_000_011, 6_000_000_010]
    resets = [stream.step(coarse_image(), stamp, TASKS).reset for stamp in stamps]
    assert resets == ["first frame", None, None, None, "clock", "clock"]


def test_an_image_that_was_turned_is_of_another_size() -> None:
    stream = PerceptionStream(HandMadeEngine())
    flat = np.full((90, 120, 3), 90, np.uint8)
    assert stream.step(flat, 0, TASKS).reset == "first frame"
    assert stream.step(flat.transpose(1, 0, 2), FRAME, TASKS).reset == "size"
    assert stream.step(flat.transpose(1, 0, 2), 2 * FRAME, TASKS).reset is None


def test_the_caches_of_a_failed_frame_are_not_used_again() -> None:
    engine = HandMadeEngine()
    stream = PerceptionStream(engine)
    stream.step(coarse_image(), 0, TASKS)

    def fail(number: int) -> None:
        raise EngineError("out of memory")

    engine.before = fail
    for frame in (1, 2):
        with pytest.raises(EngineError, match="out of memory"):
            stream.step(coarse_image(), frame * FRAME, TASKS)
    engine.before = lambda number: None
    assert engine.states == 2  # the second failure had a state of its own
    found = stream.step(coarse_image(), 3 * FRAME, TASKS)
    assert engine.states == 3 and found.reset == "engine failure"
    assert stream.step(coarse_image(), 4 * FRAME, TASKS).reset is None and engine.states == 3


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("task", ["normals", "segmentation"])
def test_a_value_that_is_not_finite_is_refused_in_every_task(task: str, value: float) -> None:
    engine = HandMadeEngine()
    raw = np.zeros((engine.manifest.task(task).channels, 16, 40), np.float32)
    raw[-1, 15, 39] = value
    engine.raw[task] = raw
    with pytest.raises(EngineError, match=f"{task} is not finite"):
        PerceptionStream(engine).step(coarse_image(), 0, TASKS)


def test_the_engine_gets_the_image_as_the_manifest_says() -> None:
    spec = replace(WIDE, mean=(10.0, 20.0, 30.0), scale=0.5)
    engine, images = HandMadeEngine(manifest_of(spec)), []
    run = engine.run

    def noting(state: Any, image: Any, *indices: Any) -> EngineOutput:
        images.append(image)
        return run(state, image, *indices)

    engine.run = noting  # type: ignore[method-assign]
    image = np.full((90, 200, 3), (12, 20, 40), np.uint8)
    PerceptionStream(engine).step(image, 0, TASKS)
    assert images[0].shape == (1, 3, 64, 160)
    assert images[0][0, :, 5, 7].tolist() == [1.0, 0.0, 5.0]


@pytest.mark.parametrize(
    "bad",
    [
        {"max_dirty_fraction": -0.1},
        {"max_dirty_fraction": float("nan")},
        {"deadline_ms": -1.0},
        {"deadline_ms": float("nan")},
        {"change_threshold": float("nan")},
        {"max_depth": float("nan")},
        {"max_depth": -1.0},
        {"carry_frames": -1},
        {"task_every": {"depth": 0}},
    ],
)
def test_settings_that_are_no_numbers_or_below_their_range_are_refused(
    bad: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        StreamSettings(**bad)


def test_the_age_in_computed_frames_is_never_less_than_one() -> None:
    ages = [
        StreamSettings(max_age=a, carry_frames=c).max_computed_age
        for a, c in ((30, 0), (30, 1), (8, 2), (9, 2), (2, 5))
    ]
    assert ages == [30, 15, 2, 3, 1]
