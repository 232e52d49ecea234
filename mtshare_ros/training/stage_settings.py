"""The stages of a training and their settings, as a configuration has them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, model_validator

from mtshare_ros.network.config import STRIDE
from mtshare_ros.settings import Strict


class Phase(Strict):
    """A stretch of a stage at one image size, with warm-up and a cosine to zero.

    Attributes:
        size: Width and height in pixels, multiples of 16.
        steps: Optimiser steps.
        batch: Images per step.
        lr: Peak learning rate.
        warmup: Steps of linear warm-up.
        noise: Largest standard deviation of noise that is added to an image, in 8-bit levels.
    """

    size: tuple[int, int]
    steps: int = Field(gt=0)
    batch: int = Field(gt=0)
    lr: float = Field(gt=0)
    warmup: int = Field(default=100, ge=0)
    noise: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _whole_tokens(self) -> Phase:
        if self.size[0] % STRIDE or self.size[1] % STRIDE:
            raise ValueError(f"size {self.size}: expected multiples of {STRIDE}")
        return self


class PretrainedBackbone(Strict):
    """Weights that a network starts with instead of random ones (see ``docs/backbones.md``).

    Attributes:
        checkpoint: Local file, safetensors or PyTorch's.
        model: Name of the model in timm.
    """

    checkpoint: Path
    model: str


class SingleTaskStage(Strict):
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


class JointStage(Strict):
    """Train one encoder with a head per task; as a base, the other tasks are auxiliary.

    Attributes:
        tasks: Tasks with a head each; the first one's network is the base of later stages.
        weighting: ``equal``; ``uncertainty`` learns a factor per task (Kendall, Gal, Cipolla,
            "Multi-task learning using uncertainty to weigh losses", CVPR 2018).
        auxiliary: Factor on the losses of all tasks but the first.
        start: ``joint`` stage of the same tasks that is trained on; None starts anew.
        backbone: Pretrained weights, if it starts anew.
    """

    kind: Literal["joint"]
    name: str
    tasks: tuple[str, ...] = Field(min_length=2)
    start: str | None = None
    weighting: Literal["equal", "uncertainty"] = "equal"
    auxiliary: float = Field(default=1.0, gt=0)
    backbone: PretrainedBackbone | None = None
    phases: tuple[Phase, ...] = Field(min_length=1)


class _SubTasksStage(Strict):
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


class _NewUnits(Strict):
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


class TogetherStage(Strict):
    """Train a base and its sub-tasks' private units in one go.

    Attributes:
        tasks: The base task, then the sub-tasks.
        start: ``together`` stage whose base and units are trained on; None starts anew.
        heads: Private heads per block of each sub-task, if it starts anew.
        neurons: Private hidden neurons per block, if it starts anew.
        gradient: Factor on the gradients of the sub-tasks that reach the base.
        weighting: Of the tasks' losses, as of ``JointStage``.
        rho: Private share that gates lead to; None keeps all units.
        group: Neurons behind one gate.
        gate_lr: Learning rate of the gates' logits and of the constraint's multipliers.
        frames: Frames of each clip that are trained on as the stream runs: the first one dense,
            then some tokens anew and the others cached (see ``running_job``). 1 trains on single
            images. Every batch is a whole number of clips.
        consistency: With several frames, factor on the distance of what is served to what the
            dense network gives on the same frame, which is trained besides.
        backbone: Pretrained weights, if it starts anew.
    """

    kind: Literal["together"]
    name: str
    tasks: tuple[str, ...] = Field(min_length=2)
    start: str | None = None
    heads: int = Field(default=0, ge=0)
    neurons: int = Field(default=0, ge=0)
    gradient: float = Field(default=1.0, ge=0)
    weighting: Literal["equal", "uncertainty"] = "equal"
    rho: float | None = Field(default=None, gt=0, lt=1)
    group: int = Field(default=32, gt=0)
    gate_lr: float = Field(default=0.02, gt=0)
    frames: int = Field(default=1, ge=1)
    consistency: float = Field(default=0.0, ge=0)
    backbone: PretrainedBackbone | None = None
    phases: tuple[Phase, ...] = Field(min_length=1)


class ElementwiseStage(Strict):
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


def base_task(stage: BaseStage) -> str:
    """Return the task whose network is the base that ``stage`` trains."""
    return stage.task if isinstance(stage, SingleTaskStage) else stage.tasks[0]


def tasks_in(stage: AnyStage) -> tuple[str, ...]:
    """Return the tasks that a stage names."""
    return (stage.task,) if isinstance(stage, SingleTaskStage) else getattr(stage, "tasks", ())


def stages_named_in(stage: AnyStage) -> list[tuple[str, str]]:
    """Return (key, name) of every stage that ``stage`` builds on."""
    named = [
        (key, name) for key in ("base", "start") if (name := getattr(stage, key, None)) is not None
    ]
    for key in ("distill", "read_from"):
        named += [(f"{key}.{task}", name) for task, name in getattr(stage, key, {}).items()]
    return named


def parse_stage(settings: dict[str, Any]) -> AnyStage:
    """Return a stage from the settings in its record; keys that are newer get their default."""
    stage: AnyStage = TypeAdapter(Stage).validate_python(settings)
    return stage
