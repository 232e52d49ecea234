"""One camera between the thread that answers its frames and the one that makes its keys."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.serving.channel import Channel
from mtshare_ros.perception.serving.server import ServeSettings
from mtshare_ros.perception.stream_settings import StreamSettings
from support.hand_made import HandMadeEngine, manifest_of
from support.panning import FRAME_NS, SPEC, view

THREE = ["normals", "depth", "segmentation"]
PATIENCE = 60.0


def opened() -> tuple[Channel, HandMadeEngine]:
    """Return a channel on an engine that sees a wall two metres away."""
    engine = HandMadeEngine(manifest_of(SPEC))
    shape = (1, SPEC.height // SPEC.fine_stride, SPEC.width // SPEC.fine_stride)
    engine.raw["depth"] = np.full(shape, np.log(2.0), np.float32)
    normals = np.zeros((3, *shape[1:]), np.float32)
    normals[2] = -1.0
    engine.raw["normals"] = normals
    channel = Channel(engine)
    channel.settle(StreamSettings(), ServeSettings(fill=True, fuse=1.0))
    return channel, engine


@contextmanager
def at_work(channel: Channel, engine: HandMadeEngine) -> Iterator[Callable[[], None]]:
    """Let another thread be at a key until what is returned is called, or the end."""
    inside, release = threading.Event(), threading.Event()

    def hold(number: int) -> None:
        inside.set()
        assert release.wait(PATIENCE)

    engine.before = hold
    thread = threading.Thread(target=channel.compute)
    thread.start()
    assert inside.wait(PATIENCE)

    def finish() -> None:
        release.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        engine.before = lambda number: None

    try:
        yield finish
    finally:
        finish()


def test_a_key_is_made_of_the_newest_frame_and_once() -> None:
    channel, engine = opened()
    assert channel.compute() is None and channel.in_work is None
    channel.look(view(0, 0), THREE)
    channel.look(view(2, 1), THREE)
    made = channel.compute()
    assert made is not None and made.view.stamp == FRAME_NS
    assert made.predictions.stamp == FRAME_NS and list(made.predictions.maps) == THREE
    own = made.served()
    assert own.coverage == 1.0 and own.age_ns == 0 and own.known().all()
    assert channel.compute() is None and len(engine.rows) == 1
    found = channel.serve(THREE)
    assert found is not None and found.age_ns == 0


def test_frames_are_served_while_the_network_works() -> None:
    channel, engine = opened()
    channel.look(view(0, 0), THREE)
    channel.compute()
    channel.look(view(2, 1), THREE)
    with at_work(channel, engine) as finish:
        assert channel.in_work is not None and channel.in_work.stamp == FRAME_NS
        for frame in (2, 3):
            channel.look(view(2 * frame, frame), THREE)
            found = channel.serve(THREE)
            assert found is not None and found.age_ns == frame * FRAME_NS
        finish()
    assert channel.in_work is None
    found = channel.serve(THREE)
    assert found is not None and found.age_ns == 2 * FRAME_NS


def test_what_was_in_work_at_a_reset_is_never_served_and_the_cache_is_dropped() -> None:
    channel, engine = opened()
    channel.look(view(0, 0), THREE)
    with at_work(channel, engine) as finish:
        channel.reset("requested")
        channel.look(view(0, 1), THREE)
        finish()
    assert channel.serve(THREE) is None
    made = channel.compute()
    assert made is not None and made.predictions.reset == "requested"
    assert made.predictions.dirty.all() and channel.serve(THREE) is not None
    assert len(engine.rows[1]["base"]) == SPEC.tokens


def test_a_cut_that_the_network_never_saw_drops_its_cache_too() -> None:
    """There and back again between two keys: the network's own frames look alike."""
    channel, _ = opened()
    channel.look(view(0, 0), THREE)
    channel.compute()
    assert channel.look(view(180, 1), THREE) == "cut"
    assert channel.look(view(0, 2), THREE) == "cut"
    assert channel.serve(THREE) is None
    made = channel.compute()
    assert made is not None and made.predictions.reset == "cut"


@pytest.mark.parametrize("error", [EngineError("out of memory"), TypeError("out of memory")])
def test_an_engine_that_fails_leaves_the_older_keys_and_works_on_the_next_frame(
    error: Exception,
) -> None:
    channel, engine = opened()
    channel.look(view(0, 0), THREE)
    channel.compute()

    def fail(number: int) -> None:
        raise error

    engine.before = fail
    channel.look(view(2, 1), THREE)
    with pytest.raises(type(error), match="out of memory"):
        channel.compute()
    found = channel.serve(THREE)
    assert found is not None and found.age_ns == FRAME_NS
    assert channel.compute() is None  # Not the same frame once more.
    engine.before = lambda number: None
    channel.look(view(4, 2), THREE)
    made = channel.compute()
    assert made is not None and made.predictions.reset == "engine failure"


def test_keys_are_so_many_frames_apart() -> None:
    channel, _ = opened()
    channel.settle(StreamSettings(carry_frames=2), ServeSettings())
    wants = []
    for frame in range(8):
        channel.look(view(0, frame), THREE)
        wants.append(channel.wants_key)
        if channel.wants_key:
            found = channel.compute()
            assert found is not None and found.predictions.carried == 0
    assert wants == [True, False, False] * 2 + [True, False]


