"""Frames of a run that a report shows: evenly spread ones and the worst, of bounded size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtshare_ros.evaluation.latency import TOTAL
from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.pictures.frame_pictures import Encoded, encode
from mtshare_ros.tasks import Task

MAX_FRAMES = 120
"""Most evenly spread frames; of a longer run there are at least half as many."""

MAX_BYTES = 16 * 2**20
"""Most bytes of all encoded pictures; in the page they are a third larger (base64)."""

WORST = 2
"""Worst frames that are kept for each reason."""

APART = 30
"""Frames between two that are kept for one reason: neighbours in a video are alike."""

SLOWEST = "slowest"


@dataclass(frozen=True)
class Moment:
    """A frame's place in the run and its figures.

    Attributes:
        index: Number of the frame, from 0.
        label: What to call it besides its number.
        figures: As in ``Scores.series``.
    """

    index: int
    label: str
    figures: Mapping[str, float]


@dataclass
class Kept:
    """A frame that is shown.

    Attributes:
        moment: The frame.
        pictures: Its pictures.
        reasons: Why it is shown if it is among the worst: ``slowest``, or names of tasks.
    """

    moment: Moment
    pictures: Encoded
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Bad:
    """A frame that is among the worst, and how bad it is: higher is worse."""

    badness: float
    kept: Kept


class KeptFrames:
    """Decides for each frame, as it comes, whether its pictures are kept.

    Every k-th frame is kept, and k doubles whenever there are more than ``MAX_FRAMES`` of them or
    ``MAX_BYTES`` are exceeded. So they are spread evenly, whenever the run ends. Besides, the
    ``WORST`` frames of each task with ground truth, by its main metric, are kept, and the slowest.
    The first frame does not count as slow: it has no cache.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        """Start empty."""
        self._tasks = tasks
        self._stride = 1
        self._even: list[Kept] = []
        self._worst: dict[str, list[_Bad]] = {}

    def offer(self, moment: Moment, outcome: Outcome, figures: Mapping[str, float]) -> None:
        """Keep the next frame or not, given each task's main metric on it."""
        kept: Kept | None = None
        if moment.index % self._stride == 0:
            kept = Kept(moment, encode(self._tasks, outcome))
            self._even.append(kept)
        for reason, badness in self._badness(moment, figures).items():
            if self._is_among_worst(reason, badness, moment.index):
                kept = kept or Kept(moment, encode(self._tasks, outcome))
                self._keep_worst(reason, badness, kept)
        while len(self._even) > MAX_FRAMES or (len(self._even) > 1 and self.size > MAX_BYTES):
            self._stride *= 2
            self._even = [k for k in self._even if k.moment.index % self._stride == 0]

    def _badness(self, moment: Moment, figures: Mapping[str, float]) -> dict[str, float]:
        """Return reason -> a number that is higher the worse the frame is."""
        badness = {}
        for task in self._tasks:
            if task.name in figures:
                sign = -1.0 if task.higher_is_better else 1.0
                badness[task.name] = sign * figures[task.name]
        if moment.index and f"ms.{TOTAL}" in moment.figures:
            badness[SLOWEST] = moment.figures[f"ms.{TOTAL}"]
        return badness

    def _is_among_worst(self, reason: str, badness: float, index: int) -> bool:
        worst = self._worst.get(reason, [])
        near = [bad.badness for bad in worst if index - bad.kept.moment.index < APART]
        if near:
            return badness > max(near)
        return len(worst) < WORST or badness > worst[-1].badness

    def _keep_worst(self, reason: str, badness: float, kept: Kept) -> None:
        index = kept.moment.index
        worst = [b for b in self._worst.get(reason, []) if index - b.kept.moment.index >= APART]
        worst.append(_Bad(badness, kept))
        self._worst[reason] = sorted(worst, key=lambda bad: -bad.badness)[:WORST]

    @property
    def size(self) -> int:
        """Bytes of all pictures."""
        return sum(kept.pictures.size for kept in self._all().values())

    def _all(self) -> dict[int, Kept]:
        """Return number of the frame -> the kept frame, in their order."""
        worst = (bad.kept for bads in self._worst.values() for bad in bads)
        kept = {kept.moment.index: kept for kept in (*self._even, *worst)}
        return dict(sorted(kept.items()))

    def result(self) -> list[Kept]:
        """Return the frames in their order, with their reasons."""
        frames = self._all()
        for kept in frames.values():
            kept.reasons = []
        for reason, bads in self._worst.items():
            for bad in bads:
                frames[bad.kept.moment.index].reasons.append(reason)
        return list(frames.values())
