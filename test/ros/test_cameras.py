"""Several cameras on one engine, without the node's states."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from rclpy.node import Node

from mtshare_ros.ros.cameras import Cameras
from mtshare_ros.ros.parameters import TABLE, ParameterError
from mtshare_ros.ros.statistics import Statistics
from support.ros_harness import SECOND, image, wait_for

START = 5 * SECOND
VALUES = {parameter.name: parameter.default for parameter in TABLE} | {
    "cameras": ["left", "right"]
}


@pytest.fixture
def statistics() -> dict[str, Statistics]:
    """Where the frames of both cameras are counted."""
    return {name: Statistics() for name in VALUES["cameras"]}


@pytest.fixture
def cameras(context: Any, engine: Any, statistics: dict[str, Statistics]) -> Iterator[Cameras]:
    """Two cameras, started; somebody wants the depth of both."""
    node = Node("cameras_test", context=context)
    result = Cameras(node, engine, VALUES, statistics, lambda *_: None, lambda: None)
    for camera in result.by_name.values():
        camera._outputs.wanted = lambda allowed: {"depth"}  # type: ignore[method-assign]
    result.start()
    yield result
    result.close(60)
    node.destroy_node()


def counts(statistics: Statistics) -> dict[str, int]:
    return {fate: number for fate, number in statistics.summary().counts.items() if number}


def test_stopping_gives_every_image_a_fate(
    cameras: Cameras, statistics: dict[str, Statistics], monkeypatch: pytest.MonkeyPatch
) -> None:
    hung, release, run = threading.Event(), threading.Event(), cameras.engine.run

    def hang(*arguments: Any) -> Any:
        hung.set()
        assert release.wait(60)
        return run(*arguments)

    monkeypatch.setattr(cameras.engine, "run", hang)
    left, right = cameras.by_name.values()
    left.take(image(START))
    assert hung.wait(60)
    assert cameras.in_work > 0
    for camera in (left, right):
        camera.take(image(START + 1))
    published: list[Any] = []
    monkeypatch.setattr(left._outputs, "publish", published.append)
    wait_for(lambda: (len(left._waiting), len(right._waiting)) == (2, 1), "all looked at")
    stuck = cameras.stop(0.05)
    # Without a key nothing can be said about any of them.
    assert counts(statistics["left"]) == {"received": 2, "unserved": 2}
    assert counts(statistics["right"]) == {"received": 1, "unserved": 1}
    assert stuck is not None and cameras.in_work == 0
    left.take(image(START + 2))
    release.set()
    assert stuck.stop(60)
    assert counts(statistics["left"]) == {"received": 2, "unserved": 2} and published == []


def test_the_other_camera_is_served_while_the_network_is_at_one(
    cameras: Cameras, statistics: dict[str, Statistics], monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = cameras.by_name.values()
    for name, camera in cameras.by_name.items():
        camera.take(image(START))
        wait_for(lambda n=name: "processed" in counts(statistics[n]), "its first key")
    hung, release, run = threading.Event(), threading.Event(), cameras.engine.run

    def hang(*arguments: Any) -> Any:
        hung.set()
        assert release.wait(60)
        return run(*arguments)

    monkeypatch.setattr(cameras.engine, "run", hang)
    left.take(image(START + 1))
    assert hung.wait(60)
    for number in (2, 3, 4):
        for name, camera in cameras.by_name.items():
            camera.take(image(START + number))
            wanted = number + (name == "left")
            wait_for(lambda n=name, w=wanted: counts(statistics[n])["processed"] == w, "served")
    release.set()
    for one in statistics.values():
        assert set(counts(one)) == {"received", "processed"}


def test_one_camera_that_gives_up_is_enough(cameras: Cameras) -> None:
    assert cameras.gave_up is None
    cameras.by_name["right"].gave_up = "the device is lost"
    assert cameras.gave_up == "the device is lost"


def test_parameters_and_resets_reach_every_camera(
    cameras: Cameras, statistics: dict[str, Statistics]
) -> None:
    cameras.apply({**VALUES, "tasks": ["depth"], "max_age": 7})
    with pytest.raises(ParameterError, match="tasks has colour"):
        cameras.apply({**VALUES, "tasks": ["colour"]})
    cameras.reset("requested")
    for name, camera in cameras.by_name.items():
        assert camera.settings.tasks == {"depth"} and camera.settings.stream.max_age == 7
        camera.take(image(START))
        wait_for(lambda n=name: "processed" in counts(statistics[n]), "served")
        assert statistics[name].summary().last_reset == "requested"


def test_stopping_waits_for_the_image_in_work_and_closing_leaves_no_topics(
    cameras: Cameras, statistics: dict[str, Statistics], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cameras.stop(60) is None and cameras.stop(60) is None
    cameras.start()
    cameras.by_name["right"].take(image(START))
    wait_for(lambda: "processed" in counts(statistics["right"]), "served after a pause")
    node = cameras.by_name["left"]._node
    before = [s.topic_name for s in node.subscriptions]
    assert "/left/image" in before and "/right/camera_info" in before
    assert cameras.close(60) is None
    after = [s.topic_name for s in node.subscriptions]
    after += [p.topic_name for p in node.publishers if "cameras_test/" in p.topic_name]
    assert not [name for name in after if "left" in name or "right" in name]
