"""Ways to get all tasks of a frame, each a whole step from a uint8 image to decoded arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.evaluation.policies import HoldStream, Stepper
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.frame import Image
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.perception.urgency import Staleness
from mtshare_ros.tasks import Task

_NEVER = 1_000_000
_FRAME_NS = 33_333_333
_CHANGE = 10
"""Change of a token in 8-bit levels: too small to be taken for a cut."""
_EXACTLY = {"tokens": Staleness(spread=0.0, context=0.0, ageing=False)}
"""Only tokens that changed are dirty, so that their share is what a case says it is."""


class Case(Protocol):
    """One way to get all tasks of a frame.

    Attributes:
        name: What people read.
        period: Frames after which the work repeats.
    """

    name: str
    period: int

    def prepare(self) -> None:
        """Make the next image; not timed."""
        ...

    def step(self) -> dict[str, float]:
        """Compute the frame; timed. Returns the times of its stages."""
        ...


class FrameNetworks(Protocol):
    """Networks without a memory: every frame is computed from its image alone."""

    def step(self, image: Image, spec: InputSpec) -> object:
        """Compute every task of an RGB image (H, W, 3) uint8."""
        ...


class ChangingScene:
    """Images in which a given share of tokens, drawn anew each frame, changed visibly."""

    def __init__(self, spec: InputSpec) -> None:
        """Start with a scene of the size of ``spec``."""
        self._spec = spec
        self._rng = np.random.default_rng(0)
        coarse = self._rng.integers(40, 180, (*spec.grid, 3), dtype=np.uint8)
        size = (spec.width, spec.height)
        self._image: Image = np.asarray(
            cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), np.uint8
        )
        self._brighter = np.zeros(spec.tokens, np.bool_)

    def next(self, fraction: float) -> Image:
        """Return the next image, (H, W, 3) uint8, with that share of the tokens changed."""
        rows, columns = self._spec.grid
        side = self._spec.stride
        count = max(1, round(fraction * self._spec.tokens))
        chosen = self._rng.choice(rows * columns, count, replace=False)
        # Brighter and back again, so that the changes never add up to a cut.
        self._brighter[chosen] ^= True
        step = (self._brighter.reshape(rows, columns) * _CHANGE).astype(np.uint8)
        full = step.repeat(side, axis=0).repeat(side, axis=1)
        return np.asarray(self._image + full[..., None], np.uint8)


class SceneCamera:
    """A changing scene and the stream that watches it.

    Cases that share one share its caches: each frame's share of dirty tokens is its own.
    """

    def __init__(self, engine: Engine, tasks: Sequence[Task] = (), most: float = 1.0) -> None:
        """Open a stream for ``tasks`` (all of the engine's by default).

        Args:
            engine: The engine.
            tasks: Tasks to compute.
            most: The stream's ``max_dirty_fraction``.
        """
        settings = StreamSettings(most, change_threshold=0.5 * _CHANGE, max_age=_NEVER)
        self.stream = PerceptionStream(engine, settings, _EXACTLY)
        self._scene = ChangingScene(engine.manifest.input)
        self._tasks = [task.name for task in tasks or engine.manifest.tasks]
        self._stamp = 0

    def look(self, fraction: float) -> None:
        """Take the next image, in which a share of the tokens changed."""
        self._stamp += _FRAME_NS
        self._image = self._scene.next(fraction)

    def step(self, stepper: Stepper) -> dict[str, float]:
        """Compute the last image with the stream, or with a policy in front of it.

        Returns:
            The times of the stages, and the share of dirty tokens.

        Raises:
            RuntimeError: The cache was dropped.
        """
        predictions = stepper.step(self._image, self._stamp, self._tasks)
        if predictions.reset not in (None, "first frame"):
            raise RuntimeError(f"the cache was dropped: {predictions.reset}")
        return {**predictions.milliseconds, "dirty_fraction": float(predictions.dirty.mean())}


class StreamCase:
    """Our stream with a share of the tokens dirty in each frame."""

    period = 1

    def __init__(self, camera: SceneCamera, fraction: float) -> None:
        """Time ``camera`` at that share."""
        self.name = f"dirty {fraction:.4g}"
        self._camera, self._fraction = camera, fraction

    def prepare(self) -> None:
        """Make the next image; not timed."""
        self._camera.look(self._fraction)

    def step(self) -> dict[str, float]:
        """Compute a frame; timed. Returns its stages' times and the share of dirty tokens."""
        return self._camera.step(self._camera.stream)


class HoldCase:
    """Our stream with every token dirty in every K-th frame, whose result is held between."""

    def __init__(self, camera: SceneCamera, period: int) -> None:
        """Compute every ``period``-th frame of ``camera``."""
        self.name, self.period = f"hold {period}", period
        self._camera = camera
        self._hold = HoldStream(camera.stream, period)
        self._turn = 0

    def prepare(self) -> None:
        """Make the next image if it is one that is computed; not timed."""
        # An image that the stream never sees would leave its changes to the camera's next case.
        if self._turn % self.period == 0:
            self._camera.look(1.0)
        self._turn += 1

    def step(self) -> dict[str, float]:
        """Compute a frame, or hold the last one; timed."""
        self._camera.step(self._hold)
        return {}


class DenseCase:
    """Networks that compute everything in every frame."""

    period = 1

    def __init__(self, name: str, networks: FrameNetworks, spec: InputSpec) -> None:
        """Time ``networks`` on images of the size of ``spec``."""
        self.name = name
        self._networks, self._spec = networks, spec
        self._scene = ChangingScene(spec)

    def prepare(self) -> None:
        """Make the next image; not timed."""
        self._image = self._scene.next(1.0)

    def step(self) -> dict[str, float]:
        """Compute a frame; timed."""
        self._networks.step(self._image, self._spec)
        return {}
