"""A run over many frames that may end before the frames do, and still leaves its report."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from mtshare_ros.errors import JobError, exit_status, one_line
from mtshare_ros.progress import OnCount, silent

_Item = TypeVar("_Item")


class StoppedEarly(JobError):
    """A run ended before its frames did; the report of those before is written.

    Attributes:
        numbers: The content of ``report.json``.
        reason: What ended the run: a user's mistake, a damaged file, an engine's failure, or
            ``KeyboardInterrupt``.
        output: Folder of the report.
    """

    def __init__(self, numbers: dict[str, Any], reason: BaseException, output: Path) -> None:
        """Keep the report and the reason."""
        super().__init__(f"{one_line(reason)}; report of {numbers['frames']} frames in {output}")
        self.numbers = numbers
        self.reason = reason
        self.output = output


def run_over(
    source: Iterable[_Item],
    total: int,
    step: Callable[[_Item], None],
    on_frame: OnCount = silent,
) -> BaseException | None:
    """Call ``step`` with every frame, in order.

    The first Ctrl-C ends the run after the current frame, a second one at once.

    Args:
        source: The frames.
        total: How many there should be.
        step: What to do with each.
        on_frame: Called after each with the frames done and those in all.

    Returns:
        Why the run ended early, or None.

    Raises:
        KeyboardInterrupt: Ctrl-C, before there was a frame.
        Exception: What the source or ``step`` raised, if it is a bug or came before any frame.
    """
    done = 0
    with _interruptions() as interrupted:
        try:
            for item in source:
                step(item)
                done += 1
                on_frame(done, total)
                if interrupted.is_set():
                    return KeyboardInterrupt(f"interrupted after {done} of {total} frames")
        except Exception as error:
            if not done or exit_status(error) is None:
                raise
            return error
    if interrupted.is_set():
        raise KeyboardInterrupt
    return None


@contextmanager
def _interruptions() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C sets."""
    seen = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield seen  # Only the main thread gets signals.
        return
    before = signal.getsignal(signal.SIGINT)

    def hear(*_: object) -> None:
        if seen.is_set():
            raise KeyboardInterrupt
        seen.set()

    signal.signal(signal.SIGINT, hear)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)
