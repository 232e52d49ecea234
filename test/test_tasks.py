"""Tasks and their kinds."""

from dataclasses import asdict

import pytest

from mtshare_ros.metrics.names import METRICS
from mtshare_ros.tasks import (
    KINDS,
    ROOM_CLASSES,
    SALIENT_CLASSES,
    TASKS,
    UNLABELLED,
    SemanticClass,
    first_of_kind,
)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_makes_tasks_that_differ_in_what_is_the_tasks_own(name: str) -> None:
    kind = KINDS[name]
    classes = ROOM_CLASSES[:3] if kind.has_classes else ()
    task = kind.task("another", classes, value_range=(1.0, 2.0))
    assert (task.name, task.kind, task.value_range) == ("another", name, (1.0, 2.0))
    assert task.channels == (3 if kind.has_classes else kind.channels)
    assert (task.metrics, task.units) == (kind.metrics, kind.units)
    assert kind.task(classes=classes).name == name


@pytest.mark.parametrize("name", KINDS)
def test_every_metric_of_a_kind_has_a_name_and_its_direction(name: str) -> None:
    kind = KINDS[name]
    assert set(kind.metrics) <= set(METRICS)
    assert METRICS[kind.metrics[0]].higher_is_better == kind.higher_is_better


def test_the_rooms_have_a_task_of_every_kind() -> None:
    assert set(TASKS) == {task.kind for task in TASKS.values()} == set(KINDS)
    assert len(asdict(TASKS["segmentation"])["classes"]) == len(ROOM_CLASSES)
    assert set(SALIENT_CLASSES) < {item.name for item in ROOM_CLASSES}
    assert len(set(TASKS["segmentation"].palette)) == len(ROOM_CLASSES)


def test_where_one_task_of_a_kind_is_needed_it_is_the_first() -> None:
    near, far = KINDS["depth"].task("near"), KINDS["depth"].task("far")
    assert first_of_kind([TASKS["normals"], near, far], "depth") is near
    assert first_of_kind([near], "normals") is None


def test_what_other_programs_rely_on_is_as_the_documentation_says() -> None:
    """The messages of docs/ros.md: a subscriber has their topics, encodings and ranges."""
    assert UNLABELLED == 255
    found = {
        kind.name: (kind.topic, kind.encoding, kind.has_confidence, kind.in_metres)
        for kind in KINDS.values()
    }
    assert found == {
        "depth": ("image", "32FC1", False, True),
        "segmentation": ("mask", "mono8", True, False),
        "normals": ("image", "32FC3", False, False),
        "boundary": ("image", "mono8", False, False),
        "saliency": ("image", "mono8", False, False),
    }
    assert {kind.name: kind.value_range for kind in KINDS.values()} == {
        "depth": (0.1, 20.0), "segmentation": None, "normals": (-1.0, 1.0),
        "boundary": (0.0, 255.0), "saliency": (0.0, 255.0),
    }  # fmt: skip
    assert [kind.name for kind in KINDS.values() if kind.higher_is_better] == [
        "segmentation", "boundary", "saliency"
    ]  # fmt: skip


def test_saliency_is_of_the_things_that_come_and_go() -> None:
    assert set(SALIENT_CLASSES) == {"lamp", "plant", "box", "ball", "person"}
    assert KINDS["saliency"].truth_classes == ROOM_CLASSES
    assert not any(KINDS[name].truth_classes for name in set(KINDS) - {"saliency"})


def test_a_palette_is_red_green_blue_in_the_order_of_the_ids() -> None:
    classes = (SemanticClass("sky", (1, 2, 3)), SemanticClass("sea", (4, 5, 6)))
    assert KINDS["segmentation"].task(classes=classes).palette == [(1, 2, 3), (4, 5, 6)]
