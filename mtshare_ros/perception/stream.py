"""One camera's stream: its cache and one ``step`` per frame."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.deadline import BASE, FrameTime
from mtshare_ros.perception.decode import Decoder, RawMap, decode, decode_confidence
from mtshare_ros.perception.engines.interface import Engine, EngineError, EngineOutput
from mtshare_ros.perception.frame import Image, depth_scale, normalise
from mtshare_ros.perception.motion.carrier import Carrier
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.selection import Selection
from mtshare_ros.perception.stopwatch import Stopwatch
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.perception.tokens import TokenMask, token_rows
from mtshare_ros.perception.urgency import POLICIES, Policy
from mtshare_ros.perception.view import View, break_between, view_of

RawMaps = Mapping[str, RawMap]
"""Task -> raw map."""
Refine = Callable[[RawMaps], RawMaps]
"""Returns what is decoded in place of an engine's raw maps."""


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
            policies: What ``settings.policy`` can name beside ``dense``.
        """
        self.engine = engine
        self._spec = engine.manifest.input
        self._task_names = [task.name for task in engine.manifest.tasks]
        self._decoder: Decoder | None = None
        self._state: Any = None
        self._carrier = Carrier(engine.manifest.tasks)
        self._time = FrameTime(self._spec.tokens + self._spec.prefix)
        # Of image tokens: an engine's sizes count the prefix tokens' rows as well.
        sizes = [size - self._spec.prefix for size in engine.sizes]
        self._selection = Selection(self._spec, sizes, policies, settings or StreamSettings())
        self.reset("first frame")

    @property
    def settings(self) -> StreamSettings:
        """The settings; assigning holds from the next frame on."""
        return self._selection.settings

    @settings.setter
    def settings(self, settings: StreamSettings) -> None:
        self._selection.settings = settings
        self._carrier.drop()

    def reset(self, reason: str = "requested") -> None:
        """Drop the cache; the next frame computes every token.

        The caches' memory is kept: a dense frame writes every row before it reads any.
        """
        self._reset: str | None = reason
        self._selection.reset()
        self._carrier.drop()
        self._previous: View | None = None
        self._pending: dict[str, TokenMask] = {}

    def step(
        self,
        image: Image,
        stamp: int,
        wanted: Collection[str],
        focal_length: float | None = None,
    ) -> Predictions:
        """Compute one frame, or carry along what a frame before it gave (``carry_frames``).

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
        watch = Stopwatch()
        view = view_of(image, stamp, self._spec, focal_length)
        return self._step(view, wanted, watch)

    def step_view(
        self, view: View, wanted: Collection[str], refine: Refine | None = None
    ) -> Predictions:
        """Compute one frame that was looked at already; see ``step``.

        Args:
            view: The frame.
            wanted: Names of the tasks to compute, at least one.
            refine: Called with the raw maps before they are decoded.
        """
        return self._step(view, wanted, Stopwatch(), refine)

    def _step(
        self,
        view: View,
        wanted: Collection[str],
        watch: Stopwatch,
        refine: Refine | None = None,
    ) -> Predictions:
        self._check(wanted)
        spec, small, cells = self._spec, view.small, view.cells
        self._drop_stale(view)
        watch.lap("prepare")
        carried = self._carry(view, wanted, watch)
        if carried is not None:
            return carried
        asked, wanted = wanted, self._whose_turn(wanted)
        room = self._room(wanted) if self.settings.deadline_ms else None
        dirty = self._selection.choose(small, cells, room)
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
        watch.add(output.milliseconds)
        self._commit(view, dirty, wanted)
        raw = output.raw if refine is None else refine(output.raw)
        maps, confidence = self._decode(raw, view)
        watch.lap("decode")
        watch.whole("total")
        counts = {BASE: len(rows), **{name: len(index) for name, index in indices.items()}}
        self._time.observe(counts, watch.milliseconds)
        reset, self._reset = self._reset, None
        found = Predictions(
            stamp=view.stamp,
            maps=maps,
            confidence=confidence,
            dirty=dirty.reshape(spec.grid),
            reset=reset,
            milliseconds=watch.milliseconds,
        )
        if self.settings.carry_frames:
            focal_length = view.focal_length or spec.focal_length
            self._carrier.keep(small, cells, found, asked, focal_length, view.size)
        return found

    def _carry(self, view: View, wanted: Collection[str], watch: Stopwatch) -> Predictions | None:
        """Return what a frame that need not be computed serves, else None."""
        settings = self.settings
        if not settings.carry_frames:
            return None
        found = self._carrier.carry(
            view.small,
            view.cells,
            wanted,
            view.focal_length or self._spec.focal_length,
            settings.carry_frames,
            settings.max_depth,
        )
        watch.lap("carry")
        if found is None:
            return None
        self._previous = view
        watch.whole("total")
        return replace(found, stamp=view.stamp, milliseconds=watch.milliseconds)

    def _check(self, wanted: Collection[str]) -> None:
        unknown = [name for name in wanted if name not in self._task_names]
        if unknown or not wanted:
            raise ValueError(f"wanted: found {list(wanted)}, expected some of {self._task_names}")

    def _drop_stale(self, view: View) -> None:
        """Reset when what is cached says nothing about this frame."""
        reason = None if self._previous is None else break_between(self._previous, view)
        if reason is not None:
            self.reset(reason)

    def _whose_turn(self, wanted: Collection[str]) -> list[str]:
        """Return the wanted tasks that this frame computes, in the bundle's order."""
        every, frame = self.settings.task_every, self._selection.frame
        return [
            name
            for number, name in enumerate(self._task_names)
            # Tasks of one rate take turns. In the first frame of a cache it is everyone's.
            if name in wanted and (frame == 0 or (frame + number) % every.get(name, 1) == 0)
        ]

    def _room(self, wanted: Collection[str]) -> int:
        """Return how many tokens the deadline has room for, what tasks missed before included."""
        pending = {
            name: int(self._pending[name].sum()) for name in wanted if name in self._pending
        }
        return self._time.tokens(self.settings.deadline_ms, wanted, pending)

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

    def _commit(self, view: View, dirty: TokenMask, wanted: Collection[str]) -> None:
        """Take note of what was computed; only after the engine has succeeded."""
        self._selection.commit(view.cells, dirty)
        for name in self._task_names:
            if name in wanted:
                self._pending.pop(name, None)
            else:
                self._pending[name] = dirty | self._pending.get(name, np.zeros_like(dirty))
        self._previous = view

    def _decode(
        self, raw: RawMaps, view: View
    ) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.uint8]]]:
        """Return the maps and the confidence of the computed tasks, by name."""
        settings = self.settings
        size = (self._spec.width, self._spec.height)
        if settings.output_size == "input":
            size = view.size
        if self._decoder is None or self._decoder.size != size:
            self._decoder = Decoder(size)
        scale = depth_scale(self._spec, view.focal_length)
        maps, confidence = {}, {}
        for name, values in raw.items():
            task = self.engine.manifest.task(name)
            maps[name] = decode(self._decoder, task, values, scale, settings.max_depth)
            sureness = decode_confidence(self._decoder, task, values)
            if sureness is not None:
                confidence[name] = sureness
        return maps, confidence
