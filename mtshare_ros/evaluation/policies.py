"""Streams by the name of the policy that decides how much of each frame is computed."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.errors import OptionError
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.motion.carry import carried
from mtshare_ros.perception.motion.flow import ImageMotion, at_size, grey_of
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.selection import DENSE
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.perception.urgency import POLICIES, Policy, Staleness
from mtshare_ros.tasks import Task

VARIANTS: dict[str, Policy] = {
    **POLICIES,
    "tokens-noise": Staleness(noise=False),
    "tokens-spread": Staleness(spread=0.0),
    "tokens-context": Staleness(context=0.0),
    "tokens-age": Staleness(ageing=False),
}
"""Policy -> how urgent a token is: the shipped ones, and the default without one of its parts."""

WARM_UP = 3
"""Frames run before the clock counts: the first calls of an engine allocate and tune."""

_EXPECTED = f"dense, carry:K, hold:K or warp:K with K >= 1 frames, {', '.join(VARIANTS)}"


class Stepper(Protocol):
    """What an evaluation needs of a stream."""

    def step(
        self,
        image: NDArray[np.uint8],
        stamp: int,
        wanted: Collection[str],
        focal_length: float | None = None,
    ) -> Predictions:
        """Compute one frame; see ``PerceptionStream.step``."""
        ...

    def reset(self, reason: str = "requested") -> None:
        """Drop what is remembered."""
        ...


class HoldStream:
    """The baselines in time: the dense network on every K-th frame, repeated between.

    What is repeated may be carried along with the image's motion (``warp``).
    """

    def __init__(self, stream: Stepper, period: int, warped: Sequence[Task] = ()) -> None:
        """Compute every ``period``-th frame with ``stream``, which is dense.

        Args:
            stream: Computes a frame.
            period: Frames from one that is computed to the next.
            warped: Tasks whose maps are carried along; without any, all are repeated as they are.
        """
        self.stream = stream
        self.period = period
        self.age = 0
        self.held: Predictions | None = None
        self._warped = warped
        self._motion = ImageMotion() if warped else None

    def step(
        self,
        image: NDArray[np.uint8],
        stamp: int,
        wanted: Collection[str],
        focal_length: float | None = None,
    ) -> Predictions:
        """Return new predictions for every K-th frame, else the last ones with the new stamp."""
        self.age += 1
        if self.held is None or self.age >= self.period:
            self.age = 0
            self.held = self.stream.step(image, stamp, wanted, focal_length)
            if self._motion is not None:
                self._motion.start(grey_of(image))
            return self.held
        start = time.perf_counter()
        shown = self.held
        size = shown.size()
        if self._motion is not None and size is not None:
            shown = carried(shown, at_size(self._motion.back(grey_of(image)), size), self._warped)
        clean: Any = np.zeros_like(shown.dirty)
        milliseconds = {"total": (time.perf_counter() - start) * 1e3}
        return replace(shown, stamp=stamp, dirty=clean, reset=None, milliseconds=milliseconds)

    def reset(self, reason: str = "requested") -> None:
        """Compute the next frame, even if it is not its turn."""
        self.held = None
        self.stream.reset(reason)


def hold_stream(policy: str, dense: Stepper, tasks: Sequence[Task]) -> HoldStream | None:
    """Return a stream that follows ``hold:K`` or ``warp:K``; None for other policies.

    Args:
        policy: The policy.
        dense: Computes the frames that are not held.
        tasks: Tasks whose maps ``warp`` carries along.
    """
    name, _, period = policy.partition(":")
    if name not in ("hold", "warp") or not _is_period(period):
        return None
    return HoldStream(dense, int(period), tasks if name == "warp" else ())


def open_stream(engine: Engine, policy: str, settings: StreamSettings) -> Stepper:
    """Return a stream that follows a policy.

    Raises:
        OptionError: There is no such policy.
    """
    if policy in (DENSE, *VARIANTS):
        return PerceptionStream(engine, replace(settings, policy=policy), VARIANTS)
    dense = replace(settings, policy=DENSE)
    held = hold_stream(policy, PerceptionStream(engine, dense), engine.manifest.tasks)
    if held is not None:
        return held
    name, _, period = policy.partition(":")
    if name == "carry" and _is_period(period):
        return PerceptionStream(engine, replace(dense, carry_frames=int(period) - 1))
    raise OptionError(f"policy {policy!r}: expected {_EXPECTED}")


def _is_period(text: str) -> bool:
    # Python refuses to read very long numbers.
    return text.isdecimal() and len(text) <= 9 and int(text) >= 1


def warm_up(engine: Engine) -> None:
    """Run some frames before the clock counts."""
    stream = open_stream(engine, DENSE, StreamSettings())
    size = engine.manifest.input
    image = np.zeros((size.height, size.width, 3), np.uint8)
    for stamp in range(WARM_UP):
        stream.step(image, stamp, [task.name for task in engine.manifest.tasks])
