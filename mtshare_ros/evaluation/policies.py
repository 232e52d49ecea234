"""What decides how much of each frame is computed, by name."""

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
from mtshare_ros.perception.motion.flow import ImageMotion
from mtshare_ros.perception.predictions import Predictions
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
"""What says how urgent a token is: the policies, and the default one without one of its parts."""
_KNOWN = f"dense, carry:K, hold:K or warp:K with K >= 1 frames, {', '.join(VARIANTS)}"


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
        """Return new predictions every K-th frame, else the last ones with the new stamp."""
        self.age += 1
        if self.held is None or self.age >= self.period:
            self.age = 0
            self.held = self.stream.step(image, stamp, wanted, focal_length)
            if self._motion is not None:
                self._motion.start(image)
            return self.held
        start = time.perf_counter()
        found = self.held
        size = found.size()
        if self._motion is not None and size is not None:
            found = carried(found, self._motion.back(image, size), self._warped)
        nothing: Any = np.zeros_like(found.dirty)
        milliseconds = {"total": (time.perf_counter() - start) * 1e3}
        return replace(found, stamp=stamp, dirty=nothing, reset=None, milliseconds=milliseconds)

    def reset(self, reason: str = "requested") -> None:
        """Compute the next frame whatever its turn is."""
        self.held = None
        self.stream.reset(reason)


def open_stream(engine: Engine, policy: str, settings: StreamSettings) -> Stepper:
    """Return a stream that follows a policy.

    Raises:
        OptionError: There is no such policy.
    """
    kind, _, period = policy.partition(":")
    if kind in ("dense", *VARIANTS) and not period:
        return PerceptionStream(engine, replace(settings, policy=kind), VARIANTS)
    if kind in ("hold", "warp", "carry") and period.isdecimal() and int(period) >= 1:
        dense = PerceptionStream(engine, replace(settings, policy="dense"))
        if kind == "carry":
            dense.settings = replace(dense.settings, carry_frames=int(period) - 1)
            return dense
        return HoldStream(dense, int(period), engine.manifest.tasks if kind == "warp" else ())
    raise OptionError(f"policy {policy!r}: expected {_KNOWN}")
