"""A picture of an image and its outputs side by side, each with its age above it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mtshare_ros.evaluation.outcome import to_size
from mtshare_ros.evaluation.pictures.depth_colours import DepthColours, colours_of, to_levels
from mtshare_ros.evaluation.pictures.map_pictures import Map, Picture, map_picture, with_legend
from mtshare_ros.evaluation.video.live import Moment
from mtshare_ros.tasks import Task

MOST_IN_A_ROW = 4
SMALLEST_PANEL = 64
"""Pixels that a panel is wide at least."""
_WIDER = 12.0
"""Levels of depth beyond what the first map has, at both ends: half as far again."""
_GAP = 2
"""Pixels between panels."""
_WHITE = (235, 235, 235)


class Mosaic:
    """Lays out and draws pictures of one size."""

    def __init__(
        self, tasks: Sequence[Task], image: tuple[int, int], width: int, columns: int | None = None
    ) -> None:
        """Lay out the panels: the image's, then one of each task.

        Args:
            tasks: The tasks, in their order.
            image: Width and height of the images.
            width: Of the picture, in pixels.
            columns: Panels in a row; None for up to ``MOST_IN_A_ROW``.
        """
        self._tasks = tasks
        self._metres = set(with_legend(tasks, "metres"))
        self._depth: DepthColours | None = None
        panels = len(tasks) + 1
        self._columns = min(panels, columns or MOST_IN_A_ROW)
        rows = -(-panels // self._columns)
        wide = (width - _GAP * (self._columns - 1)) // self._columns
        wide = max(SMALLEST_PANEL, wide)
        self._panel = wide, max(1, round(wide * image[1] / image[0]))
        self._bar = max(14, round(wide / 14))
        across = wide * self._columns + _GAP * (self._columns - 1)
        down = (self._panel[1] + self._bar) * rows + _GAP * (rows - 1)
        # Encoders of video want even sides.
        self.size = across + across % 2, down + down % 2

    def place(self, number: int) -> tuple[slice, slice]:
        """Return the rows and columns of a panel; 0 is the image's, then the tasks'."""
        row, column = divmod(number, self._columns)
        wide, high = self._panel
        top = row * (high + self._bar + _GAP) + self._bar
        left = column * (wide + _GAP)
        return slice(top, top + high), slice(left, left + wide)

    def picture(self, moment: Moment) -> Picture:
        """Return the picture of a moment, (height, width, 3) uint8 RGB."""
        picture = np.zeros((*self.size[::-1], 3), np.uint8)
        image = cv2.resize(moment.shot.image, self._panel, interpolation=cv2.INTER_AREA)
        picture[self.place(0)] = image
        self._write(picture, 0, f"camera, {moment.seconds:.2f} s")
        for number, task in enumerate(self._tasks, 1):
            age = moment.age(task.name)
            if age is None or moment.answer is None:
                self._write(picture, number, f"{task.name}: none yet")
                continue
            small = to_size(moment.answer.maps[task.name], self._panel[::-1])
            picture[self.place(number)] = self._coloured(task, small)
            self._write(picture, number, f"{task.name}, {1e3 * age:.0f} ms old")
        return picture

    def _coloured(self, task: Task, values: Map) -> Picture:
        if task.name not in self._metres:
            return map_picture(task, values, 0.0)
        levels = to_levels(values)
        if self._depth is None:
            # One range for all pictures, so that a colour means the same distance in each.
            found = colours_of([levels])
            self._depth = DepthColours(max(1.0, found.near - _WIDER), found.far + _WIDER)
        return self._depth.picture(levels)

    def _write(self, picture: Picture, number: int, text: str) -> None:
        rows, columns = self.place(number)
        scale = self._bar / 38.0
        at = columns.start + 3, rows.start - round(0.3 * self._bar)
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, _WHITE, 1, cv2.LINE_AA)
