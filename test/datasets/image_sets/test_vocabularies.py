"""Tasks and classes of published data sets."""

from __future__ import annotations

from mtshare_ros.datasets.image_sets.vocabularies import (
    NYUD_TASKS,
    PASCAL_TASKS,
    colours,
    segmentation,
)


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
