"""The score of what a robot has at each moment, for one way to serve it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.evaluation.accuracy import Accuracy
from mtshare_ros.evaluation.outcome import Maps, to_size
from mtshare_ros.evaluation.streaming.contenders import Answer
from mtshare_ros.perception.motion.carry import RULES
from mtshare_ros.tasks import Task

MOST_WAITING = 300
"""Frames whose truth is kept for an answer that is still to come; ten seconds."""


def known_truths(
    truths: Maps, known: NDArray[np.bool_] | None, tasks: Sequence[Task]
) -> dict[str, NDArray[Any]]:
    """Return truths in which only known pixels count.

    Args:
        truths: Task -> map.
        known: (H, W) bool; None for all.
        tasks: The tasks. Those whose maps have no value for an unknown pixel are left out.
    """
    kinds = {task.name: task.kind for task in tasks}
    found = {}
    for name, truth in truths.items():
        unknown = RULES[kinds[name]].unknown
        if known is None:
            found[name] = truth
        elif unknown:
            left = truth.copy()
            left[to_size(known.astype(np.uint8), truth.shape[:2]) == 0] = unknown
            found[name] = left
    return found


@dataclass
class StreamingScore:
    """What one way gives: at each moment, and of each frame that it answers.

    Attributes:
        accuracy: At each moment, by the newest answer that was there; every pixel counts.
        served: The same on the pixels that the scored run knows.
        stamped: Each answer, by the truth of its own frame.
        ages: Seconds from the frame that the network computed to the moment.
        answered: Frames that were answered.
    """

    tasks: Sequence[Task]
    accuracy: Accuracy = field(init=False)
    served: Accuracy = field(init=False)
    stamped: Accuracy = field(init=False)
    ages: list[float] = field(default_factory=list)
    answered: int = 0

    def __post_init__(self) -> None:
        """Start empty."""
        self.accuracy, self.served, self.stamped = (Accuracy(self.tasks) for _ in range(3))

    def result(self) -> dict[str, Any]:
        """Return each task's metrics, and ``served``, ``stamped``, ``answered`` and ``age_ms``."""
        ages = 1e3 * np.asarray(self.ages)
        return {
            **self.accuracy.result(),
            "served": self.served.result(),
            "stamped": self.stamped.result(),
            "answered": self.answered,
            "age_ms": {"mean": float(ages.mean()), "p95": float(np.percentile(ages, 95))}
            if ages.size
            else {},
        }


@dataclass(frozen=True)
class _Past:
    """A frame that an answer may still come for."""

    time: float
    truths: Maps


class Streaming:
    """Scores several ways on the same moments: those from which on each of them has an answer.

    Attributes:
        scores: Name -> score; the first is the run's.
        newest: Name -> newest answer that was there.
        moments: Moments that were scored.
        frames: Frames so far.
        coverage: Mean part of the pixels that the run knows; 0 before the first moment.
    """

    def __init__(self, names: Sequence[str], tasks: Sequence[Task]) -> None:
        """Start empty; the first of the names is the run that is scored."""
        self.scores = {name: StreamingScore(tasks) for name in names}
        self.newest: dict[str, Answer] = {}
        self.moments = self.frames = 0
        self._tasks = tasks
        self._run = names[0]
        self._past: dict[int, _Past] = {}
        self._covered = 0.0

    @property
    def coverage(self) -> float:
        """Mean part of the pixels that the run knows."""
        return self._covered / self.moments if self.moments else 0.0

    def frame(self, number: int, time: float, truths: Maps) -> None:
        """Take note of a frame, before any answer to it."""
        self.frames += 1
        self._past[number] = _Past(time, truths)
        self._past.pop(number - MOST_WAITING, None)

    def answer(self, name: str, answer: Answer) -> None:
        """Take an answer of a way that came since the last moment."""
        score, past = self.scores[name], self._past.get(answer.number)
        score.answered += 1
        if past is not None:
            score.stamped.update(answer.maps, past.truths)
        self.newest[name] = answer

    def moment(self, number: int) -> Maps | None:
        """Score what is there at the time of a frame; return the run's maps, or None without.

        Args:
            number: The frame, which ``frame`` has taken.
        """
        if len(self.newest) < len(self.scores):
            return None
        now = self._past[number]
        run = self.newest[self._run]
        truths = known_truths(now.truths, run.known, self._tasks)
        for name, score in self.scores.items():
            answer = self.newest[name]
            score.accuracy.update(answer.maps, now.truths)
            score.served.update(answer.maps, truths)
            score.ages.append(answer.age + now.time - self._past_time(answer))
        self.moments += 1
        self._covered += 1.0 if run.known is None else float(run.known.mean())
        return run.maps

    def _past_time(self, answer: Answer) -> float:
        return self._past[answer.number].time if answer.number in self._past else answer.time

    def result(self) -> Mapping[str, Any]:
        """Return the entries of ``streaming`` in ``report.json``."""
        run = self.scores[self._run]
        return {
            **run.result(),
            "answered": run.answered / max(1, self.frames),
            "coverage": self.coverage,
            "moments": self.moments,
        }
