"""Settings of stages: what every stage has, and the stages that train a base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from mtshare_ros.network.config import LONGEST_SIDE, STRIDE, NetworkConfig
from mtshare_ros.settings import Strict

DENSE_STAGES = ("single_task", "joint", "together")
"""Kinds of stages that train a dense network."""


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
        if any(side % STRIDE or not 0 < side <= LONGEST_SIDE for side in self.size):
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


@dataclass(frozen=True)
class Surroundings:
    """What a stage has to fit.

    Attributes:
        network: Sizes of the network.
        clips: Folder of clips, if the configuration names one.
        earlier: Stages before this one, by name.
    """

    network: NetworkConfig
    clips: Path | None
    earlier: Mapping[str, Stage]

    def check_size(self, heads: int, neurons: int) -> None:
        """Refuse more private units than the base has.

        Raises:
            ValueError: There are more.
        """
        if heads > self.network.heads or neurons > self.network.hidden:
            raise ValueError(
                f"heads {heads} and neurons {neurons}: the base's blocks have"
                f" {self.network.heads} and {self.network.hidden}"
            )


class Stage(Strict):
    """What every stage has.

    Attributes:
        kind: What it trains; a key of ``stages.TRAINERS``.
        name: Its name, which is also that of its file.
        phases: Stretches of the training, in order.
        exported: Whether the sub-tasks that it trains are fit for a bundle.
        start_kinds: Kinds of stages that ``start`` may name.
    """

    kind: str
    name: str
    phases: tuple[Phase, ...] = Field(min_length=1)

    exported: ClassVar[bool] = False
    start_kinds: ClassVar[tuple[str, ...]] = DENSE_STAGES

    def task_names(self) -> tuple[str, ...]:
        """Return the tasks that the settings name."""
        return ()

    def dense_tasks(self) -> tuple[str, ...]:
        """Return the tasks that it trains dense networks for, the base's first."""
        return ()

    def base_stage(self) -> str | None:
        """Return the stage that trains the base of its sub-tasks, if it has any."""
        return None

    def first_stage(self, around: Surroundings) -> Stage:
        """Return the stage that made the private units that it trains."""
        return self

    def replaces_units(self) -> bool:
        """Return whether its private units take the place of the base's."""
        return False

    def clip_frames(self) -> int:
        """Return the frames of each clip that it trains on; 1 for single images."""
        return 1

    def named_stages(self) -> dict[str, str | None]:
        """Return the stages that it builds on: key in the settings -> name, if one is given."""
        return {}

    def check(self, around: Surroundings) -> None:
        """Find now what would fail after hours of training.

        Raises:
            ValueError: A setting does not fit the others, the network or an earlier stage.
        """
        if self.name in around.earlier:
            raise ValueError("the name is taken")
        if not self.name.replace("_", "").isalnum():
            raise ValueError("expected a name of letters, digits and underscores")
        for key, name in self.built_on():
            kinds = self.start_kinds if key == "start" else DENSE_STAGES
            if name not in around.earlier or around.earlier[name].kind not in kinds:
                raise ValueError(f"{key} {name!r} is not an earlier {' or '.join(kinds)} stage")

    def built_on(self) -> Iterator[tuple[str, str]]:
        """Yield key and name of every stage that the settings name."""
        for key, name in self.named_stages().items():
            if name is not None:
                yield key, name

    def check_tasks(self) -> None:
        """Refuse a task that is named twice.

        Raises:
            ValueError: There is one.
        """
        names = self.task_names()
        if len(set(names)) < len(names):
            raise ValueError(f"tasks {list(names)}: a name is there twice")


class BaseStage(Stage):
    """A stage that trains a dense network, from scratch or from another stage's.

    Attributes:
        start: Stage to start from; None starts anew.
        backbone: Pretrained weights, if it starts anew.
    """

    start: str | None = None
    backbone: PretrainedBackbone | None = None

    def dense_tasks(self) -> tuple[str, ...]:
        """Return its tasks."""
        return self.task_names()

    def named_stages(self) -> dict[str, str | None]:
        """Return the stage that it starts from."""
        return {"start": self.start}

    def check(self, around: Surroundings) -> None:
        """Refuse two starts, and to continue a stage of its own kind with other tasks."""
        super().check(around)
        if self.start and self.backbone:
            raise ValueError("start and backbone: found both, expected one")
        self.check_tasks()
        if self.start is not None and self.start_kinds == (self.kind,):
            before = around.earlier[self.start].task_names()
            if before != self.task_names():
                raise ValueError(f"tasks {self.task_names()}: {self.start!r} has {before}")


