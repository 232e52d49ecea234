"""Plays a source in real time and writes what a robot would get as a video."""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from mtshare_ros.evaluation.policies import warm_up
from mtshare_ros.evaluation.video.live import LiveChannel, Moment, play
from mtshare_ros.evaluation.video.mosaic import Mosaic
from mtshare_ros.evaluation.video.sources import Shots, VideoError
from mtshare_ros.evaluation.video.video_files import check_ending, open_video
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.serving.server import ServeSettings
from mtshare_ros.progress import OnCount, silent


@dataclass
class VideoResult:
    """What came of it.

    Attributes:
        size: Width and height of the pictures.
        frames: Images that were played.
        answered: Those whose own answer was there when the next image came.
        empty: Those at whose time there was no answer at all yet.
        late: Those that were handed over more than a period late, as this machine was busy.
        keys_per_second: Images that the network computed, a second.
        ages: Seconds from the image of the oldest key to each image with an answer.
        coverage: Part of the pixels that was known, of each image with an answer.
        stopped: Whether Ctrl-C ended it.
        warnings: What a user has to know.
    """

    size: tuple[int, int] = (0, 0)
    frames: int = 0
    answered: int = 0
    empty: int = 0
    late: int = 0
    keys_per_second: float = 0.0
    ages: list[float] = field(default_factory=list)
    coverage: list[float] = field(default_factory=list)
    stopped: bool = False
    warnings: tuple[str, ...] = ()

    def add(self, moment: Moment, period: float) -> None:
        """Count a moment; the period is that of the images, in seconds."""
        self.frames += 1
        self.answered += moment.answered
        self.late += moment.late > period
        if moment.answer is None:
            self.empty += 1
            return
        stamps = moment.answer.key_stamps.values()
        self.ages.append(1e-9 * (moment.shot.stamp - min(stamps)))
        self.coverage.append(moment.answer.coverage)

    def rows(self) -> list[tuple[str, str]]:
        """Return what was counted and measured, in words."""
        rows = [("frames", str(self.frames)), ("answered", str(self.answered))]
        rows += [("before the first output", str(self.empty))]
        rows += [("network, frames a second", f"{self.keys_per_second:.1f}")]
        if self.ages:
            ages = 1e3 * np.array(self.ages)
            rows += [("age, mean", f"{ages.mean():.0f} ms")]
            rows += [("age, p95", f"{np.percentile(ages, 95):.0f} ms")]
            rows += [("known pixels, mean", f"{100 * np.mean(self.coverage):.1f} %")]
        return rows


def make_video(
    shots: Shots,
    engine: Engine,
    output: Path,
    serving: ServeSettings | None = None,
    seconds: float | None = None,
    width: int = 1280,
    columns: int | None = None,
    every: int = 1,
    on_frame: OnCount = silent,
) -> VideoResult:
    """Play images in real time, and write each with the newest outputs that were there.

    Ctrl-C ends it, and what came before is written.

    Args:
        shots: The images.
        engine: The opened bundle.
        output: The file; its ending says what is written.
        serving: How images are served.
        seconds: Play so long; None: to the end.
        width: Of the pictures, in pixels.
        columns: Panels in a row.
        every: Write the picture of every n-th image only.
        on_frame: Called after each image.

    Raises:
        OptionError: The file has an ending that nothing is known of.
        VideoError: There is no image, or the file can't be written.
        EngineError: The network failed.
    """
    result = VideoResult()
    expected = _expected(shots, seconds)
    check_ending(output, None if expected is None else math.ceil(expected / every))
    warm_up(engine)
    with (
        closing(LiveChannel(engine, serving)) as channel,
        closing(play(shots, channel, seconds)) as moments,
    ):
        began = time.perf_counter()
        first = next(moments, None)
        if first is None:
            raise VideoError("there was no image to show")
        height, wide = first.shot.image.shape[:2]
        mosaic = Mosaic(engine.manifest.tasks, (wide, height), width, columns)
        result.size = mosaic.size
        with open_video(output, shots.rate / every, mosaic.size) as file:
            try:
                for number, moment in enumerate(chain([first], moments)):
                    if number % every == 0:
                        file.add(mosaic.picture(moment))
                    result.add(moment, 1.0 / shots.rate)
                    on_frame(result.frames, max(result.frames, expected or 0))
            except KeyboardInterrupt:
                result.stopped = True
            result.keys_per_second = channel.keys / (time.perf_counter() - began)
    late: tuple[str, ...] = ()
    if result.late > result.frames // 20:
        text = f"{result.late} of {result.frames} frames came late: this machine is too busy"
        late = (f"{text} to play in real time",)
    result.warnings = (*(() if result.stopped or seconds else shots.warnings), *late)
    return result


def _expected(shots: Shots, seconds: float | None) -> int | None:
    """Return how many images will be played; None where nobody knows."""
    asked = None if seconds is None else math.ceil(seconds * shots.rate)
    known = [number for number in (shots.count, asked) if number is not None]
    return min(known) if known else None
