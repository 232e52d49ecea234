"""Plays images by the clock of this machine and tells what was there by when the next one came."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from mtshare_ros.evaluation.video.sources import Shot, Shots
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.serving.channel import Channel
from mtshare_ros.perception.serving.server import Served, ServeSettings
from mtshare_ros.perception.serving.waiting import Waiting
from mtshare_ros.perception.serving.worker import FairWorker
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.perception.view import view_of

_PATIENCE = 60.0
"""Seconds that the last key may take when the images have ended."""


@dataclass(frozen=True)
class Answer:
    """What an image was answered.

    Attributes:
        time: When it was there, in seconds of ``time.perf_counter``.
        stamp: Of the image, in nanoseconds.
        maps: Task -> decoded map, see ``Predictions``.
        key_stamps: Task -> stamp of the image that the network computed its map of.
        coverage: Part of the pixels that is known.
    """

    time: float
    stamp: int
    maps: Mapping[str, NDArray[Any]]
    key_stamps: Mapping[str, int]
    coverage: float


@dataclass(frozen=True)
class Moment:
    """An image, and the newest answer that was there when the next image came.

    Attributes:
        shot: The image.
        seconds: From the first image to this one, by their stamps.
        answer: The answer, to this image or to one before it; None where there was none yet.
        late: Seconds that the image was handed over after its time.
    """

    shot: Shot
    seconds: float
    answer: Answer | None
    late: float = 0.0

    @property
    def answered(self) -> bool:
        """Whether the answer is to this very image."""
        return self.answer is not None and self.answer.stamp == self.shot.stamp

    def age(self, task: str) -> float | None:
        """Return seconds from the image that the network computed a map of to this one."""
        if self.answer is None or task not in self.answer.key_stamps:
            return None
        return 1e-9 * (self.shot.stamp - self.answer.key_stamps[task])


class LiveChannel:
    """A channel with both of its threads, as a camera of the node has them."""

    def __init__(
        self,
        engine: Engine,
        serving: ServeSettings | None = None,
        stream: StreamSettings | None = None,
    ) -> None:
        """Start the threads.

        Args:
            engine: The opened bundle.
            serving: How images are served.
            stream: How keys are made.
        """
        self.keys = 0
        self._engine = engine
        self._names = [task.name for task in engine.manifest.tasks]
        self._channel = Channel(engine)
        self._channel.settle(stream or StreamSettings(), serving or ServeSettings())
        self._answering = threading.Lock()
        self._waiting: Waiting[Shot] = Waiting(_ignore)
        self._answers: deque[Answer] = deque()
        self._newest: Answer | None = None
        self._fault: Exception | None = None
        self._network: FairWorker[str, None] = FairWorker(self._compute, _ignore, "network")
        self._worker: FairWorker[str, Shot] = FairWorker(self._serve, _ignore, "serving")

    def put(self, shot: Shot) -> None:
        """Hand over the next image; returns at once.

        Raises:
            Exception: What failed in a thread.
        """
        if self._fault is not None:
            raise self._fault
        self._worker.put("", shot)

    def newest(self, by: float) -> Answer | None:
        """Return the newest answer that was there by a time of ``time.perf_counter``."""
        while self._answers and self._answers[0].time <= by:
            self._newest = self._answers.popleft()
        return self._newest

    def close(self) -> None:
        """End the threads after what they are at."""
        self._worker.stop(_PATIENCE)
        self._network.stop(_PATIENCE)

    def _serve(self, _: str, shot: Shot) -> None:
        try:
            view = view_of(shot.image, shot.stamp, self._engine.manifest.input, shot.focal_length)
            self._channel.look(view, self._names)
            self._network.put("", None)
            with self._answering:
                served = self._channel.serve(self._names)
                if served is None:
                    self._waiting.hold(view, shot, self._channel.in_work)
                else:
                    self._waiting.give_up()
                    self._answer(served)
        except Exception as error:
            self._fault = error

    def _compute(self, *_: object) -> None:
        try:
            made = self._channel.compute()
        except Exception as error:
            self._fault = error
            return
        if made is None:
            return
        self.keys += 1
        with self._answering:
            if self._waiting.take(made.view) is not None:
                self._answer(made.served())

    def _answer(self, served: Served) -> None:
        found = served.predictions
        self._answers.append(
            Answer(
                time.perf_counter(), found.stamp, found.maps, served.key_stamps, served.coverage
            )
        )


def play(
    shots: Shots, channel: LiveChannel, seconds: float | None = None
) -> Generator[Moment, None, None]:
    """Hand images over when they are due, and yield what was there when the next one came.

    Args:
        shots: The images.
        channel: What answers them.
        seconds: Play so long, by the stamps; None: to the end.
    """
    start: float | None = None
    first = 0
    before: tuple[Shot, float] | None = None
    due = 0.0
    for shot in shots:
        if start is None:
            start, first = time.perf_counter(), shot.stamp
        if seconds is not None and 1e-9 * (shot.stamp - first) >= seconds - 1e-6:
            break
        due = time.perf_counter() if shot.due is None else start + shot.due
        _sleep_until(due)
        moment = None if before is None else _moment(before, first, channel, due)
        late = time.perf_counter() - due
        channel.put(shot)
        before = (shot, late)
        if moment is not None:
            # What is done with it goes on while the image is served, as on a robot.
            yield moment
    if before is not None:
        due += 1.0 / shots.rate
        _sleep_until(due)
        yield _moment(before, first, channel, due)


def _moment(before: tuple[Shot, float], first: int, channel: LiveChannel, by: float) -> Moment:
    shot, late = before
    return Moment(shot, 1e-9 * (shot.stamp - first), channel.newest(by), late)


def _sleep_until(due: float) -> None:
    time.sleep(max(0.0, due - time.perf_counter()))


def _ignore(_: object) -> None:
    """Take no note of an image without an answer: it is shown as not answered."""
