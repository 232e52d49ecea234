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
from mtshare_ros.training.stage_settings import (
    AnyStage,
    BaseStage,
    ElementwiseStage,
    GatesStage,
    JointStage,
    SingleTaskStage,
    Stage,
    SubTasksStage,
    TogetherStage,
    UniformStage,
    UnitsStage,
    base_task,
    stages_named_in,
    tasks_in,
)


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
    stages: tuple[Stage, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _stages_fit(self) -> TrainingConfig:
        seen: dict[str, Stage] = {}
        for stage in self.stages:
            try:
                _check_known(tasks_in(stage), tasks_of(self.data.kind))
                self._check_stage(stage, seen)
            except ValueError as error:
                raise ValueError(f"stage {stage.name}: {error}") from None
            seen[stage.name] = stage
        return self

    def _check_stage(self, stage: Stage, seen: dict[str, Stage]) -> None:
        """Find now what would fail after hours of training."""
        if stage.name in seen:
            raise ValueError("the name is taken")
        if not stage.name.replace("_", "").isalnum():
            raise ValueError("expected a name of letters, digits and underscores")
        dense = ("single_task", "joint", "together")
        starts = {
            "units": ("gates", "uniform", "units", "together"),
            "elementwise": ("elementwise",),
            "joint": ("joint",),
            "together": ("together",),
        }
        for key, name in stages_named_in(stage):
            kinds = starts.get(stage.kind, dense) if key == "start" else dense
            if name not in seen or seen[name].kind not in kinds:
                raise ValueError(f"{key} {name!r} is not an earlier {' or '.join(kinds)} stage")
        if getattr(stage, "start", None) and getattr(stage, "backbone", None):
            raise ValueError("start and backbone: found both, expected one")
        if isinstance(stage, SingleTaskStage):
            _check_tasks((stage.task,))
        elif isinstance(stage, JointStage):
            _check_tasks(stage.tasks)
            _check_same_tasks(stage, seen)
        elif isinstance(stage, TogetherStage):
            self._check_together(stage, seen)
        else:
            self._check_subtasks(stage, seen)

    def _check_together(self, stage: TogetherStage, seen: dict[str, Stage]) -> None:
        _check_tasks(stage.tasks)
        self._check_size(stage.heads, stage.neurons)
        if stage.rho is not None and stage.neurons % stage.group:
            raise ValueError(f"neurons {stage.neurons} is not a multiple of group {stage.group}")
        if stage.frames > 1:
            self._check_frames(stage)
        elif stage.consistency:
            raise ValueError(f"consistency {stage.consistency}: expected frames of 2 or more")
        if stage.start is None:
            return
        if stage.heads or stage.neurons:
            raise ValueError(f"heads and neurons: {stage.start!r} has them, expected none here")
        _check_same_tasks(stage, seen)

    def _check_frames(self, stage: TogetherStage) -> None:
        if self.data.clips is None:
            raise ValueError(f"frames {stage.frames}: needs data.clips, a folder of clips")
        if stage.rho is not None:
            raise ValueError("rho and frames: found both, expected one")
        for phase in stage.phases:
            if phase.batch % stage.frames:
                raise ValueError(f"batch {phase.batch} is not a multiple of frames {stage.frames}")

    def _check_size(self, heads: int, neurons: int) -> None:
        if heads > self.network.heads or neurons > self.network.hidden:
            raise ValueError(
                f"heads {heads} and neurons {neurons}: the base's blocks have"
                f" {self.network.heads} and {self.network.hidden}"
            )

    def _check_subtasks(
        self, stage: SubTasksStage | ElementwiseStage, seen: dict[str, Stage]
    ) -> None:
        if isinstance(stage, UnitsStage | ElementwiseStage) and stage.start is not None:
            start = seen[stage.start]
            own = start.name if isinstance(start, TogetherStage) else getattr(start, "base", None)
            if own != stage.base:
                raise ValueError(f"base {stage.base!r}: {stage.start!r} is on {own!r}")
        if not isinstance(stage, ElementwiseStage):
            _check_guides(stage, seen)
        if isinstance(stage, UnitsStage):
            return
        _check_tasks(stage.tasks)
        base = seen[stage.base]
        assert isinstance(base, BaseStage)
        if base_task(base) in stage.tasks:
            raise ValueError(f"task {base_task(base)!r} is the base's own")
        if not isinstance(stage, ElementwiseStage):
            self._check_units(stage)

    def _check_units(self, stage: GatesStage | UniformStage) -> None:
        if isinstance(stage, GatesStage) and stage.neurons % stage.group:
            raise ValueError(f"neurons {stage.neurons} is not a multiple of group {stage.group}")
        self._check_size(stage.heads, stage.neurons)


def _check_guides(stage: SubTasksStage, seen: Mapping[str, AnyStage]) -> None:
    """Refuse teachers of other tasks, and a pull that would not measure what it pulls on."""
    first: AnyStage = stage
    while isinstance(first, UnitsStage):
        first = seen[first.start]
    assert isinstance(first, GatesStage | UniformStage | TogetherStage)
    for key in ("distill", "read_from"):
        for task, name in getattr(stage, key, {}).items():
            teacher = seen[name]
            assert isinstance(teacher, BaseStage)
            trained = teacher.tasks if isinstance(teacher, JointStage) else (base_task(teacher),)
            if task not in first.tasks:
                raise ValueError(f"{key}.{task}: expected one of the tasks {list(first.tasks)}")
            if task not in trained:
                raise ValueError(f"{key}.{task}: stage {name!r} trains {list(trained)}")
    if stage.pull and getattr(first, "form", "added") == "replaced":
        raise ValueError("pull: found with form 'replaced', expected 'added'")


def _check_same_tasks(stage: JointStage | TogetherStage, seen: Mapping[str, AnyStage]) -> None:
    """Refuse to train on with other tasks than the stage that is trained on has."""
    if stage.start is None:
        return
    start = seen[stage.start]
    assert isinstance(start, JointStage | TogetherStage)
    if start.tasks != stage.tasks:
        raise ValueError(f"tasks {stage.tasks}: {stage.start!r} has {start.tasks}")


def _check_known(names: tuple[str, ...], known: Mapping[str, Task] | None) -> None:
    """Refuse tasks that the data set doesn't have; one of one's own is looked at when opened."""
    for name in names:
        if known is not None and name not in known:
            raise ValueError(f"no task {name!r}; expected one of {sorted(known)}")


def _check_tasks(names: tuple[str, ...]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"tasks {list(names)}: a name is there twice")


def load_config(path: Path, seed: int | None = None) -> TrainingConfig:
    """Read and check a training configuration; ``seed`` stands in for its own.

    Raises:
        ConfigError: The file can't be read, is not YAML, or a key or value is wrong.
    """
    changes = {} if seed is None else {"seed": seed}
    return load_settings(path, TrainingConfig, ConfigError, changes)
