"""The data that a configuration names: opened and checked, and what records say of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mtshare_ros.bundle.manifest import parse_task
from mtshare_ros.datasets.image_sets.image_set import ImageSet
from mtshare_ros.datasets.image_sets.kinds import open_images
from mtshare_ros.datasets.seeds import split_of
from mtshare_ros.datasets.stills import StillsDataset
from mtshare_ros.tasks import KINDS, ROOM_CLASSES, TASKS, Task
from mtshare_ros.training.batches import Stills
from mtshare_ros.training.configuration import ConfigError, DataSettings, TrainingConfig


@dataclass(frozen=True)
class DataSets:
    """What is trained on and validated on.

    Attributes:
        train: Images to train on.
        validation: Images that are scored at the end of each stage.
        clips: Clips to train on, if the configuration names any.
        record: What the record of a stage says of the data; empty for simulated rooms.
    """

    train: Stills
    validation: Stills
    clips: Stills | None
    record: Mapping[str, Any] = field(default_factory=dict)


def open_data_sets(config: TrainingConfig) -> DataSets:
    """Open what a configuration names.

    Raises:
        ConfigError: It can't be trained or validated on.
        DatasetError: A folder of images can't be read.
        StillsError: A folder of rendered stills is damaged.
    """
    opener = _open_rooms if config.data.kind == "rooms" else _open_image_sets
    return opener(config)


def _open_rooms(config: TrainingConfig) -> DataSets:
    data = config.data
    train, validation = _rooms(data.train), _rooms(data.validation)
    _check_apart(data.train, train, data.validation, validation.seeds)
    return DataSets(train, validation, _open_clips(config, validation.seeds))


def _open_image_sets(config: TrainingConfig) -> DataSets:
    data = config.data
    train = open_images(data.kind, data.train, "train", data.normal_axes)
    validation = open_images(data.kind, data.validation, "val", data.normal_axes)
    for image_set in (train, validation):
        _check_tasks(config, image_set)
    shared = set(train.names) & set(validation.names)
    if shared and data.train == data.validation:
        raise ConfigError(f"{data.train}: {min(shared)} is in both splits, train and val")
    return DataSets(train, validation, _open_clips(config, ()), _record_of(data, train))


def _open_clips(config: TrainingConfig, validation_seeds: Collection[int]) -> Stills | None:
    """Return the clips to train on; their rooms must not be those of ``validation_seeds``."""
    data = config.data
    if data.clips is None:
        return None
    clips = _rooms(data.clips)
    _check_apart(data.clips, clips, data.validation, validation_seeds)
    longest = max(stage.clip_frames() for stage in config.stages)
    if clips.clip_length < longest:
        raise ConfigError(
            f"{data.clips}: clips of {clips.clip_length} frames, expected {longest} or more"
        )
    return clips


def _rooms(folder: Path) -> StillsDataset:
    """Open stills; refuse other classes, and rooms that are kept for tests."""
    stills = StillsDataset(folder)
    expected = [c.name for c in ROOM_CLASSES]
    if stills.meta["classes"] != expected:
        raise ConfigError(f"{folder}: classes {stills.meta['classes']}, expected {expected}")
    splits = {split_of(seed) for seed in stills.seeds} - {"train", "validation"}
    if splits:
        raise ConfigError(f"{folder}: holds rooms of {sorted(splits)}, which are never trained on")
    return stills


def _check_apart(
    folder: Path, trained: StillsDataset, validation: Path, seeds: Collection[int]
) -> None:
    """Refuse rooms that are both trained on and validated on."""
    shared = trained.seeds & set(seeds)
    if shared:
        raise ConfigError(
            f"{validation}: rooms {min(shared)} to {max(shared)} are trained on"
            f" in {folder}; validation needs rooms of its own"
        )


def _check_tasks(config: TrainingConfig, image_set: ImageSet) -> None:
    """Refuse images that lack a task, or have depth without a focal length."""
    for stage in config.stages:
        for name in stage.task_names():
            if name not in image_set.tasks:
                names = ", ".join(image_set.tasks)
                raise ConfigError(f"{image_set.root}: no task {name!r}; it has {names}")
            if KINDS[image_set.tasks[name].kind].in_metres and image_set.focal_length is None:
                raise ConfigError(
                    f"{image_set.root}: depth, but no focal_length; expected fx / width, without"
                    " which metres mean nothing on another camera"
                )


def _record_of(data: DataSettings, image_set: ImageSet) -> dict[str, Any]:
    focal_length = image_set.relative_focal_length()
    if image_set.focal_length is not None and data.crop is not None:
        focal_length = image_set.focal_length / data.crop.size[0]
    return {
        "data": {
            "title": image_set.title,
            # Without depth nothing depends on it.
            "focal_length": 1.0 if focal_length is None else focal_length,
            "tasks": [asdict(task) for task in image_set.tasks.values()],
        }
    }


def tasks_of_record(record: Mapping[str, Any]) -> Mapping[str, Task]:
    """Return the tasks of the data that a stage was trained on, by name."""
    if "data" not in record:
        return TASKS
    return {values["name"]: parse_task(values) for values in record["data"]["tasks"]}


def focal_length_of_record(record: Mapping[str, Any], folder: Path) -> float:
    """Return fx / width of the images that a stage was trained on.

    Args:
        record: The stage's record.
        folder: Rendered stills that were trained on; looked at where the record says nothing.
    """
    if "data" in record:
        return float(record["data"]["focal_length"])
    meta = StillsDataset(folder).meta
    return float(meta["fx"]) / float(meta["size"][0])
