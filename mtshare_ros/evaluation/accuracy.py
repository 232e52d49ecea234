"""Accuracy of one contender (the run, or a baseline) over a whole run."""

from __future__ import annotations

from collections.abc import Sequence

from mtshare_ros.evaluation.outcome import Maps, to_size
from mtshare_ros.metrics import Additive, MetricSettings, metric_for
from mtshare_ros.metrics.boundary_matching import MAX_DISTANCE
from mtshare_ros.tasks import Task


class Accuracy:
    """The accuracy of all frames so far: one accumulator per task."""

    def __init__(self, tasks: Sequence[Task], max_distance: float = MAX_DISTANCE) -> None:
        """Start empty; boundaries match up to ``max_distance`` image diagonals apart."""
        self._tasks = {task.name: task for task in tasks}
        self._settings = MetricSettings(max_distance)
        self.metrics: dict[str, Additive] = {
            task.name: metric_for(task, self._settings) for task in tasks
        }

    def update(self, predictions: Maps, truths: Maps) -> dict[str, float]:
        """Add one frame; predictions are brought to the size of the truth (``to_size``).

        Returns:
            Each task's main metric on this frame alone; a task without a valid pixel is missing.
        """
        figures = {}
        for name, truth in truths.items():
            if name not in predictions:
                continue
            task = self._tasks[name]
            frame = metric_for(task, self._settings)
            frame.update(to_size(predictions[name], truth.shape[:2]), truth)
            self.metrics[name] = self.metrics[name] + frame
            values = frame.result()
            if values:
                figures[name] = values[task.metrics[0]]
        return figures

    def result(self) -> dict[str, dict[str, float]]:
        """Return the metrics of each task that had ground truth."""
        results = {name: metric.result() for name, metric in self.metrics.items()}
        return {name: result for name, result in results.items() if result}

    def legacy(self) -> dict[str, dict[str, float]]:
        """Return further variants that published tables report, by task."""
        results = {name: metric.legacy() for name, metric in self.metrics.items()}
        return {name: result for name, result in results.items() if result}
