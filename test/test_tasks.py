"""Tasks and their kinds."""

from dataclasses import asdict

import pytest

from mtshare_ros.metrics.names import METRICS
from mtshare_ros.tasks import KINDS, ROOM_CLASSES, SALIENT_CLASSES, TASKS, first_of_kind


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
