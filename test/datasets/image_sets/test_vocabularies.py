"""Tasks and classes of published data sets."""

from __future__ import annotations

from mtshare_ros.datasets.image_sets.vocabularies import (
    NYUD_TASKS,
    PASCAL_TASKS,
    colours,
    segmentation,
)
from mtshare_ros.tasks import Task


def test_colours_are_those_of_pascal_voc() -> None:
    assert colours(4) == [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]
    assert colours(21)[20] == (0, 64, 128) and len(set(colours(256))) == 256


def test_the_published_sets_have_as_many_classes_as_published() -> None:
    assert NYUD_TASKS["segmentation"].channels == len(NYUD_TASKS["segmentation"].classes) == 40
    assert PASCAL_TASKS["segmentation"].channels == 21
    assert PASCAL_TASKS["human_parts"].channels == 7
    assert PASCAL_TASKS["human_parts"].kind == "segmentation"


def test_classes_keep_the_order_of_their_ids() -> None:
    task = segmentation("ground", ["path", "grass"])
    assert task.name == "ground" and [c.name for c in task.classes] == ["path", "grass"]
    assert task.classes[1].colour == (128, 0, 0)


def test_ids_stand_for_the_published_classes() -> None:
    def named(task: Task, *ids: int) -> list[str]:
        return [task.classes[number].name for number in ids]

    # NYUD counts from 1, PASCAL from 0 for the background.
    assert named(NYUD_TASKS["segmentation"], 0, 18, 19, 20, 39) == [
        "wall",
        "mirror",
        "floor mat",
        "clothes",
        "other prop",
    ]
    assert named(PASCAL_TASKS["segmentation"], 0, 9, 10, 11, 15, 20) == [
        "background",
        "chair",
        "cow",
        "dining table",
        "person",
        "tv monitor",
    ]
    assert named(PASCAL_TASKS["human_parts"], 3, 4, 5, 6) == [
        "upper arm",
        "lower arm",
        "upper leg",
        "lower leg",
    ]
    assert list(NYUD_TASKS) == ["segmentation", "depth", "normals", "boundary"]
    assert list(PASCAL_TASKS) == ["segmentation", "human_parts", "saliency", "normals", "boundary"]
