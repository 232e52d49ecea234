"""One camera between two threads: one answers its frames, the other makes its keys."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.serving.server import RawMaps, Served, Server, ServeSettings
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.perception.view import View

_SETTLING = 0.2
"""Weight of a new key in the time that keys are expected to take."""


@dataclass
class _Work:
    """What a key is made of."""

    wanted: Sequence[str] = ()
    resets: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Made:
    """A key, and the frame that it was made of."""

    view: View
    predictions: Predictions

    def served(self) -> Served:
        """Return what the frame itself is served."""
        return Served(
            self.predictions, dict.fromkeys(self.predictions.maps, self.view.stamp), 1.0, ()
        )


class Channel:
    """A camera's stream and server, and the lock between the threads that use them.

    ``look``, ``wait`` and ``serve`` belong to the thread that answers frames, ``compute`` to the
    one that runs the network; the others may be called in any.
    """

    def __init__(self, engine: Engine) -> None:
        """Have no frame yet.

        Args:
            engine: The opened bundle, which other channels may share.
        """
        manifest = engine.manifest
        self.engine = engine
        self._stream = PerceptionStream(engine)
        self._server = Server(manifest.tasks, manifest.input)
        self._changed = threading.Condition()
        self._work = _Work()
        self._newest: View | None = None
        self._keyed: View | None = None
        self._since_key = 0
        self._keys_apart = 1
        self._expected_ms = float("inf")
        self._settings = self._stream.settings

    def settle(self, stream: StreamSettings, serve: ServeSettings) -> None:
        """Let settings hold from the next frame on.

        Args:
            stream: Those of the network. Its ages and rates count keys, and ``carry_frames``
                says how many frames there are between two keys at least.
            serve: Those of the frames that are served.
        """
        before = self._settings
        with self._changed:
            # A key has its size and its range once and for all.
            if (stream.output_size, stream.max_depth) != (before.output_size, before.max_depth):
                self._server.drop()
            self._server.settings = serve
            self._keys_apart = stream.carry_frames + 1
            self._settings = replace(stream, carry_frames=0)

    def reset(self, reason: str) -> None:
        """Drop all keys and the network's cache before the next frame."""
        with self._changed:
            self._server.drop()
            self._work.resets.append(reason)

    def look(self, view: View, wanted: Sequence[str]) -> str | None:
        """Take the next frame; return why what came before was dropped, or None.

        Args:
            view: The frame.
            wanted: The tasks that keys are made of from now on.
        """
        with self._changed:
            reason = self._server.look(view)
            if reason is not None:
                self._work.resets.append(reason)
            self._work.wanted = wanted
            self._newest = view
            self._since_key += 1
            return reason

    @property
    def in_work(self) -> View | None:
        """The frame that the network is at, or None."""
        pending = self._server.pending
        return None if pending is None else pending.view

    @property
    def keyed(self) -> View | None:
        """The frame that the network was at last, whether it gave a key or failed."""
        return self._keyed

    @property
    def wants_key(self) -> bool:
        """Whether the network should work on the newest frame."""
        return self._since_key >= self._keys_apart or not self._server.has_begun

    def wait(self, seconds: float) -> None:
        """Wait for the network if it can be expected to have done the newest frame by then."""
        if 1e-3 * self._expected_ms > seconds:
            return
        with self._changed:
            pending = self._server.pending
            if pending is None or pending.view is self._newest:
                self._changed.wait_for(lambda: self._keyed is self._newest, seconds)

    def serve(self, wanted: Collection[str]) -> Served | None:
        """Return what the newest frame is served, or None where no key says anything about it."""
        with self._changed:
            return self._server.serve(wanted)

    def compute(self) -> Made | None:
        """Make a key of the newest frame.

        Returns:
            The key; None where there is no new frame.

        Raises:
            EngineError: The engine failed; the cache is dropped, and older keys go on.
        """
        with self._changed:
            if self._newest is self._keyed:
                return None
            ticket = self._server.begin()
            if ticket is None:
                return None
            self._since_key = 0
            work, self._work = self._work, _Work(self._work.wanted)
            if self._settings != self._stream.settings:
                self._stream.settings = self._settings
        for reason in work.resets:
            self._stream.reset(reason)
        raw: RawMaps = {}

        def refine(new: RawMaps) -> RawMaps:
            nonlocal raw
            raw = self._server.refine(ticket, new)
            return raw

        found: Predictions | None = None
        try:
            found = self._stream.step_view(ticket.view, work.wanted, refine)
        except Exception:
            # Whatever failed may have left the cache half written.
            self._stream.reset("engine failure")
            raise
        finally:
            with self._changed:
                self._server.finish(ticket, found, raw)
                self._keyed = ticket.view
                if found is not None:
                    self._expect(found.milliseconds["total"])
                self._changed.notify_all()
        return Made(ticket.view, found)

    def _expect(self, milliseconds: float) -> None:
        before = self._expected_ms
        if before == float("inf"):
            before = milliseconds
        self._expected_ms = before + _SETTLING * (milliseconds - before)
