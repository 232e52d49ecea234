"""Settings of the stages that train sub-tasks on a frozen base, and the union of all stages."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, TypeAdapter

from mtshare_ros.training.stage_settings import (
    JointStage,
    SingleTaskStage,
    Stage,
    Surroundings,
    TogetherStage,
    check_groups,
)


class OnBaseStage(Stage):
    """A stage whose sub-tasks are on a base that an earlier stage trained.

    Attributes:
        base: Name of the stage that trained the base.
    """

    base: str

    def base_stage(self) -> str:
        """Return the stage that trained the base."""
        return self.base

    def check_start(self, around: Surroundings, start: str) -> None:
        """Refuse to start from sub-tasks on another base.

        Raises:
            ValueError: They are on another one.
        """
        base = around.earlier[start].base_stage()
        if base != self.base:
            raise ValueError(f"base {self.base!r}: {start!r} is on {base!r}")

    def check_new_tasks(self, around: Surroundings) -> None:
        """Refuse tasks that are there twice, and the base's.

        Raises:
            ValueError: There is such a task.
        """
        self.check_tasks()
        of_base = around.earlier[self.base].dense_tasks()[0]
        if of_base in self.task_names():
            raise ValueError(f"task {of_base!r} is the base's own")


class SubTasksStage(OnBaseStage):
    """What all stages that train private units on a frozen base have.

    Attributes:
        distill: Task -> stage with a dense network whose outputs the sub-task follows besides
            the truth.
        distill_weight: Factor on that loss.
        pull: Factor on what private units write, relative to the residual stream: pulls the
            sub-task's activations towards the base's.
    """

    distill: dict[str, str] = {}
    distill_weight: float = Field(default=1.0, gt=0)
    pull: float = Field(default=0.0, ge=0)

    def named_stages(self) -> dict[str, str | None]:
        """Return the base and the teachers."""
        teachers = {f"distill.{task}": name for task, name in self.distill.items()}
        return {"base": self.base, **teachers}

    def check_guides(self, around: Surroundings) -> None:
        """Refuse teachers of other tasks, and a pull that would not measure what it pulls on.

        Raises:
            ValueError: A teacher or the pull does not fit.
        """
        first = self.first_stage(around)
        for key, name in self.built_on():
            _, _, task = key.partition(".")
            if not task:
                continue
            trained = around.earlier[name].dense_tasks()
            if task not in first.task_names():
                raise ValueError(f"{key}: expected one of the tasks {list(first.task_names())}")
            if task not in trained:
                raise ValueError(f"{key}: stage {name!r} trains {list(trained)}")
        if self.pull and first.replaces_units():
            raise ValueError("pull: found with form 'replaced', expected 'added'")


class NewUnitsStage(SubTasksStage):
    """What all stages that make private units have.

    Attributes:
        tasks: Sub-tasks, trained side by side on one pass of the base.
        heads: Private heads per block.
        neurons: Private hidden neurons per block.
        form: ``added`` beside the base's units, or ``replaced`` in the place of them (see
            ``network.reference.replaced``; can't be exported).
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

    def task_names(self) -> tuple[str, ...]:
        """Return the sub-tasks."""
        return self.tasks

    def replaces_units(self) -> bool:
        """Return whether the units take the place of the base's."""
        return self.form == "replaced"

    def named_stages(self) -> dict[str, str | None]:
        """Return the base, the teachers and the stages that read weights come from."""
        sources = {f"read_from.{task}": name for task, name in self.read_from.items()}
        return {**super().named_stages(), **sources}

    def check(self, around: Surroundings) -> None:
        """Refuse guides, tasks and sizes that do not fit."""
        super().check(around)
        self.check_guides(around)
        self.check_new_tasks(around)
        around.check_size(self.heads, self.neurons)


class GatesStage(NewUnitsStage):
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

    def check(self, around: Surroundings) -> None:
        """Refuse neurons that are not whole groups."""
        super().check(around)
        check_groups(self.neurons, self.group)


class UniformStage(NewUnitsStage):
    """Train the same number of private units in every block, none chosen; 0 is a new head only."""

    kind: Literal["uniform"]

    exported: ClassVar[bool] = True


class UnitsStage(SubTasksStage):
    """Fine-tune the private units that an earlier stage ended with.

    Attributes:
        start: Name of the ``gates``, ``uniform``, ``units`` or ``together`` stage to start from.
    """

    kind: Literal["units"]
    start: str

    exported: ClassVar[bool] = True
    start_kinds: ClassVar[tuple[str, ...]] = ("gates", "uniform", "units", "together")

    def first_stage(self, around: Surroundings) -> Stage:
        """Return the stage that made the units that it starts from."""
        return around.earlier[self.start].first_stage(around)

    def named_stages(self) -> dict[str, str | None]:
        """Return the base, the stage that it starts from and the teachers."""
        return {"base": self.base, "start": self.start, **super().named_stages()}

    def check(self, around: Surroundings) -> None:
        """Refuse a start on another base, and guides that do not fit."""
        super().check(around)
        self.check_start(around, self.start)
        self.check_guides(around)


class ElementwiseStage(OnBaseStage):
    """Train the paper's own scheme: weights that differ from the base's element by element.

    For comparison (``network.reference.elementwise_units``); it can't be exported.

    Attributes:
        tasks: Sub-tasks, trained side by side.
        start: Stage whose masks are kept, with a penalty on activation differences; None learns
            the gates.
        density: Share of the transformer's weights that may differ from the base's.
        gate_lr: Learning rate of gates and multipliers.
        l1: Factor on the mean absolute activation difference, with masks kept.
    """

    kind: Literal["elementwise"]
    tasks: tuple[str, ...] = Field(min_length=1)
    start: str | None = None
    density: float = Field(gt=0, lt=1)
    gate_lr: float = Field(default=0.1, gt=0)
    l1: float = Field(default=0.0, ge=0)

    start_kinds: ClassVar[tuple[str, ...]] = ("elementwise",)

    def task_names(self) -> tuple[str, ...]:
        """Return the sub-tasks."""
        return self.tasks

    def named_stages(self) -> dict[str, str | None]:
        """Return the base and the stage whose masks are kept."""
        return {"base": self.base, "start": self.start}

    def check(self, around: Surroundings) -> None:
        """Refuse a start on another base, and tasks that do not fit."""
        super().check(around)
        if self.start is not None:
            self.check_start(around, self.start)
        self.check_new_tasks(around)


AnyStage = Annotated[
    SingleTaskStage
    | JointStage
    | TogetherStage
    | GatesStage
    | UnitsStage
    | UniformStage
    | ElementwiseStage,
    Field(discriminator="kind"),
]


def parse_stage(settings: dict[str, Any]) -> Stage:
    """Return a stage from the settings in its record; keys that are newer get their default."""
    stage: Stage = TypeAdapter(AnyStage).validate_python(settings)
    return stage
