"""What each way to serve a camera has answered by when: cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mtshare_ros.evaluation.frames import InputFrame
from mtshare_ros.evaluation.policies import open_stream
from mtshare_ros.evaluation.streaming.contenders import Beside, Ideal, OneThread, Way
from mtshare_ros.evaluation.streaming.times import Pace
from mtshare_ros.perception.serving.server import Server, ServeSettings
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from support.hand_made import HandMadeEngine, manifest_of
from support.panning import FRAME_NS, SPEC, image

FRAME = 1e-9 * FRAME_NS
DENSE = StreamSettings(policy="dense")
PACE = Pace(network_ms=80.0, serve_ms=5.0)


def engine() -> HandMadeEngine:
    """Return an engine whose depth is 1 m in the first frame that it sees, 2 m in the next..."""
    result = HandMadeEngine(manifest_of(SPEC))
    shape = (1, SPEC.height // SPEC.fine_stride, SPEC.width // SPEC.fine_stride)

    def count(number: int) -> None:
        result.raw["depth"] = np.full(shape, np.log(number + 1.0), np.float32)

    result.before = count
    return result


def beside(wait: float = 0.0, pace: Pace = PACE) -> Beside:
    stream = PerceptionStream(engine(), DENSE)
    settings = ServeSettings(fill=True, fuse=1.0)
    server = Server(stream.engine.manifest.tasks, SPEC, settings)
    return Beside(stream, server, ["depth"], pace, wait)


def play(way: Way, frames: int, cuts: tuple[int, ...] = ()) -> list[tuple[int, float, float, int]]:
    """Return of each answer its frame, its time and age in milliseconds, and its metres."""
    came = []
    for number in range(frames + 12):
        now = number * FRAME
        for answer in way.until(now):
            assert answer.time <= now + 1e-9
            metres = float(np.median(answer.maps["depth"]))
            came.append((answer.number, 1e3 * answer.time, 1e3 * answer.age, round(metres)))
        if number < frames:
            shift = 180 * (sum(cut <= number for cut in cuts) % 2)
            way.take(number, InputFrame(image(shift), number * FRAME_NS, {}, None), now)
    return came


def rounded(came: list[tuple[int, float, float, int]]) -> list[tuple[int, int, int, int]]:
    return [(number, round(time), round(age), metres) for number, time, age, metres in came]


def test_beside_each_frame_is_answered_at_once_from_the_newest_key() -> None:
    """Keys: frame 0 from 0 to 80 ms, frame 2 from 80 to 160, frame 4 from 160 to 240."""
    assert rounded(play(beside(), 8)) == [
        (0, 80, 0, 1),  # It waited for its own key: there was none before.
        (3, 105, 100, 1),
        (4, 138, 133, 1),
        (5, 172, 100, 2),  # From frame 2.
        (6, 205, 133, 2),
        (7, 238, 167, 2),
    ]


def test_a_frame_whose_key_comes_within_the_wait_is_computed() -> None:
    """A network of 20 ms is waited for; it has each frame itself."""
    pace = Pace(network_ms=20.0, serve_ms=5.0)
    assert rounded(play(beside(0.021, pace), 4)) == [
        (0, 25, 0, 1),
        (1, 58, 0, 2),
        (2, 92, 0, 3),
        (3, 125, 0, 4),
    ]
    # With less patience, each frame waits in vain and is carried from the one before.
    assert rounded(play(beside(0.010, pace), 4)) == [
        (0, 20, 0, 1),
        (1, 48, 33, 1),
        (2, 82, 33, 2),
        (3, 115, 33, 3),
    ]


def test_after_a_cut_nothing_is_answered_until_the_next_key() -> None:
    """The cut at frame 4, 133 ms, while the network is at frame 2 until 160."""
    came = rounded(play(beside(), 9, cuts=(4,)))
    assert [number for number, *_ in came] == [0, 3, 4, 8]
    # Frame 4 is the newest at 160 ms; it is answered late, when its key is there.
    assert came[2] == (4, 240, 0, 3) and came[3] == (8, 272, 133, 3)


def test_one_thread_takes_the_newest_frame_when_it_is_free() -> None:
    """Frame 0 until 80 ms, then 2 until 160, then 4 until 240; the others are dropped."""
    way = OneThread(open_stream(engine(), "dense", StreamSettings()), ["depth"], PACE)
    assert rounded(play(way, 6)) == [(0, 80, 0, 1), (2, 160, 0, 2), (4, 240, 0, 3), (5, 320, 0, 4)]


def test_a_held_frame_takes_the_time_of_serving_and_is_as_old_as_what_it_holds() -> None:
    way = OneThread(open_stream(engine(), "hold:2", StreamSettings()), ["depth"], PACE)
    assert rounded(play(way, 5)) == [
        (0, 80, 0, 1),
        (2, 85, 67, 1),
        (3, 180, 0, 2),
        (4, 185, 33, 2),
    ]


@pytest.mark.parametrize("late", [0, 1, 2])
def test_the_ideal_answers_each_frame_so_many_frames_late(late: int) -> None:
    way = Ideal(open_stream(engine(), "dense", StreamSettings()), ["depth"], late)
    came: list[tuple[int, int, int]] = []
    for number in range(5):
        way.take(number, InputFrame(image(0), number * FRAME_NS, {}, None), number * FRAME)
        for answer in way.until(number * FRAME):
            came.append((number, answer.number, round(float(np.median(answer.maps["depth"])))))
    assert came == [(n, n - late, n - late + 1) for n in range(late, 5)]
