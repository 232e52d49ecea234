"""Serves every frame of a camera from the newest key; the network makes keys beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.perception.frame import depth_scale
from mtshare_ros.perception.motion.flow import Grey, ImageMotion, Where, grey_of
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.serving.fusion import FUSIONS, fused
from mtshare_ros.perception.serving.sight import (
    Key,
    Sight,
    depth_at,
    known_pixels,
    seen,
    sight_of,
)
from mtshare_ros.perception.view import View, break_between
from mtshare_ros.tasks import Task

RawMaps = Mapping[str, NDArray[np.float32]]
"""Task -> raw map (C, h, w), as an engine returns it."""


@dataclass(frozen=True)
class ServeSettings:
    """What may be changed between two frames.

    Attributes:
        fill: Whether pixels of which nothing is known have a value all the same: what is at the
            border, or what was there before.
        fuse: Part of a new key in what is served, where the keys before it agree; 1 for keys as
            the network gave them.
        max_key_age_ns: Nanoseconds from a key to a frame from which on it says nothing any more.
        max_depth: Metres; what is farther becomes NaN.
    """

    fill: bool = False
    fuse: float = 0.5
    max_key_age_ns: int = 2_000_000_000
    max_depth: float = 20.0


@dataclass(frozen=True)
class Ticket:
    """A frame that the network works on.

    Attributes:
        view: The frame.
        sights: How it sees the keys before it.
        epoch: What it belongs to: results from before a reset are never served.
        depth: (h, w) metres as served in that frame, at the size of the flow, or None.
    """

    view: View
    sights: tuple[Sight, ...]
    epoch: int
    depth: NDArray[np.float32] | None = None


@dataclass
class _Current:
    """The newest frame."""

    view: View
    grey: Grey
    to_reference: Where | None
    sights: list[Sight] = field(default_factory=list)


@dataclass(frozen=True)
class Served:
    """What a frame is served.

    Attributes:
        predictions: Its maps.
        key_stamps: Task -> stamp in nanoseconds of the frame whose key its map comes from.
        coverage: Part of the pixels that is known.
        sights: How the frame sees the keys.
    """

    predictions: Predictions
    key_stamps: Mapping[str, int]
    coverage: float
    sights: tuple[Sight, ...]

    def known(self) -> NDArray[np.bool_]:
        """Return which pixels are known in every key, (H, W)."""
        size = self.predictions.size()
        assert size is not None
        every = np.ones(size[::-1], np.bool_)
        for sight in self.sights:
            every &= known_pixels(sight, size)
        return every

    @property
    def age_ns(self) -> int:
        """Nanoseconds from the oldest of the keys to the frame."""
        return self.predictions.stamp - min(self.key_stamps.values())


class Server:
    """The keys of one camera, carried along to every frame. Not thread-safe; knows no clock.

    A frame is looked at once (``look``), and then served (``serve``). Between two frames the
    newest can be handed to the network (``begin``), whose result becomes a key (``finish``).

    One flow a frame: the flow leads from the newest frame to the one that the network works on,
    or worked on last (the reference). How that one saw the older keys is known from when it was
    the newest, so the two are composed, and maps are sampled once, whatever the age of the key.
    """

    def __init__(
        self, tasks: Sequence[Task], spec: InputSpec, settings: ServeSettings | None = None
    ) -> None:
        """Have no key yet.

        Args:
            tasks: All tasks of the bundle.
            spec: The bundle's input.
            settings: What may be changed between frames.
        """
        self.settings = settings or ServeSettings()
        self._tasks = tasks
        self._depths = [task.name for task in tasks if task.kind == "depth"]
        self._spec = spec
        self._motion = ImageMotion()
        self._epoch = 0
        self._keys: list[Key] = []
        self._current: _Current | None = None
        self._pending: Ticket | None = None

    @property
    def pending(self) -> Ticket | None:
        """The frame that the network works on, or None."""
        return self._pending

    @property
    def has_begun(self) -> bool:
        """Whether there is a key, or one in work that can be served."""
        in_work = self._pending is not None and self._pending.epoch == self._epoch
        return bool(self._keys) or in_work

    def drop(self) -> None:
        """Forget all keys and frames; what the network still gives is not served."""
        self._epoch += 1
        self._keys = []
        self._current = None
        self._motion.stop()

    def look(self, view: View) -> str | None:
        """Take the next frame; return why all that came before was dropped, or None."""
        reason = self._break(view)
        if reason is not None:
            self.drop()
        grey = grey_of(view.small)
        back = self._motion.back(grey) if self._motion.started else None
        self._current = _Current(view, grey, back)
        if back is not None:
            self._current.sights = self._sights(view, back)
        return reason

    def serve(self, wanted: Collection[str] | None = None) -> Served | None:
        """Return what the newest frame is served, or None where there is no key to it.

        Args:
            wanted: Tasks whose maps are asked for; all by default.
        """
        current = self._current
        if current is None:
            return None
        stamp, settings = current.view.stamp, self.settings
        maps: dict[str, Any] = {}
        confidence: dict[str, Any] = {}
        stamps: dict[str, int] = {}
        used = []
        for sight in current.sights:
            key = sight.key
            if wanted is not None:
                others = {name for name in key.predictions.maps if name not in wanted}
                key = _without(key, others) if others else key
            if stamp - key.view.stamp > settings.max_key_age_ns or not key.predictions.maps:
                continue
            found = seen(replace(sight, key=key), self._tasks, settings.fill, settings.max_depth)
            maps |= found.maps
            confidence |= found.confidence
            stamps |= dict.fromkeys(found.maps, key.view.stamp)
            used.append(sight)
        if not maps:
            return None
        known = [1.0 if s.known is None else float(s.known.mean()) for s in used]
        newest = current.sights[0].key.predictions
        is_key = current.to_reference is None and current.sights[0].where is None
        predictions = Predictions(
            stamp=stamp,
            maps={task.name: maps[task.name] for task in self._tasks if task.name in maps},
            confidence=confidence,
            dirty=newest.dirty,
            carried=0 if is_key else 1,
        )
        return Served(predictions, stamps, min(known), tuple(used))

    def begin(self) -> Ticket | None:
        """Hand the newest frame to the network; None if there is none, or it is at one."""
        current = self._current
        if current is None or self._pending is not None:
            return None
        self._motion.start(current.grey)
        self._keys = [replace(sight.key, back=sight.where) for sight in current.sights]
        current.to_reference = None
        ticket = Ticket(
            current.view, tuple(current.sights), self._epoch, self._served_depth(current)
        )
        self._pending = ticket
        return ticket

    def refine(self, ticket: Ticket, raw: RawMaps) -> dict[str, NDArray[np.float32]]:
        """Return the network's raw maps of a frame, fused with what the keys before it say.

        It changes nothing here, and may be called in another thread.
        """
        share = self.settings.fuse
        kinds = {task.name: task.kind for task in self._tasks}
        scale = depth_scale(self._spec, ticket.view.focal_length)
        older = {name: sight for sight in ticket.sights for name in sight.key.raw}
        result = {}
        for name, new in raw.items():
            new = FUSIONS[kinds[name]].normalise(new)
            if share < 1.0 and name in older and older[name].where is not None:
                sight = older[name]
                new = fused(kinds[name], new, sight.key.raw[name], sight, share, scale)
            result[name] = new
        return result

    def finish(
        self, ticket: Ticket, predictions: Predictions | None, raw: RawMaps | None = None
    ) -> bool:
        """Take what the network gave for a frame; return whether it can be served.

        Args:
            ticket: As ``begin`` returned it.
            predictions: What it gave; None where it failed. Nobody may write to its arrays.
            raw: As ``refine`` returned it, where keys are fused.
        """
        if ticket is self._pending:
            self._pending = None
        if predictions is None or ticket.epoch != self._epoch or not predictions.maps:
            return False
        assert self._current is not None
        fresh = Key(predictions, ticket.view, self._depth_of(predictions, ticket), dict(raw or {}))
        kept = [_without(key, predictions.maps) for key in self._keys]
        self._keys = [fresh, *(key for key in kept if key.predictions.maps)]
        current = self._current
        current.sights = self._sights(current.view, current.to_reference)
        return True

    def _sights(self, view: View, to_reference: Where | None) -> list[Sight]:
        focal_length = view.focal_length or self._spec.focal_length
        return [sight_of(key, view, to_reference, self._tasks, focal_length) for key in self._keys]

    def _served_depth(self, current: _Current) -> NDArray[np.float32] | None:
        """Return the depth of the newest frame as its keys have it, at the size of the flow."""
        for sight in current.sights:
            depth = next((n for n in self._depths if n in sight.key.predictions.maps), None)
            if depth is not None and sight.key.depth is not None:
                small = replace(
                    sight.key,
                    predictions=replace(
                        sight.key.predictions, maps={depth: sight.key.depth}, confidence={}
                    ),
                )
                found = seen(replace(sight, key=small), self._tasks, True, np.inf)
                return np.asarray(found.maps[depth], np.float32)
        return None

    def _depth_of(self, predictions: Predictions, ticket: Ticket) -> NDArray[np.float32] | None:
        for name in self._depths:
            if name in predictions.maps:
                height, width = grey_of(ticket.view.small).shape
                return depth_at(predictions.maps[name], (width, height))
        return ticket.depth

    def _break(self, view: View) -> str | None:
        """Return why nothing that came before says anything about this frame, or None."""
        if self._current is None:
            return None
        before = self._current.view
        if view.focal_length != before.focal_length:
            return "camera_info"
        return break_between(before, view)


def _without(key: Key, tasks: Collection[str]) -> Key:
    """Return a key without some tasks."""
    found = key.predictions
    left = replace(
        found,
        maps={name: array for name, array in found.maps.items() if name not in tasks},
        confidence={n: array for n, array in found.confidence.items() if n not in tasks},
    )
    raw = {name: array for name, array in key.raw.items() if name not in tasks}
    return replace(key, predictions=left, raw=raw)
