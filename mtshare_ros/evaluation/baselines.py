"""What a run is compared with on the same frames: the dense network, held results, a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.frames import InputFrame
from mtshare_ros.evaluation.policies import Stepper, hold_stream, open_stream
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.selection import DENSE
from mtshare_ros.tasks import Task

_EXPECTED = "hold:K or warp:K with K >= 1 frames, or the folder of a bundle"


class _Given:
    """A stream that has its predictions already."""

    predictions: Predictions

    def step(self, *_: Any, **__: Any) -> Predictions:
        return self.predictions

    def reset(self, reason: str = "requested") -> None:
        """There is nothing to forget."""


@dataclass
class _Baseline:
    """A stream to compare with, and the run's tasks that it has."""

    name: str
    stream: Stepper
    tasks: Sequence[Task]

    def step(self, frame: InputFrame, scores: Scores) -> Predictions:
        """Compute a frame and add what came out to the scores."""
        wanted = [task.name for task in self.tasks]
        predictions = self.stream.step(frame.image, frame.stamp, wanted, frame.focal_length)
        truths = {name: truth for name, truth in frame.truths.items() if name in wanted}
        scores.baseline(self.name, predictions.maps, truths, predictions.milliseconds)
        return predictions


class Baselines:
    """Steps all baselines and adds what they gave to the scores.

    Every frame goes through the dense network of the bundle, with caches of its own; held
    results are those of that network, so they cost nothing. Other bundles run by the policy and
    with the options of the run.
    """

    def __init__(self, engine: Engine, tasks: Sequence[Task], options: Options) -> None:
        """Open the baselines.

        Args:
            engine: The bundle's.
            tasks: The run's tasks.
            options: The run's; its baselines are ``hold:K``, ``warp:K`` or folders of bundles.

        Raises:
            OptionError: A name is neither, or is there twice.
            BundleError: A bundle can't be used.
        """
        names, settings = options.baselines, options.stream_settings()
        if len(set(names)) < len(names):
            raise OptionError(f"--baseline: {', '.join(names)}; expected each once")
        self._dense: _Baseline | None = None
        if options.policy != DENSE:
            self._dense = _Baseline(DENSE, open_stream(engine, DENSE, settings), tasks)
        self._given = _Given()
        held: list[_Baseline] = []
        others: list[_Baseline] = []
        for name in names:
            stream = hold_stream(name, self._given, tasks)
            if stream is not None:
                held.append(_Baseline(name, stream, tasks))
                continue
            if not Path(name).is_dir():
                raise OptionError(f"--baseline {name!r}: expected {_EXPECTED}")
            other = options.open(Path(name))
            common = _common(tasks, other.manifest.tasks, name)
            others.append(_Baseline(name, open_stream(other, options.policy, settings), common))
        self._baselines = held + others

    def step(self, frame: InputFrame, run: Predictions, scores: Scores) -> Predictions:
        """Run a frame through all of them; returns the dense network's predictions.

        Args:
            frame: The frame.
            run: The run's own predictions.
            scores: Where the baselines' figures are added.
        """
        dense = run if self._dense is None else self._dense.step(frame, scores)
        self._given.predictions = dense
        for baseline in self._baselines:
            baseline.step(frame, scores)
        return dense


def _common(tasks: Sequence[Task], others: Sequence[Task], name: str) -> list[Task]:
    """Return the tasks that both have.

    Raises:
        OptionError: There is none, or one has other classes.
    """
    theirs = {task.name: task for task in others}
    common = [task for task in tasks if task.name in theirs]
    if not common:
        raise OptionError(
            f"--baseline {name}: tasks {', '.join(theirs)}; expected some of"
            f" {', '.join(task.name for task in tasks)}"
        )
    for task in common:
        other = theirs[task.name]
        if (task.kind, _class_names(task)) != (other.kind, _class_names(other)):
            raise OptionError(
                f"--baseline {name}: its {task.name} is {other.kind} {_class_names(other)};"
                f" expected {task.kind} {_class_names(task)}"
            )
    return common


def _class_names(task: Task) -> str:
    return ", ".join(item.name for item in task.classes)
