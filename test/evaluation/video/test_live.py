"""Images played by the clock: what was there by when the next one came."""

import time

import numpy as np
import pytest

from mtshare_ros.evaluation.video.live import Answer, LiveChannel, Moment, play
from mtshare_ros.evaluation.video.sources import Shot
from mtshare_ros.perception.engines import open_engine
from support.samples import coarse_image

MS = 1_000_000


class Shots:
    """Some images of a still scene."""

    rate, warnings = 20.0, ()

    def __init__(self, count, image=None):
        """Have so many."""
        self.count = count
        self._image = coarse_image() if image is None else image

    def __iter__(self):
        """Yield them."""
        for number in range(self.count):
            yield Shot(self._image, 50 * MS * number, 0.05 * number)


@pytest.fixture(scope="module")
def engine(bundle_path):
    return open_engine(bundle_path, "onnxruntime", threads=1)


class Said:
    """A channel that answers each image so many seconds after it came."""

    def __init__(self, after):
        """Have no image yet."""
        self._after, self._answers = after, []
        self.put_at = []

    def put(self, shot):
        """Take an image; one that comes late is answered as if it had not."""
        self.put_at.append(time.perf_counter())
        at = self.put_at[0] + shot.due + self._after
        self._answers.append(Answer(at, shot.stamp, {}, {"depth": shot.stamp}, 1.0))

    def newest(self, by):
        """Return what was there."""
        there = [answer for answer in self._answers if answer.time <= by]
        return there[-1] if there else None


def test_images_come_at_their_times():
    channel = Said(0.0)
    list(play(Shots(4), channel))
    assert channel.put_at[-1] - channel.put_at[0] > 0.12


def test_what_is_not_there_when_the_next_one_comes_is_shown_as_it_was():
    moments = list(play(Shots(4), Said(0.07)))
    shown = [m.answer.stamp // MS if m.answer else None for m in moments]
    assert shown == [None, 0, 50, 100]
    assert [m.answered for m in moments] == [False] * 4
    assert moments[2].age("depth") == pytest.approx(0.05)
    assert moments[0].age("depth") is None


def test_it_plays_as_long_as_asked_for():
    assert len(list(play(Shots(10), Said(0.0), seconds=0.1))) == 2


def test_every_image_of_a_still_scene_is_answered_from_keys(engine):
    channel = LiveChannel(engine)
    moments = []
    try:
        for moment in play(Shots(200), channel):
            moments.append(moment)
            if sum(m.answer is not None for m in moments) == 6:
                break
    finally:
        channel.close()
    assert [m.seconds for m in moments] == pytest.approx([0.05 * n for n in range(len(moments))])
    assert 1 <= channel.keys <= len(moments) + 1
    last = moments[-1].answer
    assert set(last.maps) == {"normals", "depth", "segmentation"}
    assert last.maps["depth"].shape == (96, 128)
    assert last.coverage > 0.9
    stamps = [m.answer.stamp for m in moments if m.answer]
    assert stamps == sorted(stamps)
    ages = [m.age("depth") for m in moments if m.answer]
    assert all(age >= 0.0 for age in ages)


def test_what_fails_in_a_thread_is_raised_where_images_are_handed_over(engine):
    channel = LiveChannel(engine)
    try:
        with pytest.raises(ValueError, match="uint8"):
            list(play(Shots(6, np.zeros((96, 128), np.uint8)), channel))
    finally:
        channel.close()


def test_a_moment_without_an_answer_has_no_age():
    moment = Moment(Shot(coarse_image(), 0, 0.0), 0.0, None)
    assert moment.age("depth") is None and not moment.answered
