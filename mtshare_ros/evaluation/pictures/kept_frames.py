"""Which frames of a run a report shows: evenly spread ones and the worst, of bounded size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtshare_ros.evaluation.latency import TOTAL
from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.pictures.frame_pictures import Encoded, encode
from mtshare_ros.tasks import Task

MAX_FRAMES = 120
"""Evenly spread frames at most; from half as many on, where there are so many."""

MAX_BYTES = 16 * 2**20
"""Of all encoded pictures; in the page they are a third larger (base64)."""

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
        label: What to call it besides.
        figures: As in ``Scores.series``.
    """

    index: int
    label: str
    figures: Mapping[str, float]


@dataclass
class Kept:
    """A frame that is shown.

    Attributes:
        moment: Which one.
        pictures: Its pictures.
        reasons: Why, besides being one of those spread evenly: ``slowest``, or a task's name.
    """

    moment: Moment
    pictures: Encoded
    reasons: list[str] = field(default_factory=list)


class KeptFrames:
    """Decides for each frame, as it comes, whether its pictures are kept.

    Every k-th frame is, and k doubles whenever there are more than ``MAX_FRAMES`` of them or
    ``MAX_BYTES`` are exceeded: so they are spread evenly whenever the run ends, which nobody needs
    to know before. Besides, for each task with ground truth the ``WORST`` frames by its main
    metric are kept, and the slowest (the first frame is none of them: it has no cache).
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        """Start empty."""
        self._tasks = tasks
        self._stride = 1
        self._even: list[Kept] = []
        self._worst: dict[str, list[tuple[float, Kept]]] = {}

    def offer(self, moment: Moment, outcome: Outcome, figures: Mapping[str, float]) -> None:
        """Show the next frame, and each task's main metric on it."""
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
        found = {}
        for task in self._tasks:
            if task.name in figures:
                sign = -1.0 if task.higher_is_better else 1.0
                found[task.name] = sign * figures[task.name]
        if moment.index and f"ms.{TOTAL}" in moment.figures:
            found[SLOWEST] = moment.figures[f"ms.{TOTAL}"]
        return found

    def _is_among_worst(self, reason: str, badness: float, index: int) -> bool:
        known = self._worst.get(reason, [])
        near = [b for b, kept in known if index - kept.moment.index < APART]
        if near:
            return badness > max(near)
        return len(known) < WORST or badness > known[-1][0]

    def _keep_worst(self, reason: str, badness: float, kept: Kept) -> None:
        index = kept.moment.index
        known = [e for e in self._worst.get(reason, []) if index - e[1].moment.index >= APART]
        known.append((badness, kept))
        self._worst[reason] = sorted(known, key=lambda entry: -entry[0])[:WORST]

    @property
    def size(self) -> int:
        """Bytes of all pictures."""
        return sum(kept.pictures.size for kept in self._all().values())

    def _all(self) -> dict[int, Kept]:
        found = {kept.moment.index: kept for kept in self._even}
        for entries in self._worst.values():
            found |= {kept.moment.index: kept for _, kept in entries}
        return dict(sorted(found.items()))

    def result(self) -> list[Kept]:
        """Return the frames in their order, with their reasons."""
        found = self._all()
        for kept in found.values():
            kept.reasons = []
        for reason, entries in self._worst.items():
            for _, kept in entries:
                found[kept.moment.index].reasons.append(reason)
        return list(found.values())
