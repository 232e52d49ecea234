"""The configuration of a training: data, network and stages. One YAML file, strictly checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mtshare_ros.network.config import STRIDE, NetworkConfig
from mtshare_ros.tasks import TASKS


class ConfigError(ValueError):
    """A training configuration is wrong; the message names the file and the key."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Phase(_Strict):
    """A stretch of a stage at one image size, with warm-up and a cosine to zero.

    Attributes:
        size: Width and height in pixels, multiples of 16.
        steps: Optimiser steps.
        batch: Images per step.
        lr: Peak learning rate.
        warmup: Steps of linear warm-up.
    """

    size: tuple[int, int]
    steps: int = Field(gt=0)
    batch: int = Field(gt=0)
    lr: float = Field(gt=0)
    warmup: int = Field(default=100, ge=0)

    @model_validator(mode="after")
    def _whole_tokens(self) -> Phase:
        if self.size[0] % STRIDE or self.size[1] % STRIDE:
            raise ValueError(f"size {self.size}: expected multiples of {STRIDE}")
        return self


class SingleTaskStage(_Strict):
    """Train a dense network on one task; on the base task it becomes the base."""

    kind: Literal["single_task"]
    name: str
    task: str
    phases: tuple[Phase, ...] = Field(min_length=1)


class GatesStage(_Strict):
    """Train over-complete private units with gates that settle at a private share.

    Attributes:
        tasks: Sub-tasks, trained side by side on one pass of the base.
        base: Name of the stage that trained the base.
        rho: Private share to end with.
        heads: Private heads per block to choose from.
        neurons: Private hidden neurons per block to choose from.
        group: Neurons behind one gate.
        gate_lr: Learning rate of the gates' logits and of the constraint's multipliers.
    """

    kind: Literal["gates"]
    name: str
    base: str
    tasks: tuple[str, ...] = Field(min_length=1)
    rho: float = Field(gt=0, lt=1)
    heads: int = Field(ge=0)
    neurons: int = Field(ge=0)
    group: int = Field(default=32, gt=0)
    gate_lr: float = Field(default=0.02, gt=0)
    phases: tuple[Phase, ...] = Field(min_length=1)


class UnitsStage(_Strict):
    """Fine-tune the private units that an earlier stage ended with.

    Attributes:
        base: Name of the stage that trained the base.
        start: Name of the ``gates`` or ``units`` stage to start from.
    """

    kind: Literal["units"]
    name: str
    base: str
    start: str
    phases: tuple[Phase, ...] = Field(min_length=1)


Stage = Annotated[SingleTaskStage | GatesStage | UnitsStage, Field(discriminator="kind")]


class DataSettings(_Strict):
    """Folders of rendered stills.

    Attributes:
        train: Folder to train on.
        validation: Folder of validation rooms, scored at the end of each stage.
        colour_jitter: Largest relative change of brightness and contrast.
    """

    train: Path
    validation: Path
    colour_jitter: float = Field(default=0.2, ge=0, lt=1)


class TrainingConfig(_Strict):
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
    stages: tuple[Stage, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _stages_fit(self) -> TrainingConfig:
        seen: dict[str, Stage] = {}
        for stage in self.stages:
            try:
                self._check_stage(stage, seen)
            except ValueError as error:
                raise ValueError(f"stage {stage.name}: {error}") from None
            seen[stage.name] = stage
        return self

    def _check_stage(self, stage: Stage, seen: dict[str, Stage]) -> None:
        """Find now what would fail after hours of training."""
        if stage.name in seen or stage.name == "checkpoint":
            raise ValueError("the name is taken")
        for key, kinds in (("base", ("single_task",)), ("start", ("gates", "units"))):
            name = getattr(stage, key, None)
            if name is not None and (name not in seen or seen[name].kind not in kinds):
                raise ValueError(f"{key} {name!r} is not an earlier {' or '.join(kinds)} stage")
        if isinstance(stage, SingleTaskStage):
            _check_tasks((stage.task,))
        elif isinstance(stage, GatesStage):
            _check_tasks(stage.tasks)
            base = seen[stage.base]
            assert isinstance(base, SingleTaskStage)
            if base.task in stage.tasks:
                raise ValueError(f"task {base.task!r} is the base's own")
            if stage.neurons % stage.group:
                raise ValueError(
                    f"neurons {stage.neurons} is not a multiple of group {stage.group}"
                )
            if stage.heads > self.network.heads or stage.neurons > self.network.hidden:
                raise ValueError(
                    f"heads {stage.heads} and neurons {stage.neurons}: the base's blocks have"
                    f" {self.network.heads} and {self.network.hidden}"
                )
        else:
            start = seen[stage.start]
            assert isinstance(start, (GatesStage, UnitsStage))
            if start.base != stage.base:
                raise ValueError(f"base {stage.base!r}: {stage.start!r} is on {start.base!r}")


def _check_tasks(names: tuple[str, ...]) -> None:
    for name in names:
        if name not in TASKS:
            raise ValueError(f"no task {name!r}; expected one of {sorted(TASKS)}")
    if len(set(names)) < len(names):
        raise ValueError(f"tasks {list(names)}: a name is there twice")


def load_config(path: Path) -> TrainingConfig:
    """Read and check a training configuration.

    Raises:
        ConfigError: The file can't be read, is not YAML, or a key or value is wrong.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise ConfigError(f"{path}: {key}: {first['msg']}") from error
