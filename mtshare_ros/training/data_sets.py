"""Opens what a configuration trains and validates on, and keeps what it is in records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mtshare_ros.bundle.manifest import parse_task
from mtshare_ros.datasets.image_sets.image_set import ImageSet
from mtshare_ros.datasets.image_sets.kinds import open_images
from mtshare_ros.tasks import KINDS, TASKS, Task
from mtshare_ros.training.configuration import ConfigError, DataSettings, TrainingConfig
from mtshare_ros.training.stage_settings import tasks_in


def open_image_sets(config: TrainingConfig) -> tuple[ImageSet, ImageSet]:
    """Return the images to train and to validate on.

    Raises:
        ConfigError: They lack a task, share images, or have depth without a focal length.
        DatasetError: A folder can't be read.
    """
    data = config.data
    train = open_images(data.kind, data.train, "train", data.normal_axes)
    validation = open_images(data.kind, data.validation, "val", data.normal_axes)
    for opened in (train, validation):
        _check(config, opened)
    shared = set(train.names) & set(validation.names)
    if shared and data.train == data.validation:
        raise ConfigError(f"{data.train}: {min(shared)} is in both splits, train and val")
    return train, validation


def _check(config: TrainingConfig, opened: ImageSet) -> None:
    for stage in config.stages:
        for name in tasks_in(stage):
            if name not in opened.tasks:
                known = ", ".join(opened.tasks)
                raise ConfigError(f"{opened.root}: no task {name!r}; it has {known}")
            if KINDS[opened.tasks[name].kind].in_metres and opened.focal_length is None:
                raise ConfigError(
                    f"{opened.root}: depth, but no focal_length; expected fx / width, without"
                    " which metres mean nothing on another camera"
                )


def data_record(data: DataSettings, opened: Any) -> dict[str, Any]:
    """Return what a stage's record says of its data; nothing for simulated rooms.

    Args:
        data: The settings.
        opened: The images that were trained on.
    """
    if not isinstance(opened, ImageSet):
        return {}
    focal_length = opened.relative_focal_length()
    if opened.focal_length is not None and data.crop is not None:
        focal_length = opened.focal_length / data.crop.size[0]
    return {
        "data": {
            "title": opened.title,
            # Without depth nothing depends on it.
            "focal_length": 1.0 if focal_length is None else focal_length,
            "tasks": [asdict(task) for task in opened.tasks.values()],
        }
    }


def tasks_of_record(record: Mapping[str, Any]) -> Mapping[str, Task]:
    """Return the tasks of the data that a stage was trained on, by name."""
    if "data" not in record:
        return TASKS
    return {values["name"]: parse_task(values) for values in record["data"]["tasks"]}


def focal_length_of_record(record: Mapping[str, Any], folder: Path) -> float:
    """Return fx / width of the images that a stage was trained on; ``folder`` has the rooms."""
    if "data" in record:
        return float(record["data"]["focal_length"])
    from mtshare_ros.datasets.stills import StillsDataset

    meta = StillsDataset(folder).meta
    return float(meta["fx"]) / float(meta["size"][0])