class SingleTaskStage(BaseStage):
    """Train a dense network on one task; on the base task it becomes the base.

    Attributes:
        task: The task.
        start: Stage with a dense network to start from (full fine-tuning); None starts anew.
    """

    kind: Literal["single_task"]
    task: str

    def task_names(self) -> tuple[str, ...]:
        """Return its task."""
        return (self.task,)


class JointStage(BaseStage):
    """Train one encoder with a head per task; as a base, the other tasks are auxiliary.

    Attributes:
        tasks: Tasks with a head each; the first one's network is the base of later stages.
        weighting: ``equal``; ``uncertainty`` learns a factor per task (Kendall, Gal, Cipolla,
            "Multi-task learning using uncertainty to weigh losses", CVPR 2018).
        auxiliary: Factor on the losses of all tasks but the first.
        start: ``joint`` stage of the same tasks that is trained on; None starts anew.
    """

    kind: Literal["joint"]
    tasks: tuple[str, ...] = Field(min_length=2)
    weighting: Literal["equal", "uncertainty"] = "equal"
    auxiliary: float = Field(default=1.0, gt=0)

    start_kinds: ClassVar[tuple[str, ...]] = ("joint",)

    def task_names(self) -> tuple[str, ...]:
        """Return its tasks."""
        return self.tasks


class TogetherStage(BaseStage):
    """Train a base and its sub-tasks' private units in one go.

    Attributes:
        tasks: The base task, then the sub-tasks.
        start: ``together`` stage whose base and units are trained on; None starts anew.
        heads: Private heads per block of each sub-task, if it starts anew.
        neurons: Private hidden neurons per block, if it starts anew.
        gradient: Factor on the gradients of the sub-tasks that reach the base.
        weighting: Of the tasks' losses, as in ``JointStage``.
        rho: Private share that gates lead to; None keeps all units.
        group: Neurons behind one gate.
        gate_lr: Learning rate of the gates' logits and of the constraint's multipliers.
        frames: Frames of each clip that are trained on as the stream runs: the first one dense,
            then some tokens anew and the others cached (see ``jobs.together``). 1 trains on
            single images. Every batch is a whole number of clips.
        consistency: With several frames, factor on the distance of what is served to what the
            dense network gives on the same frame, which is trained besides.
    """

    kind: Literal["together"]
    tasks: tuple[str, ...] = Field(min_length=2)
    heads: int = Field(default=0, ge=0)
    neurons: int = Field(default=0, ge=0)
    gradient: float = Field(default=1.0, ge=0)
    weighting: Literal["equal", "uncertainty"] = "equal"
    rho: float | None = Field(default=None, gt=0, lt=1)
    group: int = Field(default=32, gt=0)
    gate_lr: float = Field(default=0.02, gt=0)
    frames: int = Field(default=1, ge=1)
    consistency: float = Field(default=0.0, ge=0)

    exported: ClassVar[bool] = True
    start_kinds: ClassVar[tuple[str, ...]] = ("together",)

    def task_names(self) -> tuple[str, ...]:
        """Return its tasks."""
        return self.tasks

    def dense_tasks(self) -> tuple[str, ...]:
        """Return the base task."""
        return self.tasks[:1]

    def base_stage(self) -> str:
        """Return itself."""
        return self.name

    def clip_frames(self) -> int:
        """Return the frames of each clip."""
        return self.frames

    def check(self, around: Surroundings) -> None:
        """Refuse units and clips that do not fit."""
        super().check(around)
        around.check_size(self.heads, self.neurons)
        if self.rho is not None:
            check_groups(self.neurons, self.group)
        if self.frames > 1:
            self._check_frames(around)
        elif self.consistency:
            raise ValueError(f"consistency {self.consistency}: expected frames of 2 or more")
        if self.start is not None and (self.heads or self.neurons):
            raise ValueError(f"heads and neurons: {self.start!r} has them, expected none here")

    def _check_frames(self, around: Surroundings) -> None:
        if around.clips is None:
            raise ValueError(f"frames {self.frames}: needs data.clips, a folder of clips")
        if self.rho is not None:
            raise ValueError("rho and frames: found both, expected one")
        for phase in self.phases:
            if phase.batch % self.frames:
                raise ValueError(f"batch {phase.batch} is not a multiple of frames {self.frames}")


def check_groups(neurons: int, group: int) -> None:
    """Refuse neurons that can't be put in groups of ``group``.

    Raises:
        ValueError: One group would be smaller.
    """
    if neurons % group:
        raise ValueError(f"neurons {neurons} is not a multiple of group {group}")
