"""How people are told a metric."""

import pytest

from mtshare_ros import metrics
from mtshare_ros.metrics.names import METRICS, metric_text
from mtshare_ros.tasks import TASKS


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [("miou", 0.4567, "45.7 %"), ("abs_rel", 0.12345, "0.123"), ("median_deg", 6.38, "6.4°")],
)
def test_a_value_is_shown_with_its_unit(key, value, text):
    assert metric_text(value, key) == text


def test_the_arrow_says_what_is_better():
    assert (METRICS["miou"].arrow, METRICS["rmse"].arrow) == ("↑", "↓")


def test_whatever_a_metric_reports_has_a_name():
    for task in TASKS.values():
        assert set(task.metrics) <= set(METRICS)
        assert metrics.metric_for(task).result() == {}


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_a_task_and_its_first_metric_agree_on_what_is_better(task) -> None:
    assert METRICS[task.metrics[0]].higher_is_better == task.higher_is_better
