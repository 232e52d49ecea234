"""Frames to which there was no key when they came, as after a start and after a cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from mtshare_ros.perception.view import View

Frame = TypeVar("Frame")


class Waiting(Generic[Frame]):
    """Frames that wait for the network, in their order. Not thread-safe.

    The network works on one frame and then goes on with the newest, so these two are all that can
    be answered late. A frame is given up once a newer one is answered: nothing old comes after
    something new.
    """

    def __init__(self, on_give_up: Callable[[Frame], None]) -> None:
        """Have no frames.

        Args:
            on_give_up: Called with each frame that will not be answered.
        """
        self._on_give_up = on_give_up
        self._frames: list[tuple[View, Frame]] = []

    def __len__(self) -> int:
        """Return how many frames wait."""
        return len(self._frames)

    def hold(self, view: View, frame: Frame, in_work: View | None) -> None:
        """Let the newest frame wait, and give up those that the network will not come to.

        Args:
            view: What the frame shows.
            frame: The frame.
            in_work: What the network is at, or None.
        """
        before, self._frames = self._frames, []
        for held in before:
            if held[0] is in_work:
                self._frames.append(held)
            else:
                self._on_give_up(held[1])
        self._frames.append((view, frame))

    def take(self, view: View) -> Frame | None:
        """Return the frame that shows this, if it waits, and give up those before it."""
        for number, (held, frame) in enumerate(self._frames):
            if held is view:
                before, self._frames = self._frames[:number], self._frames[number + 1 :]
                for _, old in before:
                    self._on_give_up(old)
                return frame
        return None

    def give_up(self) -> None:
        """Give up all of them."""
        before, self._frames = self._frames, []
        for _, frame in before:
            self._on_give_up(frame)
