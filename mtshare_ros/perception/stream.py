"""One camera's stream: its cache and one ``step`` per frame."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.manifest import BundleError
from mtshare_ros.perception.budget import frame_budget, smallest_fraction, whole_sizes
from mtshare_ros.perception.deadline import BASE, FrameTime
from mtshare_ros.perception.decode import Decoder
from mtshare_ros.perception.engines.interface import Engine, EngineError, EngineOutput
from mtshare_ros.perception.engines.sizes import next_size
from mtshare_ros.perception.frame import Image, check_image, depth_scale, normalise, resize
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.perception.tokens import (
    Cells,
    TokenMask,
    commit_reference,
    fill_up,
    is_cut,
    low_pass,
    refresh_slots,
    select_tokens,
    token_rows,
)
from mtshare_ros.perception.urgency import POLICIES, Look, Policy
from mtshare_ros.tasks import PROBABILITY_KINDS

DENSE = "dense"
"""The policy that recomputes everything in every frame."""

MAX_GAP_NS = 2_000_000_000
"""A longer silence between two stamps is a jump of the clock: the cache is dropped."""

_LOG = logging.getLogger(__name__)


class _Stopwatch:
    """Times consecutive stages."""

    def __init__(self) -> None:
        self.start = self.last = time.perf_counter()
        self.milliseconds: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.milliseconds[stage] = (now - self.last) * 1e3
        self.last = now

    def total(self) -> dict[str, float]:
        return {**self.milliseconds, "total": (time.perf_counter() - self.start) * 1e3}


def _check_finite(output: EngineOutput) -> None:
    """Refuse an output that is not finite: it would be served as a measurement.

    Raises:
        EngineError: A raw map holds NaN or infinity.
    """
    for task, raw in output.raw.items():
        if not np.isfinite(raw).all():
            raise EngineError(f"the raw map of {task} is not finite")


class PerceptionStream:
    """Predictions for one camera. Not thread-safe; several streams may share one engine."""

    def __init__(
        self,
        engine: Engine,
        settings: StreamSettings | None = None,
        policies: Mapping[str, Policy] = POLICIES,
    ) -> None:
        """Start an empty stream on an opened engine.

        Args:
            engine: The engine.
            settings: What may be changed between frames.
            policies: What ``settings.policy`` can name beside ``DENSE``.
        """
        self.engine = engine
        self._spec = engine.manifest.input
        self._task_names = [task.name for task in engine.manifest.tasks]
        self._policies = policies
        self._decoder: Decoder | None = None
        self._state: Any = None
        self._time = FrameTime(self._spec.tokens + self._spec.prefix)
        # Of image tokens: an engine's sizes count the prefix tokens' rows as well.
        self._sizes = [size - self._spec.prefix for size in engine.sizes]
        self._computed = np.zeros(self._spec.tokens, np.int64)
        self.settings = settings or StreamSettings()
        self.reset("first frame")

    @property
    def settings(self) -> StreamSettings:
        """The settings; assigning holds from the next frame on."""
        return self._settings

    @settings.setter
    def settings(self, settings: StreamSettings) -> None:
        if settings.policy not in (DENSE, *self._policies):
            known = ", ".join((DENSE, *self._policies))
            raise ValueError(f"policy: {settings.policy!r}, expected one of {known}")
        self._settings = settings
        self._slots = refresh_slots(self._spec.tokens, settings.max_age)
        needed = smallest_fraction(self._spec.tokens, settings.max_age)
        if settings.max_dirty_fraction < needed:
            _LOG.warning(
                "max_dirty_fraction %.3f is raised to %.3f: max_age %d needs as much",
                settings.max_dirty_fraction,
                needed,
                settings.max_age,
            )

    def reset(self, reason: str = "requested") -> None:
        """Drop the cache; the next frame computes every token.

        The caches' memory is kept: a dense frame writes every row before it reads any.
        """
        self._reset: str | None = reason
        self._reference: Cells | None = None
        self._previous: Cells | None = None
        self._pending: dict[str, TokenMask] = {}
        self._stamp: int | None = None
        self._image_size: tuple[int, int] | None = None
        self._frame = 0

    def step(
        self,
        image: Image,
        stamp: int,
        wanted: Collection[str],
        focal_length: float | None = None,
    ) -> Predictions:
        """Compute one frame.

        Args:
            image: (H, W, 3) uint8 RGB of any size; stretched to the model's.
            stamp: Time of the image in nanoseconds.
            wanted: Names of the tasks to compute, at least one; those whose turn it is not
                (``task_every``) are left out.
            focal_length: fx / image width of the camera; scales metric depth. None: as in
                training.

        Raises:
            ValueError: The image, the names or the focal length are not as described.
            EngineError: The engine failed; the cache is dropped and the frame has no result.
        """
        watch = _Stopwatch()
        self._check(image, wanted, focal_length)
        spec = self._spec
        small = resize(image, spec)
        cells = low_pass(small, spec)
        self._drop_stale(image, stamp, cells)
        watch.lap("prepare")
        wanted = self._whose_turn(wanted)
        dirty = self._select(small, cells, wanted)
        indices = self._task_indices(dirty, wanted)
        watch.lap("select")
        try:
            if self._state is None:
                self._state = self.engine.new_state()
            rows = token_rows(dirty, spec)
            output = self.engine.run(self._state, normalise(small, spec), rows, indices)
            _check_finite(output)
        except EngineError:
            self._state = None
            self.reset("engine failure")
            raise
        watch.milliseconds.update(output.milliseconds)
        watch.last = time.perf_counter()
        self._commit(cells, stamp, image, dirty, wanted)
        arrays = self._decode(output.raw, image, focal_length)
        watch.lap("decode")
        milliseconds = watch.total()
        counts = {BASE: len(rows), **{name: len(index) for name, index in indices.items()}}
        self._time.observe(counts, milliseconds)
        reset, self._reset = self._reset, None
        return Predictions(
            stamp=stamp,
            depth=arrays.get("depth"),
            labels=arrays.get("labels"),
            confidence=arrays.get("confidence"),
            normals=arrays.get("normals"),
            dirty=dirty.reshape(spec.grid),
            reset=reset,
            milliseconds=milliseconds,
            probabilities=arrays.get("probabilities", {}),
            masks=arrays.get("masks", {}),
        )

    def _check(self, image: Image, wanted: Collection[str], focal_length: float | None) -> None:
        check_image(image)
        unknown = [name for name in wanted if name not in self._task_names]
        if unknown or not wanted:
            raise ValueError(f"wanted: found {list(wanted)}, expected some of {self._task_names}")
        if focal_length is not None and not (0.0 < focal_length < 1e3):
            raise ValueError(f"focal_length: {focal_length}, expected fx / width, above 0")

    def _drop_stale(self, image: Image, stamp: int, cells: Cells) -> None:
        """Reset when what is cached says nothing about this frame."""
        if self._stamp is None or self._previous is None:
            return
        if image.shape[1::-1] != self._image_size:
            self.reset("size")
        elif not 0 <= stamp - self._stamp <= MAX_GAP_NS:
            self.reset("clock")
        elif is_cut(cells, self._previous):
            self.reset("cut")

    def _whose_turn(self, wanted: Collection[str]) -> list[str]:
        """Return the wanted tasks that this frame computes, in the bundle's order."""
        every = self._settings.task_every
        return [
            name
            for number, name in enumerate(self._task_names)
            # Tasks of one rate take turns. In the first frame of a cache it is everyone's.
            if name in wanted
            and (self._frame == 0 or (self._frame + number) % every.get(name, 1) == 0)
        ]

    def _select(self, image: Image, cells: Cells, wanted: Collection[str]) -> TokenMask:
        settings, tokens = self._settings, self._spec.tokens
        if self._reference is None or settings.policy == DENSE:
            return np.ones(tokens, np.bool_)
        age = self._frame - self._computed
        look = Look(image, cells, self._reference, age, self._spec)
        urgency = self._policies[settings.policy](look)
        due = self._slots == self._frame % settings.max_age
        room = self._room(wanted) if settings.deadline_ms else None
        budget = frame_budget(tokens, settings.max_dirty_fraction, settings.max_age, room)
        if self._sizes:
            budget = whole_sizes(budget, self._sizes, int(due.sum()))
        dirty = select_tokens(urgency, due, settings.change_threshold, budget)
        if not dirty.any():  # engines take at least one token
            dirty[int(urgency.argmax())] = True
        if self._sizes:
            size = next_size(int(dirty.sum()), self._sizes)
            dirty = fill_up(dirty, urgency, age, size)
        return dirty

    def _room(self, wanted: Collection[str]) -> int:
        """Return how many tokens the deadline has room for, what tasks missed before included."""
        pending = {
            name: int(self._pending[name].sum()) for name in wanted if name in self._pending
        }
        return self._time.tokens(self._settings.deadline_ms, wanted, pending)

    def _task_indices(
        self, dirty: TokenMask, wanted: Collection[str]
    ) -> dict[str, NDArray[np.int64]]:
        """Return per wanted task the rows of the dirty tokens and of those it missed before."""
        nothing = np.zeros_like(dirty)
        return {
            name: token_rows(dirty | self._pending.get(name, nothing), self._spec)
            for name in self._task_names
            if name in wanted
        }

    def _commit(
        self,
        cells: Cells,
        stamp: int,
        image: Image,
        dirty: TokenMask,
        wanted: Collection[str],
    ) -> None:
        """Take note of what was computed; only after the engine has succeeded."""
        if self._reference is None:
            self._reference = cells.copy()
        else:
            self._reference = commit_reference(self._reference, cells, dirty, self._spec)
        for name in self._task_names:
            if name in wanted:
                self._pending.pop(name, None)
            else:
                self._pending[name] = dirty | self._pending.get(name, np.zeros_like(dirty))
        self._computed[dirty] = self._frame
        self._previous = cells
        self._stamp = stamp
        self._image_size = (image.shape[1], image.shape[0])
        self._frame += 1

    def _decode(self, raw: Any, image: Image, focal_length: float | None) -> dict[str, Any]:
        size = (self._spec.width, self._spec.height)
        if self._settings.output_size == "input":
            size = (image.shape[1], image.shape[0])
        if self._decoder is None or self._decoder.size != size:
            self._decoder = Decoder(size)
        decoder = self._decoder
        arrays: dict[str, Any] = {}
        for name, values in raw.items():
            task = self.engine.manifest.task(name)
            if task.kind == "depth":
                scale = depth_scale(self._spec, focal_length)
                arrays["depth"] = decoder.depth(values, task, scale, self._settings.max_depth)
            elif task.kind == "segmentation":
                mask = (decoder.labels(values), decoder.confidence(values))
                arrays.setdefault("masks", {})[name] = mask
                arrays.setdefault("labels", mask[0])
                arrays.setdefault("confidence", mask[1])
            elif task.kind == "normals":
                arrays["normals"] = decoder.normals(values)
            elif task.kind in PROBABILITY_KINDS:
                arrays.setdefault("probabilities", {})[name] = decoder.probability(values)
            else:
                raise BundleError(f"task {name}: unknown kind {task.kind!r}")
        return arrays
