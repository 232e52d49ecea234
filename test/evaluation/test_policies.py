"""Policies by name: which frames are computed, held or carried along."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation import policies
from mtshare_ros.evaluation.policies import (
    VARIANTS,
    WARM_UP,
    HoldStream,
    hold_stream,
    open_stream,
    warm_up,
)
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.tasks import TASKS

IMAGE = np.zeros((4, 6, 3), np.uint8)


class Dense:
    """A dense stream that counts its frames."""

    def __init__(self):
        """Start with no frame."""
        self.frames = 0
        self.reasons = []

    def step(self, image, stamp, wanted, focal_length=None):
        """Return the number of the frame as depth."""
        self.frames += 1
        depth = np.full(image.shape[:2], self.frames, np.float32)
        return Predictions(stamp, {"depth": depth}, {}, np.ones((2, 3), bool), "first frame")

    def reset(self, reason="requested"):
        """Remember why."""
        self.reasons.append(reason)


def test_every_third_frame_is_computed_and_held_in_between():
    dense = Dense()
    stream = HoldStream(dense, 3)
    found = [stream.step(IMAGE, stamp, ["depth"]) for stamp in range(7)]
    assert [p.maps["depth"][0, 0] for p in found] == [1, 1, 1, 2, 2, 2, 3]
    assert [p.dirty.mean() for p in found] == [1, 0, 0, 1, 0, 0, 1]
    assert [p.stamp for p in found] == list(range(7))
    assert found[1].reset is None and set(found[1].milliseconds) == {"total"}


def test_after_a_reset_the_next_frame_is_computed():
    dense = Dense()
    stream = HoldStream(dense, 3)
    stream.step(IMAGE, 0, ["depth"])
    stream.reset("a jump")
    assert stream.step(IMAGE, 1, ["depth"]).maps["depth"][0, 0] == 2
    assert dense.reasons == ["a jump"]


def test_only_hold_and_warp_with_a_period_are_held():
    dense, tasks = Dense(), [TASKS["depth"]]
    held = hold_stream("hold:4", dense, tasks)
    assert held is not None and (held.stream, held.period) == (dense, 4)
    assert hold_stream("warp:2", dense, tasks) is not None
    for other in ("dense", "tokens", "hold", "hold:", "hold:0", "warp:x", "carry:2", "holding:2"):
        assert hold_stream(other, dense, tasks) is None


def test_a_policy_of_the_network_is_a_setting_of_its_stream(engine):
    for policy in ("dense", *VARIANTS):
        stream = open_stream(engine, policy, StreamSettings(max_age=7))
        assert isinstance(stream, PerceptionStream)
        assert stream.settings == StreamSettings(max_age=7, policy=policy)
    stream = open_stream(engine, "carry:3", StreamSettings())
    assert isinstance(stream, PerceptionStream)
    assert stream.settings == replace(StreamSettings(policy="dense"), carry_frames=2)


@pytest.mark.parametrize("policy", ["", "sparse", "tokens:3", "carry:0", "hold:-1", "dense:2"])
def test_a_policy_that_there_is_not_is_refused_with_those_that_there_are(engine, policy):
    with pytest.raises(OptionError, match="expected dense, carry:K, hold:K or warp:K .*tokens"):
        open_stream(engine, policy, StreamSettings())


def test_warming_up_runs_a_few_frames_with_all_tasks(engine, steps):
    warm_up(engine)
    assert [step.wanted for step in steps] == [{t.name for t in engine.manifest.tasks}] * WARM_UP


def test_a_warped_map_moves_with_the_image_and_a_held_one_does_not():
    wide = cv2.resize(
        np.random.default_rng(0).integers(0, 255, (12, 20, 3), dtype=np.uint8), (160, 60)
    )
    views = [np.ascontiguousarray(wide[:, 4 * n : 4 * n + 100]) for n in range(6)]

    class Ramp(Dense):
        """Gives the column as depth."""

        def step(self, image, stamp, wanted, focal_length=None):
            found = super().step(image, stamp, wanted, focal_length)
            columns = np.tile(np.arange(100, dtype=np.float32), (60, 1))
            return replace(found, maps={"depth": columns})

    for policy, moved in (("hold:2", 0), ("warp:2", 4)):
        stream = hold_stream(policy, Ramp(), [TASKS["depth"]])
        found = [stream.step(view, n, ["depth"]).maps["depth"] for n, view in enumerate(views)]
        for n, depth in enumerate(found):
            # Every second frame is computed, and what is carried along begins anew there.
            middle = depth[20:40, 30:70] - np.arange(30, 70)
            assert np.median(middle) == pytest.approx(n % 2 * moved, abs=0.51), (policy, n)


def test_a_new_period_begins_with_each_computed_frame():
    dense = Dense()
    stream = HoldStream(dense, 2)
    for stamp in range(3):
        stream.step(IMAGE, stamp, ["depth"])
    stream.reset()
    numbers = [stream.step(IMAGE, n, ["depth"]).maps["depth"][0, 0] for n in range(3, 8)]
    assert numbers == [3, 3, 4, 4, 5]
    every = HoldStream(Dense(), 1)
    assert [every.step(IMAGE, n, []).dirty.all() for n in range(3)] == [True] * 3


def test_a_held_frame_says_so_and_its_time_is_in_milliseconds(monkeypatch):
    class Focal(Dense):
        """Remembers the focal lengths."""

        def step(self, image, stamp, wanted, focal_length=None):
            self.focal_length = focal_length
            return super().step(image, stamp, wanted, focal_length)

    ticks = iter((5.0, 5.25))
    monkeypatch.setattr(policies.time, "perf_counter", lambda: next(ticks))
    stream = HoldStream(Focal(), 2)
    stream.step(IMAGE, 0, ["depth"], 0.7)
    held = stream.step(IMAGE, 1, ["depth"], 0.7)
    assert stream.stream.focal_length == 0.7
    assert held.reset is None and not held.dirty.any() and held.milliseconds == {"total": 250.0}


def test_what_is_held_is_of_the_dense_network_and_all_tasks_are_carried_along(engine):
    for policy in ("hold:2", "warp:3"):
        stream = open_stream(engine, policy, StreamSettings(max_age=7))
        assert isinstance(stream, HoldStream) and isinstance(stream.stream, PerceptionStream)
        assert stream.stream.settings == StreamSettings(max_age=7, policy="dense")
        assert list(stream._warped) == list(engine.manifest.tasks if policy == "warp:3" else ())


def test_each_variant_lacks_one_part_of_the_default():
    default = VARIANTS["tokens"]
    for name, change in {
        "tokens-noise": {"noise": False},
        "tokens-spread": {"spread": 0.0},
        "tokens-context": {"context": 0.0},
        "tokens-age": {"ageing": False},
    }.items():
        assert VARIANTS[name] == replace(default, **change) != default
