"""The live node's way through its states, and what keeps it out of one."""

import dataclasses
import threading
import time

import pytest
from rclpy.parameter import Parameter

from mtshare_ros.ros import opener
from mtshare_ros.ros.node import PerceptionNode
from mtshare_ros.ros.parameters import ParameterError
from support.ros_harness import (
    SECOND,
    active,
    change_state,
    condition,
    connected,
    counts,
    image,
    peer,
    perception_node,
    send,
    set_parameter,
    wait_for,
)

START = 5 * SECOND


@pytest.fixture
def held(monkeypatch):
    """An event without which no bundle gets open."""
    release, open_engine = threading.Event(), opener.open_engine

    def slow(*arguments):
        assert release.wait(60)
        return open_engine(*arguments)

    monkeypatch.setattr(opener, "open_engine", slow)
    yield release
    release.set()


def test_a_bundle_that_cannot_be_opened_leaves_the_node_up_and_unconfigured(
    context, tmp_path, bundle_path
):
    with (
        perception_node(context, bundle=str(tmp_path)) as node,
        peer(context) as camera,
    ):
        wait_for(lambda: node._cause, "the failure")
        wait_for(lambda: node._state == "unconfigured", "unconfigured")
        assert str(tmp_path) in node._cause
        assert set_parameter(camera, "bundle", str(bundle_path)).successful
        change_state(camera, "configure", "activate")
        wait_for(active(node), "active after all")


def test_an_inactive_node_takes_no_images_and_a_cleaned_up_one_has_no_topics(context, bundle_path):
    with (
        perception_node(context, bundle=str(bundle_path)) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image")
        connected(node, camera, "depth")
        send(node, camera, image(START))
        node.trigger_deactivate()
        camera.image.publish(image(START + 1))
        time.sleep(0.2)  # it must have come and gone; nothing tells
        node.trigger_activate()
        send(node, camera, image(START + 2))
        assert counts(node)["processed"] == 2
        node.trigger_deactivate()
        node.trigger_cleanup()
        wait_for(lambda: not camera.image.get_subscription_count(), "unsubscribed")


def own_topics(node):
    names = [node.resolve_topic_name(name) for name in ("image", "camera_info")]
    published = [p.topic_name for p in node.publishers if "/perception_node/" in p.topic_name]
    names_heard = [s.topic_name for s in node.subscriptions if s.topic_name in names]
    return [t for t in published if not t.endswith("transition_event")] + names_heard


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("/image.subscription.reliability", "reliability`: `sometimes`"),
        ("/camera_info.subscription.history", "history`: `sometimes`"),
        ("/perception_node/overlay.publisher.reliability", "reliability`: `sometimes`"),
    ],
)
def test_a_qos_override_that_is_refused_leaves_the_node_up_without_topics(
    context, bundle_path, name, says
):
    given = {f"qos_overrides.{name}": "sometimes", "bundle": str(bundle_path)}
    with perception_node(context, **given) as node, peer(context) as camera:
        wait_for(lambda: node._cause, "the failure")
        assert says in node._cause and "\n" not in node._cause
        wait_for(lambda: node._state == "unconfigured", "unconfigured")
        assert own_topics(node) == []
        assert set_parameter(camera, "max_age", 7).successful, "it still answers"
        assert condition(node).cause == node._cause


def test_a_task_of_an_unknown_kind_leaves_the_node_up_without_topics(
    context, bundle_path, monkeypatch
):
    open_engine = opener.open_engine

    def with_unknown_task(*arguments):
        engine = open_engine(*arguments)
        *known, last = engine.manifest.tasks
        tasks = (*known, dataclasses.replace(last, kind="flow"))
        engine.manifest = dataclasses.replace(engine.manifest, tasks=tasks)
        return engine

    monkeypatch.setattr(opener, "open_engine", with_unknown_task)
    with perception_node(context, bundle=str(bundle_path)) as node:
        wait_for(lambda: node._cause, "the failure")
        wait_for(lambda: node._state == "unconfigured", "unconfigured")
        assert "is of kind 'flow'; expected one of depth" in node._cause
        assert own_topics(node) == []


@pytest.mark.parametrize(
    "taken_over",
    [
        ("cleanup", "configure"),
        ("activate", "deactivate"),
        ("activate", "deactivate", "cleanup", "configure"),
    ],
)
def test_a_node_that_somebody_took_over_does_not_activate_itself(
    context, bundle_path, held, taken_over
):
    with perception_node(context, bundle=str(bundle_path)) as node, peer(context) as camera:
        change_state(camera, *taken_over)
        held.set()
        wait_for(lambda: node._cameras, "bundle open")
        time.sleep(0.2)  # it would activate itself now
        assert node._state == "inactive"


def test_a_node_that_was_cleaned_up_knows_of_the_bundle_still_being_opened(
    context, bundle_path, held
):
    with perception_node(context, bundle=str(bundle_path)) as node, peer(context) as camera:
        change_state(camera, "cleanup")
        assert not node.close(), "a thread is left"
        held.set()
        wait_for(node.close, "no thread left")
        assert node._cameras is None and node._state == "unconfigured"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("max_agee", "did you mean 'max_age'"),
        ("qos_override./image.subscription.depth", "did you mean 'qos_overrides.'"),
        ("wheel_radius", "which was given to perception_node; it has bundle, "),
    ],
)
def test_a_parameter_of_no_use_is_refused_by_name(context, name, says):
    overrides = [Parameter(name, value=5)]
    with pytest.raises(ParameterError, match=f"no parameter '{name}'.*{says}"):
        PerceptionNode(context=context, parameter_overrides=overrides)


def test_parameters_of_rclpy_itself_are_taken(context):
    with perception_node(context, autostart=False, use_sim_time=True) as node:
        assert node.get_parameter("use_sim_time").value is True
