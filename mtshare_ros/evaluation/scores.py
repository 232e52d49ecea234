"""Everything that a report says about one run, gathered frame by frame in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtshare_ros.evaluation.accuracy import Accuracy
from mtshare_ros.evaluation.latency import TOTAL, Latency
from mtshare_ros.evaluation.outcome import Maps, Outcome
from mtshare_ros.evaluation.pictures.kept_frames import KeptFrames, Moment
from mtshare_ros.evaluation.series import Series
from mtshare_ros.metrics import disagreement
from mtshare_ros.metrics.boundary_matching import MAX_DISTANCE
from mtshare_ros.tasks import Task


@dataclass(frozen=True)
class Run:
    """What was run on what.

    Attributes:
        bundle: The bundle's folder, as given.
        engine: Name of the engine.
        policy: What a frame recomputed; see ``policies.open_stream``.
        source: Where the frames come from; on the page only.
        frames: How many frames the source has, or None if unknown.
    """

    bundle: str
    engine: str
    policy: str
    source: str
    frames: int | None = None


@dataclass(frozen=True)
class Recording:
    """What the live node reported about a run.

    Attributes:
        delivery: Fate of the frames -> count: ``received``, ``processed``, ``dropped``, ...
        latency_ms: Stage -> ``p50``, ``p95``, ``p99`` in milliseconds, as in its diagnostics.
    """

    delivery: dict[str, int]
    latency_ms: dict[str, dict[str, float]]


@dataclass
class Contender:
    """A baseline's accuracy and time on the same frames as the run.

    Attributes:
        accuracy: Its accumulators.
        latency: Its times.
    """

    accuracy: Accuracy
    latency: Latency = field(default_factory=Latency)

    def result(self) -> dict[str, Any]:
        """Return ``tasks`` and ``latency_ms`` as in ``report.json``."""
        return {"tasks": self.accuracy.result(), "latency_ms": self.latency.result()}


@dataclass
class _Mean:
    """Mean and largest of the values added so far."""

    count: int = 0
    total: float = 0.0
    largest: float = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.largest = max(self.largest, value)

    @property
    def mean(self) -> float:
        return self.total / self.count


class Scores:
    """Everything that a report says about one run; filled by ``update``.

    Attributes:
        tasks: The tasks that are scored.
        frames: Frames so far.
        truth_frames: Task -> frames that had truth.
        accuracy: The run's accuracy.
        latency: The run's times.
        baselines: Name -> what else was run on the same frames.
        series: Figures of each frame: ``dirty_fraction``, ``ms.<stage>``, ``<task>.<main
            metric>``, ``<baseline>.<task>.<main metric>``, ``disagreement.<task>``.
        kept: The frames whose pictures the report shows.
    """

    def __init__(self, tasks: Sequence[Task], max_distance: float = MAX_DISTANCE) -> None:
        """Start empty; ``max_distance`` is the tolerance of boundaries in image diagonals."""
        self.tasks = tasks
        self.frames = 0
        self.truth_frames = {task.name: 0 for task in tasks}
        self.accuracy = Accuracy(tasks, max_distance)
        self.latency = Latency()
        self.baselines: dict[str, Contender] = {}
        self.series = Series()
        self.kept = KeptFrames(tasks)
        self._max_distance = max_distance
        self._dirty = _Mean()
        self._disagreements: dict[str, _Mean] = {}
        self._row: dict[str, float] = {}

    def baseline(
        self,
        name: str,
        predictions: Maps,
        truths: Maps,
        milliseconds: Mapping[str, float],
    ) -> None:
        """Add what a baseline gave for the frame that ``update`` adds next."""
        if name not in self.baselines:
            self.baselines[name] = Contender(Accuracy(self.tasks, self._max_distance))
        contender = self.baselines[name]
        contender.latency.update(milliseconds)
        figures = contender.accuracy.update(predictions, truths)
        self._row |= {f"{name}.{key}": value for key, value in self._named(figures).items()}
        if TOTAL in milliseconds:
            self._row[f"{name}.ms.{TOTAL}"] = milliseconds[TOTAL]

    def update(self, outcome: Outcome) -> None:
        """Add one frame."""
        row, self._row = self._row, {}
        figures = self.accuracy.update(outcome.predictions, outcome.truths)
        row |= self._named(figures)
        if outcome.dirty is not None:
            row["dirty_fraction"] = outcome.dirty_fraction
            self._dirty.add(outcome.dirty_fraction)
        if outcome.milliseconds is not None:
            self.latency.update(outcome.milliseconds)
            row |= {f"ms.{stage}": ms for stage, ms in outcome.milliseconds.items()}
        if outcome.reference is not None:
            row |= self._compare(outcome.predictions, outcome.reference)
        self.series.add(row)
        self.kept.offer(Moment(self.frames, outcome.label, row), outcome, figures)
        self.frames += 1
        for name in outcome.truths:
            self.truth_frames[name] += 1

    def _named(self, figures: Mapping[str, float]) -> dict[str, float]:
        return {
            f"{task.name}.{task.metrics[0]}": figures[task.name]
            for task in self.tasks
            if task.name in figures
        }

    def _compare(self, predictions: Maps, reference: Maps) -> dict[str, float]:
        row = {}
        for task in self.tasks:
            value = disagreement(task, predictions[task.name], reference[task.name])
            self._disagreements.setdefault(task.name, _Mean()).add(value)
            row[f"disagreement.{task.name}"] = value
        return row

    def disagreement(self) -> dict[str, float]:
        """Return the mean distance from the dense network over the frames, by task."""
        return {name: values.mean for name, values in self._disagreements.items()}

    def dirty_fraction(self) -> dict[str, float]:
        """Return ``mean`` and ``max`` over the frames; empty if unknown."""
        dirty = self._dirty
        return {"mean": dirty.mean, "max": dirty.largest} if dirty.count else {}
