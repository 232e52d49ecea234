"""What decides how much of each frame is computed: ``tokens``, ``dense`` or ``hold:K``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.errors import OptionError
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings


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
    """The simplest baseline in time: the dense network on every K-th frame, repeated between."""

    def __init__(self, stream: Stepper, period: int) -> None:
        """Compute every ``period``-th frame with ``stream``, which is dense."""
        self.stream = stream
        self.period = period
        self.age = 0
        self.held: Predictions | None = None

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
            return self.held
        nothing: Any = np.zeros_like(self.held.dirty)
        return replace(
            self.held, stamp=stamp, dirty=nothing, reset=None, milliseconds={"total": 0.0}
        )

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
    if kind in ("tokens", "dense") and not period:
        return PerceptionStream(engine, replace(settings, policy=kind))
    if kind == "hold" and period.isdecimal() and int(period) >= 1:
        dense = PerceptionStream(engine, replace(settings, policy="dense"))
        return HoldStream(dense, int(period))
    raise OptionError(f"policy {policy!r}: expected tokens, dense or hold:K with K >= 1 frames")
