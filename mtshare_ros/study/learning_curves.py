"""Learning curves out of a run's TensorBoard logs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from mtshare_ros.study.trained_task import steps_of
from mtshare_ros.tasks import TASKS
from mtshare_ros.training.stored import record_of


@dataclass(frozen=True)
class Curve:
    """The training loss of one task in one stage.

    Attributes:
        stage: The stage.
        task: The task.
        steps: (n,) optimiser steps, those of the stages it builds on included.
        loss: (n,) smoothed loss.
    """

    stage: str
    task: str
    steps: NDArray[np.int64]
    loss: NDArray[np.float64]


def read_curves(run: Path, stage: str) -> list[Curve]:
    """Return the curves of the tasks that a finished stage trained; empty without a log."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = run / "tensorboard" / stage
    if not folder.is_dir():
        return []
    log = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    log.Reload()
    logged = log.Tags()["scalars"]
    record = record_of(run, stage)
    before = sum(steps_of(run, stage)[:-1])
    curves = []
    for task in TASKS:
        if task not in logged:
            continue
        events = log.Scalars(task)
        loss = np.array([event.value for event in events])
        factor = f"{task}_factor"
        if factor in logged:
            # What was logged is factor * loss - log(factor).
            factors = np.array([event.value for event in log.Scalars(factor)])
            loss = (loss + np.log(factors)) / factors
        if task in record.get("tasks", ())[1:]:
            loss = loss / record["settings"].get("auxiliary", 1.0)
        steps = np.array([event.step for event in events]) + before
        curves.append(Curve(stage, task, steps, smoothed(loss)))
    return curves


def smoothed(values: NDArray[np.float64], keep: float = 0.9) -> NDArray[np.float64]:
    """Return the exponential moving average, not biased towards the start."""
    average = lfilter([1 - keep], [1, -keep], values)
    return np.asarray(average / (1 - keep ** np.arange(1, len(values) + 1)))
