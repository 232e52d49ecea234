"""Opening a bundle without holding up the node."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from mtshare_ros.errors import one_line
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.engines.build_progress import Progress
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.ros.package_files import package_path

DEFAULT_BUNDLE = "models/room"


def bundle_folder(parameter: str) -> Path:
    """Return the bundle that the parameter ``bundle`` means; empty is the package's own."""
    # Unlike pathlib, this leaves the name of a user that doesn't exist as it is.
    return Path(os.path.expanduser(parameter)) if parameter else package_path(DEFAULT_BUNDLE)


class Opener:
    """Opens a bundle in a thread: reading, checking and warming up take seconds or more.

    Attributes:
        engine: The opened engine, or None until ``finished`` or after a failure.
        error: Why it could not be opened, or None.
        progress: How far engines are compiled for a GPU, in words, or None.
    """

    def __init__(
        self,
        folder: Path,
        backend: str,
        threads: int,
        precision: str,
        on_finished: Callable[[], None],
    ) -> None:
        """Start opening.

        Args:
            folder: The bundle.
            backend: Engine to open it with, or ``auto``.
            threads: CPU threads of the engine.
            precision: What a GPU computes in, ``fp16`` or ``fp32``.
            on_finished: Called in the opening thread at the end, whether it succeeded or not.
        """
        self.engine: Engine | None = None
        self.error: str | None = None
        self.progress: str | None = None
        self._on_finished = on_finished
        self._lock = threading.Lock()
        self._abandoned = False
        self._thread = threading.Thread(
            target=self._open,
            args=(folder, backend, threads, precision),
            name="opening",
            daemon=True,
        )
        self._thread.start()

    @property
    def finished(self) -> bool:
        """Whether there is an engine or an error."""
        return self.engine is not None or self.error is not None

    def abandon(self, patience: float) -> bool:
        """Call ``on_finished`` no more; return whether opening ends within some seconds."""
        with self._lock:
            self._abandoned = True
            self.engine = None
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _on_progress(self, progress: Progress) -> bool:
        self.progress = str(progress)
        return not self._abandoned  # nobody waits for an engine any more: end its build

    def _open(self, folder: Path, backend: str, threads: int, precision: str) -> None:
        engine: Engine | None = None
        error: str | None = None
        try:
            engine = open_engine(folder, backend, threads, precision, self._on_progress)
        except Exception as caught:
            # Whatever a runtime raises on a bundle it can't take, the node reports it and lives.
            error = f"bundle {folder} not opened: {one_line(caught)}"
        with self._lock:
            if not self._abandoned:
                self.engine, self.error = engine, error
                self._on_finished()
