"""Scores per test room: sums that add up, kept beside the run until the stage changes.

RUN/scores/<stage>.<task>.npz   key, rooms (R,), and each of the metric's sums (R, ...)
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mtshare_ros.bundle.folder import file_digest
from mtshare_ros.datasets.seeds import split_of
from mtshare_ros.datasets.stills import StillsDataset
from mtshare_ros.errors import OptionError, written
from mtshare_ros.metrics import Additive, MetricSettings, State, metric_for
from mtshare_ros.output_checks import check_output_file
from mtshare_ros.perception.decode import Decoder, decode
from mtshare_ros.progress import OnStep, silent
from mtshare_ros.study.trained_task import predict
from mtshare_ros.tasks import ROOM_CLASSES, TASKS, Task
from mtshare_ros.training.batches import truth_maps, validation_batches
from mtshare_ros.training.stored import record_of, stage_path

BIN_DEG = 0.1
"""Bins of the angles of one room: coarser than of a whole set, since one is kept per room."""
_BATCH = 10
_VERSION = 2


@dataclass(frozen=True)
class RoomScores:
    """The sums of one task in every room.

    Attributes:
        task: The task.
        rooms: (R,) seeds of the rooms, rising.
        sums: Name -> (R, ...), as ``Additive.state`` has them.
    """

    task: Task
    rooms: NDArray[np.int64]
    sums: State

    def whole(self) -> dict[str, float]:
        """Return the metrics over all pixels of all rooms."""
        metric = empty_metric(self.task)
        return metric.from_state({k: v.sum(0) for k, v in self.sums.items()}).result()

    def resampled(self, weights: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
        """Return one metric with the rooms counted as ``weights`` (B, R) says: (B,)."""
        sums = {k: np.tensordot(weights, v, axes=1) for k, v in self.sums.items()}
        return empty_metric(self.task).scores(sums)[metric]


def empty_metric(task: Task) -> Additive:
    """Return an empty accumulator of one room."""
    return metric_for(task, MetricSettings(angle_bin_deg=BIN_DEG))


def open_rooms(folder: Path) -> StillsDataset:
    """Open stills of test rooms.

    Raises:
        OptionError: A room is none of the test split, or the classes are others.
    """
    stills = StillsDataset(folder)
    splits = {split_of(seed) for seed in stills.seeds}
    if splits != {"test"}:
        found = ", ".join(sorted(splits)) or "none"
        raise OptionError(f"{folder}: rooms of {found}, expected rooms of test only")
    expected = [item.name for item in ROOM_CLASSES]
    if stills.meta["classes"] != expected:
        raise OptionError(f"{folder}: classes {stills.meta['classes']}, expected {expected}")
    return stills


def score(
    run: Path,
    stage: str,
    task: str,
    folder: Path,
    stills: StillsDataset,
    size: tuple[int, int] | None = None,
    on_step: OnStep = silent,
) -> RoomScores:
    """Return the sums per room, from RUN/scores where they are up to date (see ``compute``)."""
    path = run / "scores" / f"{stage}.{task}.npz"
    key = _key(run, stage, folder, stills, size)
    kept = _kept(path, key, TASKS[task])
    if kept is not None:
        return kept
    check_output_file(path)
    scores = compute(run, stage, task, stills, size, on_step)
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    with written(partial):
        np.savez_compressed(partial, key=np.array(key), rooms=scores.rooms, **scores.sums)
    os.replace(partial, path)
    return scores


@torch.no_grad()
def compute(
    run: Path,
    stage: str,
    task_name: str,
    stills: StillsDataset,
    size: tuple[int, int] | None = None,
    on_step: OnStep = silent,
) -> RoomScores:
    """Run a trained network over the stills and return the sums per room.

    Args:
        run: Folder of the run.
        stage: Stage that trained the task.
        task_name: The task.
        stills: Stills of test rooms.
        size: Width and height in pixels; the network's own by default.
        on_step: Called after each batch, with stills as steps.
    """
    trained, task = predict(run, stage, task_name), TASKS[task_name]
    size = size or trained.config.size
    decoder = Decoder(size)
    seeds = [int(stills.stored(index)["seeds"]) for index in range(len(stills))]
    metrics = {seed: empty_metric(task) for seed in sorted(set(seeds))}
    batches = validation_batches(stills, size, _BATCH, (task.kind,))
    done = 0
    for batch in batches:
        raw = trained.raw(batch["image"]).float().numpy()
        for image, truth in zip(raw, truth_maps(batch[task.kind]), strict=True):
            metrics[seeds[done]].update(decode(decoder, task, image), truth)
            done += 1
        on_step(done, len(seeds), f"{run.name} {stage} {task_name}")
    states = [metric.state() for metric in metrics.values()]
    sums = {name: np.stack([state[name] for state in states]) for name in states[0]}
    return RoomScores(task, np.array(list(metrics), np.int64), sums)


def _key(
    run: Path, stage: str, folder: Path, stills: StillsDataset, size: tuple[int, int] | None
) -> str:
    """Return what the sums depend on, as text."""
    record = record_of(run, stage)
    stages = [stage, *([record["base"]] if "base" in record else [])]
    key = {
        "version": _VERSION,
        "data": str(folder),
        "meta": stills.meta,
        "stills": len(stills),
        "size": size,
        "stages": {name: file_digest(stage_path(run, name)) for name in stages},
    }
    return json.dumps(key, sort_keys=True)


def _kept(path: Path, key: str, task: Task) -> RoomScores | None:
    """Return the sums of a file if they are those of ``key``."""
    try:
        with np.load(path) as file:
            if str(file["key"]) != key:
                return None
            sums = {name: file[name] for name in empty_metric(task).sums}
            return RoomScores(task, file["rooms"], sums)
    except (
        OSError,
        KeyError,
        ValueError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ):  # missing, cut short or of another version
        return None
