"""What a task is, and what all tasks of one kind have in common.

A task is a name with settings; the code that trains, exports, decodes and scores looks the
settings up here, so that a further task of a known kind is one more entry in ``TASKS``. What a
kind needs in code is one entry in one table of each room: docs/design.md lists the tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

UNLABELLED = 255
"""Label of a pixel that belongs to no class (ignored by losses and metrics)."""


@dataclass(frozen=True)
class Kind:
    """What all tasks of a kind have in common.

    Attributes:
        name: The kind in manifests and settings.
        channels: Channels of the raw map that the head returns; None for one for each class.
        units: Unit of a decoded value, in plain words.
        value_range: Smallest and largest decoded value, or None for labels.
        metrics: Keys under which the metrics are reported, the main one first.
        higher_is_better: Whether a higher main metric is better.
        disagreement: What tells how far two predictions are apart, in plain words.
        truth: Array of a clip's frame or of a still that is the truth, or that it follows from.
        topic: Topic on which the node publishes the map, below the task's name.
        encoding: Encoding of that image.
        has_confidence: Whether a confidence, (H, W) uint8, comes with the map.
        in_metres: Whether values are distances, which depend on the camera's focal length.
        truth_classes: Classes whose ids the truth follows from, where they are always the same.
    """

    name: str
    channels: int | None
    units: str
    value_range: tuple[float, float] | None
    metrics: tuple[str, ...]
    higher_is_better: bool
    disagreement: str
    truth: str = "labels"
    topic: str = "image"
    encoding: str = "mono8"
    has_confidence: bool = False
    in_metres: bool = False
    truth_classes: tuple[SemanticClass, ...] = ()

    @property
    def has_classes(self) -> bool:
        """Whether tasks of this kind have classes, one channel for each."""
        return self.channels is None

    def task(
        self,
        name: str = "",
        classes: tuple[SemanticClass, ...] = (),
        value_range: tuple[float, float] | None = None,
    ) -> Task:
        """Return a task of this kind.

        Args:
            name: Its name; by default the kind's.
            classes: Its classes, of a kind that has some.
            value_range: Instead of the kind's.
        """
        return Task(
            name=name or self.name,
            kind=self.name,
            channels=len(classes) if self.channels is None else self.channels,
            units=self.units,
            value_range=value_range or self.value_range,
            metrics=self.metrics,
            higher_is_better=self.higher_is_better,
            classes=classes,
        )


@dataclass(frozen=True)
class SemanticClass:
    """One class of a segmentation task: its name and its colour in pictures (RGB, 0-255)."""

    name: str
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class Task:
    """One dense prediction task.

    Attributes:
        name: Key of the task in manifests, topics, reports and file names.
        kind: How the raw map is trained, decoded and scored: one of ``KINDS``.
        channels: Channels of the raw map that the head returns.
        units: Unit of a decoded value, in plain words.
        value_range: Smallest and largest decoded value, or None for labels.
        metrics: Keys under which the metrics of this task are reported, the main one first.
        higher_is_better: Whether a higher main metric is better.
        classes: Classes of a segmentation task, in the order of their ids; else empty.
    """

    name: str
    kind: str
    channels: int
    units: str
    value_range: tuple[float, float] | None
    metrics: tuple[str, ...]
    higher_is_better: bool
    classes: tuple[SemanticClass, ...] = ()

    @property
    def palette(self) -> list[tuple[int, int, int]]:
        """RGB colour of each class id."""
        return [c.colour for c in self.classes]


ROOM_CLASSES = (
    SemanticClass("floor", (128, 110, 90)),
    SemanticClass("wall", (190, 190, 180)),
    SemanticClass("ceiling", (225, 225, 235)),
    SemanticClass("door", (140, 80, 40)),
    SemanticClass("window", (120, 190, 240)),
    SemanticClass("table", (230, 150, 60)),
    SemanticClass("chair", (220, 80, 80)),
    SemanticClass("sofa", (150, 60, 160)),
    SemanticClass("bed", (240, 130, 190)),
    SemanticClass("cabinet", (90, 130, 60)),
    SemanticClass("shelf", (50, 160, 120)),
    SemanticClass("lamp", (250, 230, 90)),
    SemanticClass("plant", (40, 190, 50)),
    SemanticClass("box", (180, 120, 220)),
    SemanticClass("ball", (60, 90, 230)),
    SemanticClass("person", (255, 40, 60)),
)
"""Classes of the simulated rooms: structure, furniture, movable things and a person."""


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="depth",
            channels=1,
            units="metre along the optical axis",
            value_range=(0.1, 20.0),
            metrics=("abs_rel", "rmse", "delta1"),
            higher_is_better=False,
            truth="depth",
            encoding="32FC1",
            disagreement="mean |a - b| / b",
            in_metres=True,
        ),
        Kind(
            name="segmentation",
            channels=None,
            units="class id",
            value_range=None,
            metrics=("miou",),
            higher_is_better=True,
            topic="mask",
            disagreement="share of pixels of another class",
            has_confidence=True,
        ),
        Kind(
            name="normals",
            channels=3,
            units="unit vector in the optical frame, towards the camera",
            value_range=(-1.0, 1.0),
            metrics=("mean_deg", "median_deg", "within_11", "within_22", "within_30"),
            higher_is_better=False,
            truth="normals",
            encoding="32FC3",
            disagreement="mean angle, degrees",
        ),
        Kind(
            name="boundary",
            channels=1,
            units="probability of a boundary between classes, 0-255",
            value_range=(0.0, 255.0),
            metrics=("ods_f",),
            higher_is_better=True,
            disagreement="mean |p - q|",
        ),
        Kind(
            name="saliency",
            channels=1,
            units="probability of a thing to mind, 0-255",
            value_range=(0.0, 255.0),
            metrics=("max_f",),
            higher_is_better=True,
            disagreement="mean |p - q|",
            truth_classes=ROOM_CLASSES,
        ),
    )
}
"""Kinds of tasks by name. Depth is metric; boundaries and saliency are maps of one probability."""


def first_of_kind(tasks: Iterable[Task], kind: str) -> Task | None:
    """Return the first task of a kind, which is taken where one of them is needed."""
    return next((task for task in tasks if task.kind == kind), None)


NORMALS = KINDS["normals"].task()
DEPTH = KINDS["depth"].task()
SEGMENTATION = KINDS["segmentation"].task(classes=ROOM_CLASSES)
BOUNDARY = KINDS["boundary"].task()
"""Where one class ends and another begins, whatever the classes are."""
SALIENT_CLASSES = ("lamp", "plant", "box", "ball", "person")
"""Classes that ``SALIENCY`` marks."""
SALIENCY = KINDS["saliency"].task()
"""What a robot has to mind beyond the room itself: people, and things that move or are moved.

Structure (floor, walls, doors, windows) and furniture (tables, seats, beds, cabinets, shelves)
stay where a map has them; ``SALIENT_CLASSES`` come, go, roll or fall over.
"""

TASKS = {task.name: task for task in (NORMALS, DEPTH, SEGMENTATION, BOUNDARY, SALIENCY)}
