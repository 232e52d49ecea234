"""Ways to serve a camera, on a simulated clock: what each has answered by when."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.evaluation.frames import InputFrame
from mtshare_ros.evaluation.outcome import Maps
from mtshare_ros.evaluation.policies import Stepper
from mtshare_ros.evaluation.streaming.times import Pace
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.serving.server import RawMaps, Server, Ticket
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.view import view_of


@dataclass(frozen=True)
class Answer:
    """What came out for a frame.

    Attributes:
        number: Number of the frame.
        time: When it was there, in seconds on the simulated clock.
        maps: Task -> map; every pixel has a value.
        age: Seconds from the frame that the network computed to this one.
        known: (H, W) bool, the pixels of which something is known; None for all.
    """

    number: int
    time: float
    maps: Maps
    age: float = 0.0
    known: NDArray[np.bool_] | None = None


class Way(Protocol):
    """A way to serve a camera."""

    def until(self, now: float) -> list[Answer]:
        """Return the answers that came since the last call, up to a time, in their order."""
        ...

    def take(self, number: int, frame: InputFrame, now: float) -> None:
        """Take a frame at the time when it comes."""
        ...


class _Answers:
    """Answers on their way, in the order in which they come."""

    def __init__(self) -> None:
        self._coming: deque[Answer] = deque()

    def add(self, answer: Answer) -> None:
        self._coming.append(answer)

    def until(self, now: float) -> list[Answer]:
        came = []
        while self._coming and self._coming[0].time <= now + 1e-9:
            came.append(self._coming.popleft())
        return came


class Ideal:
    """The network without any latency, or so many frames late."""

    def __init__(self, stream: Stepper, wanted: Sequence[str], late: int = 0) -> None:
        """Answer each frame at once.

        Args:
            stream: Computes a frame.
            wanted: The tasks.
            late: Frames that an answer comes late.
        """
        self._stream, self._wanted, self._late = stream, wanted, late
        self._waiting: deque[tuple[int, Maps]] = deque()

    def until(self, now: float) -> list[Answer]:
        """See ``Way``; the newest frame counts as answered before it came."""
        if len(self._waiting) <= self._late:
            return []
        number, maps = self._waiting.popleft()
        return [Answer(number, now, maps)]

    def take(self, number: int, frame: InputFrame, now: float) -> None:
        """See ``Way``."""
        found = self._stream.step(frame.image, frame.stamp, self._wanted, frame.focal_length)
        self._waiting.append((number, found.maps))


class OneThread:
    """One thread that takes the newest frame when it is free; others are dropped."""

    def __init__(self, stream: Stepper, wanted: Sequence[str], pace: Pace) -> None:
        """Be free.

        Args:
            stream: Computes a frame, or serves it otherwise.
            wanted: The tasks.
            pace: What makes a simulated time of a measured one.
        """
        self._stream, self._wanted, self._pace = stream, wanted, pace
        self._answers = _Answers()
        self._free = 0.0
        self._waiting: tuple[int, InputFrame, float] | None = None
        self._computed = 0

    def until(self, now: float) -> list[Answer]:
        """See ``Way``."""
        if self._waiting is not None and max(self._free, self._waiting[2]) < now - 1e-9:
            number, frame, came = self._waiting
            self._waiting = None
            self._run(number, frame, max(self._free, came))
        return self._answers.until(now)

    def take(self, number: int, frame: InputFrame, now: float) -> None:
        """See ``Way``."""
        self._waiting = (number, frame, now)

    def _run(self, number: int, frame: InputFrame, start: float) -> None:
        found = self._stream.step(frame.image, frame.stamp, self._wanted, frame.focal_length)
        if is_computed(found):
            took, self._computed = self._pace.computed(found.milliseconds), frame.stamp
        else:
            took = self._pace.served(found.milliseconds["total"])
        self._free = start + took
        age = 1e-9 * (frame.stamp - self._computed)
        self._answers.add(Answer(number, self._free, found.maps, age))


def is_computed(found: Predictions) -> bool:
    """Return whether a frame was computed and not held or carried."""
    return bool(found.dirty.any())


@dataclass(frozen=True)
class _Work:
    """What the network is at."""

    done: float
    number: int
    ticket: Ticket
    found: Predictions
    raw: RawMaps


class Beside:
    """The network in a thread of its own; every frame is served from its newest key."""

    def __init__(
        self,
        stream: PerceptionStream,
        server: Server,
        wanted: Sequence[str],
        pace: Pace,
        wait: float = 0.0,
    ) -> None:
        """Have no key yet.

        Args:
            stream: Makes keys.
            server: Serves frames; fills what it doesn't know.
            wanted: The tasks.
            pace: What makes a simulated time of a measured one.
            wait: Seconds that a frame waits for the network before it is served.
        """
        self._stream, self._server = stream, server
        self._wanted, self._pace, self._wait = wanted, pace, wait
        self._answers = _Answers()
        self._network: _Work | None = None
        self._newest = self._begun = -1
        self._unanswered: set[int] = set()

    def until(self, now: float) -> list[Answer]:
        """See ``Way``."""
        while self._network is not None and self._network.done <= now + 1e-9:
            done = self._network.done
            self._finish()
            self._begin(done)
        return self._answers.until(now)

    def take(self, number: int, frame: InputFrame, now: float) -> None:
        """See ``Way``."""
        began = time.perf_counter()
        view = view_of(
            frame.image, frame.stamp, self._stream.engine.manifest.input, frame.focal_length
        )
        reason = self._server.look(view)
        if reason is not None:
            self._stream.reset(reason)
        looked = 1e3 * (time.perf_counter() - began)
        self._newest = number
        self._begin(now + self._pace.looked(looked))
        waited = self._wait_for(number, now)
        began = time.perf_counter()
        served = self._server.serve()
        took = self._pace.served(looked + 1e3 * (time.perf_counter() - began))
        if served is None:
            self._unanswered.add(number)
            return
        self._unanswered.clear()
        maps, age = served.predictions.maps, 1e-9 * served.age_ns
        self._answers.add(Answer(number, now + waited + took, maps, age, served.known()))

    def _wait_for(self, number: int, now: float) -> float:
        """Return the seconds that a frame waits for the network, which may then be done."""
        if self._network is None or self._begun != number:
            return 0.0
        left = max(0.0, self._network.done - now)
        if left > self._wait:
            return self._wait
        self._finish()
        return left

    def _begin(self, now: float) -> None:
        if self._network is not None or self._begun == self._newest:
            return
        ticket = self._server.begin()
        if ticket is None:
            return
        self._begun = self._newest
        raw: dict[str, NDArray[np.float32]] = {}

        def refine(new: RawMaps) -> RawMaps:
            raw.update(self._server.refine(ticket, new))
            return raw

        found = self._stream.step_view(ticket.view, self._wanted, refine)
        done = now + self._pace.computed(found.milliseconds)
        self._network = _Work(done, self._begun, ticket, found, raw)

    def _finish(self) -> None:
        assert self._network is not None
        work, self._network = self._network, None
        is_of_now = self._server.finish(work.ticket, work.found, work.raw)
        # A frame to which there was no key waits for its own.
        if is_of_now and work.number in self._unanswered:
            self._unanswered.clear()
            self._answers.add(Answer(work.number, work.done, work.found.maps))
