"""The configuration of a training: data, network and stages. One YAML file, strictly checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mtshare_ros.datasets.image_sets.kinds import tasks_of
from mtshare_ros.errors import UserError
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.settings import Strict, load_settings
from mtshare_ros.tasks import Task
from mtshare_ros.training.crops import CropSettings
from mtshare_ros.training.stage_settings import Stage, Surroundings
from mtshare_ros.training.subtask_settings import AnyStage


class ConfigError(UserError):
    """A training configuration is wrong; the message names the file and the key."""


class DataSettings(Strict):
    """What is trained on.

    Attributes:
        train: Folder to train on: of rendered stills, or a data set with a split ``train``.
        validation: Folder that is scored at the end of each stage: of other rooms, or a data
            set with a split ``val``.
        clips: Folder of rendered clips, for stages of several ``frames``.
        colour_jitter: Largest relative change of brightness and contrast.
        kind: ``rooms`` are rendered stills; the others are those of ``image_sets.kinds``.
        normal_axes: Axes of a data set's normals, see ``image_sets.axes``.
        crop: How random crops are taken; None stretches whole images.
    """

    train: Path
    validation: Path
    clips: Path | None = None
    colour_jitter: float = Field(default=0.2, ge=0, lt=1)
    kind: Literal["rooms", "nyud", "pascal_context", "folder"] = "rooms"
    normal_axes: str | None = None
    crop: CropSettings | None = None


class TrainingConfig(Strict):
    """A whole training.

    Attributes:
        name: Name of the bundle that comes of it.
        description: What it is trained on and for, in one line; shown to users.
        seed: Seed of weights, order and augmentation.
        precision: ``bf16`` and ``fp32`` as they are; ``auto`` is bf16 on a CPU that has it.
        weight_decay: AdamW's weight decay on matrices.
    """

    name: str
    description: str
    seed: int = Field(default=0, ge=0, lt=1000)
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    weight_decay: float = 0.05
    data: DataSettings
    network: NetworkConfig = NetworkConfig()
    stages: tuple[AnyStage, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _stages_fit(self) -> TrainingConfig:
        earlier: dict[str, Stage] = {}
        for stage in self.stages:
            try:
                _check_known(stage.task_names(), tasks_of(self.data.kind))
                stage.check(Surroundings(self.network, self.data.clips, earlier))
            except ValueError as error:
                raise ValueError(f"stage {stage.name}: {error}") from None
            earlier[stage.name] = stage
        return self


def _check_known(names: tuple[str, ...], tasks: Mapping[str, Task] | None) -> None:
    """Refuse tasks that a kind of data set lacks; None: each set says itself, once it is open."""
    for name in names:
        if tasks is not None and name not in tasks:
            raise ValueError(f"no task {name!r}; expected one of {sorted(tasks)}")


def load_config(path: Path, seed: int | None = None) -> TrainingConfig:
    """Read and check a training configuration; ``seed`` stands in for its own.

    Raises:
        ConfigError: The file can't be read, is not YAML, or a key or value is wrong.
    """
    changes = {} if seed is None else {"seed": seed}
    return load_settings(path, TrainingConfig, ConfigError, changes)
