"""The configuration of a training: data, network and stages. One YAML file, strictly checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from mtshare_ros.datasets.image_sets.kinds import tasks_of
from mtshare_ros.network.config import STRIDE, NetworkConfig
from mtshare_ros.tasks import Task
from mtshare_ros.training.crops import CropSettings


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


class PretrainedBackbone(_Strict):
    """Weights that a network starts with instead of random ones (see ``docs/backbones.md``).

    Attributes:
        checkpoint: Local file, safetensors or PyTorch's.
        model: Name of the model in timm.
    """

    checkpoint: Path
    model: str


class SingleTaskStage(_Strict):
    """Train a dense network on one task; on the base task it becomes the base.

    Attributes:
        task: The task.
        start: Stage with a dense network to start from (full fine-tuning); None starts anew.
        backbone: Pretrained weights, if it starts anew.
    """

    kind: Literal["single_task"]
    name: str
    task: str
    start: str | None = None
    backbone: PretrainedBackbone | None = None
    phases: tuple[Phase, ...] = Field(min_length=1)


class JointStage(_Strict):
    """Train one encoder with a head per task; as a base, the other tasks are auxiliary.

    Attributes:
        tasks: Tasks with a head each; the first one's network is the base of later stages.
        weighting: ``equal``; ``uncertainty`` learns a factor per task (Kendall, Gal, Cipolla,
            "Multi-task learning using uncertainty to weigh losses", CVPR 2018).
        auxiliary: Factor on the losses of all tasks but the first.
        backbone: Pretrained weights.
    """

    kind: Literal["joint"]
    name: str
    tasks: tuple[str, ...] = Field(min_length=2)
    weighting: Literal["equal", "uncertainty"] = "equal"
    auxiliary: float = Field(default=1.0, gt=0)
    backbone: PretrainedBackbone | None = None
    phases: tuple[Phase, ...] = Field(min_length=1)


class _SubTasksStage(_Strict):
    """What all stages that train sub-tasks on a frozen base have.

    Attributes:
        base: Name of the stage that trained the base.
        distill: Task -> stage with a dense network whose outputs the sub-task follows besides
            the truth.
        distill_weight: Factor on that loss.
        pull: Factor on what private units write, relative to the residual stream: pulls the
            sub-task's activations towards the base's.
    """

    name: str
    base: str
    distill: dict[str, str] = {}
    distill_weight: float = Field(default=1.0, gt=0)
    pull: float = Field(default=0.0, ge=0)
    phases: tuple[Phase, ...] = Field(min_length=1)


class _NewUnits(_Strict):
    """How private units are made.

    Attributes:
        tasks: Sub-tasks, trained side by side on one pass of the base.
        heads: Private heads per block.
        neurons: Private hidden neurons per block.
        form: ``added`` beside the base's units, or ``replaced`` in the place of them (see
            ``network.replaced``; can't be exported).
        own_norm: Whether the LayerNorms before private units are trained, not kept as the base's.
        read_from: Task -> stage with a dense network whose read weights private units start
            with; by default the base's.
    """

    tasks: tuple[str, ...] = Field(min_length=1)
    heads: int = Field(ge=0)
    neurons: int = Field(ge=0)
    form: Literal["added", "replaced"] = "added"
    own_norm: bool = True
    read_from: dict[str, str] = {}


class GatesStage(_SubTasksStage, _NewUnits):
    """Train over-complete private units with gates that settle at a private share.

    Attributes:
        rho: Private share to end with.
        group: Neurons behind one gate.
        gate_lr: Learning rate of the gates' logits and of the constraint's multipliers.
    """

    kind: Literal["gates"]
    rho: float = Field(gt=0, lt=1)
    group: int = Field(default=32, gt=0)
    gate_lr: float = Field(default=0.02, gt=0)


class UnitsStage(_SubTasksStage):
    """Fine-tune the private units that an earlier stage ended with.

    Attributes:
        start: Name of the ``gates``, ``uniform`` or ``units`` stage to start from.
    """

    kind: Literal["units"]
    start: str


class UniformStage(_SubTasksStage, _NewUnits):
    """Train the same number of private units in every block, none chosen; 0 is a new head only."""

    kind: Literal["uniform"]


class TogetherStage(_Strict):
    """Train a base and its sub-tasks' private units in one go.

    Attributes:
        tasks: The base task, then the sub-tasks.
        start: ``together`` stage whose base and units are trained on; None starts anew.
        heads: Private heads per block of each sub-task, if it starts anew.
        neurons: Private hidden neurons per block, if it starts anew.
        gradient: Factor on the gradients of the sub-tasks that reach the base.
        rho: Private share that gates lead to; None keeps all units.
        group: Neurons behind one gate.
        gate_lr: Learning rate of the gates' logits and of the constraint's multipliers.
        backbone: Pretrained weights, if it starts anew.
    """

    kind: Literal["together"]
    name: str
    tasks: tuple[str, ...] = Field(min_length=2)
    start: str | None = None
    heads: int = Field(default=0, ge=0)
    neurons: int = Field(default=0, ge=0)
    gradient: float = Field(default=1.0, ge=0)
    rho: float | None = Field(default=None, gt=0, lt=1)
    group: int = Field(default=32, gt=0)
    gate_lr: float = Field(default=0.02, gt=0)
    backbone: PretrainedBackbone | None = None
    phases: tuple[Phase, ...] = Field(min_length=1)


class ElementwiseStage(_Strict):
    """Train the paper's own scheme: weights that differ from the base's element by element.

    For comparison (``network.elementwise``); it can't be exported.

    Attributes:
        base: Name of the stage that trained the base.
        tasks: Sub-tasks, trained side by side.
        start: Stage whose masks are kept, with a penalty on activation differences; None learns
            the gates.
        density: Share of the transformer's weights that may differ from the base's.
        gate_lr: Learning rate of gates and multipliers.
        l1: Factor on the mean absolute activation difference, with masks kept.
    """

    kind: Literal["elementwise"]
    name: str
    base: str
    tasks: tuple[str, ...] = Field(min_length=1)
    start: str | None = None
    density: float = Field(gt=0, lt=1)
    gate_lr: float = Field(default=0.1, gt=0)
    l1: float = Field(default=0.0, ge=0)
    phases: tuple[Phase, ...] = Field(min_length=1)


SubTasksStage = GatesStage | UnitsStage | UniformStage
BaseStage = SingleTaskStage | JointStage | TogetherStage
AnyStage = BaseStage | SubTasksStage | ElementwiseStage
Stage = Annotated[AnyStage, Field(discriminator="kind")]


class DataSettings(_Strict):
    """What is trained on.

    Attributes:
        train: Folder to train on: of rendered stills, or a data set with a split ``train``.
        validation: Folder that is scored at the end of each stage: of other rooms, or a data
            set with a split ``val``.
        colour_jitter: Largest relative change of brightness and contrast.
        kind: ``rooms`` are rendered stills; the others are those of ``image_sets.kinds``.
        normal_axes: Axes of a data set's normals, see ``image_sets.axes``.
        crop: How random crops are taken; None stretches whole images.
    """

    train: Path
    validation: Path
    colour_jitter: float = Field(default=0.2, ge=0, lt=1)
    kind: Literal["rooms", "nyud", "pascal_context", "folder"] = "rooms"
    normal_axes: str | None = None
    crop: CropSettings | None = None


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
            "together": ("together",),
        }
        for key, name in _stages_named_in(stage):
            kinds = starts.get(stage.kind, dense) if key == "start" else dense
            if name not in seen or seen[name].kind not in kinds:
                raise ValueError(f"{key} {name!r} is not an earlier {' or '.join(kinds)} stage")
        if getattr(stage, "start", None) and getattr(stage, "backbone", None):
            raise ValueError("start and backbone: found both, expected one")
        if isinstance(stage, SingleTaskStage):
            _check_tasks((stage.task,))
        elif isinstance(stage, JointStage):
            _check_tasks(stage.tasks)
        elif isinstance(stage, TogetherStage):
            self._check_together(stage, seen)
        else:
            self._check_subtasks(stage, seen)

    def _check_together(self, stage: TogetherStage, seen: dict[str, Stage]) -> None:
        _check_tasks(stage.tasks)
        self._check_size(stage.heads, stage.neurons)
        if stage.rho is not None and stage.neurons % stage.group:
            raise ValueError(f"neurons {stage.neurons} is not a multiple of group {stage.group}")
        if stage.start is None:
            return
        if stage.heads or stage.neurons:
            raise ValueError(f"heads and neurons: {stage.start!r} has them, expected none here")
        start = seen[stage.start]
        assert isinstance(start, TogetherStage)
        if start.tasks != stage.tasks:
            raise ValueError(f"tasks {stage.tasks}: {stage.start!r} has {start.tasks}")

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


def _stages_named_in(stage: AnyStage) -> list[tuple[str, str]]:
    """Return (key, name) of every stage that ``stage`` builds on."""
    named = [
        (key, name) for key in ("base", "start") if (name := getattr(stage, key, None)) is not None
    ]
    for key in ("distill", "read_from"):
        named += [(f"{key}.{task}", name) for task, name in getattr(stage, key, {}).items()]
    return named


def base_task(stage: BaseStage) -> str:
    """Return the task whose network is the base that ``stage`` trains."""
    return stage.task if isinstance(stage, SingleTaskStage) else stage.tasks[0]


def tasks_in(stage: AnyStage) -> tuple[str, ...]:
    """Return the tasks that a stage names."""
    return (stage.task,) if isinstance(stage, SingleTaskStage) else getattr(stage, "tasks", ())


def _check_known(names: tuple[str, ...], known: Mapping[str, Task] | None) -> None:
    """Refuse tasks that the data set doesn't have; one of one's own is looked at when opened."""
    for name in names:
        if known is not None and name not in known:
            raise ValueError(f"no task {name!r}; expected one of {sorted(known)}")


def _check_tasks(names: tuple[str, ...]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"tasks {list(names)}: a name is there twice")


def parse_stage(settings: dict[str, Any]) -> AnyStage:
    """Return a stage from the settings in its record; keys that are newer get their default."""
    stage: AnyStage = TypeAdapter(Stage).validate_python(settings)
    return stage


def load_config(path: Path, seed: int | None = None) -> TrainingConfig:
    """Read and check a training configuration; ``seed`` stands in for its own.

    Raises:
        ConfigError: The file can't be read, is not YAML, or a key or value is wrong.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if seed is not None and isinstance(values, dict):
        values["seed"] = seed
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise ConfigError(f"{path}: {key}: {first['msg']}") from error