def test_after_a_reset_the_next_frame_has_a_key_however_far_apart_they_are() -> None:
    channel, engine = opened()
    channel.settle(StreamSettings(carry_frames=9), ServeSettings())
    channel.look(view(0, 0), THREE)
    with at_work(channel, engine) as finish:
        channel.look(view(0, 1), THREE)
        assert not channel.wants_key, "one is in work"
        channel.reset("requested")
        channel.look(view(0, 2), THREE)
        assert channel.wants_key, "what is in work will not be served"
        finish()
    assert channel.wants_key
    channel.compute()
    channel.look(view(0, 3), THREE)
    assert not channel.wants_key


def test_settings_of_the_network_hold_from_the_next_key_on() -> None:
    channel, engine = opened()
    channel.look(view(0, 0), THREE)
    channel.compute()
    channel.settle(StreamSettings(policy="dense"), ServeSettings())
    channel.look(view(0, 1), THREE)
    channel.compute()
    assert len(engine.rows[1]["base"]) == SPEC.tokens
    channel.settle(StreamSettings(max_age=12), ServeSettings())
    channel.look(view(0, 2), THREE)
    channel.compute()
    assert len(engine.rows[2]["base"]) == SPEC.tokens // 12


@pytest.mark.parametrize(
    ("changed", "is_served"),
    [({"output_size": "input"}, False), ({"max_depth": 1.5}, False), ({"max_age": 7}, True)],
)
def test_a_key_of_another_size_or_range_is_not_served(
    changed: dict[str, object], is_served: bool
) -> None:
    channel, _ = opened()
    channel.look(view(0, 0), THREE)
    channel.compute()
    channel.settle(StreamSettings(**changed), ServeSettings())  # type: ignore[arg-type]
    channel.look(view(0, 1), THREE)
    assert (channel.serve(THREE) is not None) == is_served
    made = channel.compute()
    assert made is not None and made.predictions.reset is None
    found = channel.serve(THREE)
    assert found is not None
    assert np.isnan(found.predictions.maps["depth"]).all() == ("max_depth" in changed)


def test_a_task_that_is_newly_wanted_comes_with_the_next_key_and_the_others_never_pause() -> None:
    channel, _ = opened()
    channel.look(view(0, 0), ["depth"])
    channel.compute()
    channel.look(view(0, 1), THREE)
    found = channel.serve(THREE)
    assert found is not None and list(found.predictions.maps) == ["depth"]
    channel.compute()
    found = channel.serve(THREE)
    assert found is not None and list(found.predictions.maps) == THREE


def test_a_task_whose_turn_is_rare_is_served_from_its_own_key() -> None:
    channel, _ = opened()
    settings = StreamSettings(task_every={"depth": 3})
    channel.settle(settings, ServeSettings(fill=True, fuse=0.5))
    ages = []
    for frame in range(7):
        channel.look(view(0, frame), THREE)
        channel.compute()
        found = channel.serve(THREE)
        assert found is not None and list(found.predictions.maps) == THREE
        assert found.predictions.maps["depth"][20:-20, 20:-20] == pytest.approx(2.0, abs=0.02)
        ages.append((found.predictions.stamp - found.key_stamps["depth"]) // FRAME_NS)
        assert found.key_stamps["normals"] == found.predictions.stamp
    assert ages == [0, 1, 0, 1, 2, 0, 1]


def test_a_frame_waits_for_the_network_only_if_it_can_be_expected_in_time() -> None:
    channel, engine = opened()
    channel.look(view(0, 0), THREE)

    def waited(seconds: float) -> float:
        began = time.perf_counter()
        channel.wait(seconds)
        return time.perf_counter() - began

    assert waited(0.5) < 0.2  # Nothing is known yet about how long the network takes.
    channel.compute()
    channel._expected_ms = 5.0
    channel.look(view(0, 1), THREE)
    with at_work(channel, engine):
        assert waited(0.3) >= 0.29  # It takes longer than expected.
        assert waited(0.004) < 0.1
        channel.look(view(0, 2), THREE)
        assert waited(0.5) < 0.2  # The network is at an older frame.


def test_a_frame_that_waits_goes_on_as_soon_as_its_key_is_there() -> None:
    channel, engine = opened()
    channel.look(view(0, 0), THREE)
    channel.compute()
    channel._expected_ms = 5.0
    channel.look(view(0, 1), THREE)
    with at_work(channel, engine) as finish:
        threading.Timer(0.1, finish).start()
        began = time.perf_counter()
        channel.wait(PATIENCE)
        assert time.perf_counter() - began < PATIENCE / 2
        found = channel.serve(THREE)
        assert found is not None and found.age_ns == 0


def test_how_long_the_network_takes_is_learned() -> None:
    channel, engine = opened()
    times = []
    for frame in range(4):
        channel.look(replace(view(0, 0), stamp=frame * FRAME_NS), THREE)
        engine.before = lambda number: time.sleep(0.05)
        channel.compute()
        times.append(channel._expected_ms)
    assert all(50 <= t < 500 for t in times)
