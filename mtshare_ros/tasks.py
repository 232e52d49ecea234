"""What a task is: channels, loss, decoding, units, palette and metric names.

A task is a name with settings; the code that trains, exports, decodes and scores looks the
settings up here, so that a further task of a known kind is one more entry in ``TASKS``.
"""

from __future__ import annotations

from dataclasses import dataclass

PROBABILITY_KINDS = ("boundary", "saliency")
"""Kinds whose raw map is one logit and whose decoded map is a probability."""
KINDS = ("depth", "segmentation", "normals", *PROBABILITY_KINDS)
"""Kinds of tasks that there are losses, decoders and metrics for."""
UNLABELLED = 255
"""Label of a pixel that belongs to no class (ignored by losses and metrics)."""


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

NORMALS = Task(
    name="normals",
    kind="normals",
    channels=3,
    units="unit vector in the optical frame, towards the camera",
    value_range=(-1.0, 1.0),
    metrics=("mean_deg", "median_deg", "within_11", "within_22", "within_30"),
    higher_is_better=False,
)
DEPTH = Task(
    name="depth",
    kind="depth",
    channels=1,
    units="metre along the optical axis",
    value_range=(0.1, 20.0),
    metrics=("abs_rel", "rmse", "delta1"),
    higher_is_better=False,
)
SEGMENTATION = Task(
    name="segmentation",
    kind="segmentation",
    channels=len(ROOM_CLASSES),
    units="class id",
    value_range=None,
    metrics=("miou",),
    higher_is_better=True,
    classes=ROOM_CLASSES,
)

BOUNDARY = Task(
    name="boundary",
    kind="boundary",
    channels=1,
    units="probability of a boundary between classes, 0-255",
    value_range=(0.0, 255.0),
    metrics=("ods_f",),
    higher_is_better=True,
)
"""Where one class ends and another begins, whatever the classes are."""
SALIENT_CLASSES = ("lamp", "plant", "box", "ball", "person")
"""Classes that ``SALIENCY`` marks."""
SALIENCY = Task(
    name="saliency",
    kind="saliency",
    channels=1,
    units="probability of a thing to mind, 0-255",
    value_range=(0.0, 255.0),
    metrics=("max_f",),
    higher_is_better=True,
)
"""What a robot has to mind beyond the room itself: people, and things that move or are moved.

Structure (floor, walls, doors, windows) and furniture (tables, seats, beds, cabinets, shelves)
stay where a map has them; ``SALIENT_CLASSES`` come, go, roll or fall over.
"""

TASKS = {task.name: task for task in (NORMALS, DEPTH, SEGMENTATION, BOUNDARY, SALIENCY)}
