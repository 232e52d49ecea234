"""What a run is compared with on the same frames: the dense network, held results, a bundle."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.outcome import Maps
from mtshare_ros.evaluation.policies import HoldStream, Stepper, open_stream
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.selection import DENSE
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.tasks import Task

_HELD = ("hold", "warp")
_EXPECTED = "hold:K or warp:K with K >= 1 frames, or the folder of a bundle"


class _Given:
    """A stream that has its predictions already."""

    predictions: Predictions

    def step(self, *_: Any) -> Predictions:
        return self.predictions

    def reset(self, reason: str = "requested") -> None:
        """Nothing is remembered."""


@dataclass
class _Other:
    """Another bundle, and which of the run's tasks it has."""

    stream: Stepper
    tasks: list[Task]


class Baselines:
    """Steps all baselines and adds what they gave to the scores.

    Every frame goes through the dense network of the bundle, with caches of its own; held
    results are those of that network, so they cost nothing. Other bundles run by the policy and
    with the options of the run.
    """

    def __init__(
        self,
        names: Sequence[str],
        engine: Engine,
        backend: str,
        threads: int,
        policy: str,
        settings: StreamSettings,
    ) -> None:
        """Open the baselines.

        Args:
            names: ``hold:K``, ``warp:K`` or the folder of a bundle, each.
            engine: The bundle's.
            backend: One of ``perception.engines.BACKENDS``, for other bundles.
            threads: CPU threads, for other bundles.
            policy: The run's.
            settings: The run's.

        Raises:
            OptionError: A name is neither, or is there twice.
            BundleError: A bundle can't be used.
        """
        if len(set(names)) < len(names):
            raise OptionError(f"--baseline: {', '.join(names)}; expected each once")
        self._tasks = engine.manifest.tasks
        self._dense = None if policy == DENSE else open_stream(engine, DENSE, settings)
        self._given = _Given()
        self._held: dict[str, Stepper] = {}
        self._others: dict[str, _Other] = {}
        for name in names:
            if name.startswith(_HELD):
                warped = self._tasks if name.startswith("warp") else ()
                self._held[name] = HoldStream(self._given, _period(name), warped)
            else:
                other = _open_other(name, backend, threads)
                tasks = _common(self._tasks, other.manifest.tasks, name)
                self._others[name] = _Other(open_stream(other, policy, settings), tasks)

    def step(self, frame: Any, truths: Maps, run: Predictions, scores: Scores) -> Predictions:
        """Run one frame of a clip through all of them; returns the dense network's predictions.

        Args:
            frame: As of ``ClipReader``.
            truths: The truth about it.
            run: The run's own predictions.
            scores: Where the baselines' figures are added.
        """
        dense = run if self._dense is None else _predict(self._dense, frame, self._tasks)
        if self._dense is not None:
            scores.baseline(DENSE, dense.maps, truths, dense.milliseconds)
        self._given.predictions = dense
        for name, held in self._held.items():
            found = _predict(held, frame, self._tasks)
            scores.baseline(name, found.maps, truths, found.milliseconds)
        for name, other in self._others.items():
            found = _predict(other.stream, frame, other.tasks)
            known = {t.name: truths[t.name] for t in other.tasks if t.name in truths}
            scores.baseline(name, found.maps, known, found.milliseconds)
        return dense


def _predict(stream: Stepper, frame: Any, tasks: Collection[Task]) -> Predictions:
    wanted = [task.name for task in tasks]
    return stream.step(frame.rgb, frame.stamp, wanted, frame.focal_length)


def _period(name: str) -> int:
    kind, _, period = name.partition(":")
    if kind not in _HELD or not period.isdecimal() or int(period) < 1:
        raise OptionError(f"--baseline {name!r}: expected {_EXPECTED}")
    return int(period)


def _open_other(name: str, backend: str, threads: int) -> Engine:
    if not Path(name).is_dir():
        raise OptionError(f"--baseline {name!r}: expected {_EXPECTED}")
    return open_engine(Path(name), backend, threads)


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
