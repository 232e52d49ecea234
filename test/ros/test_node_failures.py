"""The live node with an engine that fails."""

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from mtshare_ros.perception.engines.interface import EngineError
from support.ros_harness import (
    SECOND,
    change_state,
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


def fail_with(monkeypatch, node, error):
    """Let the node's engine raise, until the returned function is called."""
    engine = node._cameras.engine

    def fail(*_):
        # A new one each time: a kept error's traceback would keep the node, and its name listed.
        raise type(error)(*error.args)

    monkeypatch.setattr(engine, "run", fail)
    return lambda: monkeypatch.setattr(engine, "run", type(engine).run.__get__(engine))


def failed_keys(node):
    return node._statistics[""].summary().failed_keys


@pytest.mark.parametrize("error", [EngineError("out of memory"), TypeError("a bug")])
def test_an_engine_failure_costs_a_key_and_the_cache_and_no_image(
    context, bundle_path, monkeypatch, steps, error
):
    with (
        perception_node(context, bundle=str(bundle_path)) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image")
        connected(node, camera, "depth")
        send(node, camera, image(START))
        mend = fail_with(monkeypatch, node, error)
        send(node, camera, image(START))
        mend()
        send(node, camera, image(START))
        assert counts(node)["failed"] == 0 and counts(node)["processed"] == 3
        assert failed_keys(node) == 1
        assert steps[-1].found.reset is not None and steps[-1].found.dirty.all()


def test_a_node_whose_engine_keeps_failing_gives_up_and_can_be_configured_again(
    context, bundle_path, monkeypatch
):
    with (
        perception_node(context, bundle=str(bundle_path)) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image")
        camera.listen("/diagnostics", type_=DiagnosticArray)
        connected(node, camera, "depth")
        assert set_parameter(camera, "max_failures", 3).successful
        fail_with(monkeypatch, node, EngineError("the device is lost"))
        send(node, camera, image(START), image(START + 1))
        assert node._state == "active"
        send(node, camera, image(START + 2))
        wait_for(lambda: node._state == "unconfigured", "given up")
        cause = "3 frames failed in a row, the last with: the device is lost"
        assert failed_keys(node) == 3 and node._cause == cause
        # There never was a key, so nothing could be said about any image.
        assert counts(node)["unserved"] == 3 and counts(node)["processed"] == 0
        camera.received["/diagnostics"].clear()
        wait_for(lambda: camera.received["/diagnostics"], "diagnostics")
        (status,) = camera.received["/diagnostics"][-1].status
        assert (status.level, status.message) == (DiagnosticStatus.ERROR, cause)
        wait_for(lambda: not camera.image.get_subscription_count(), "unsubscribed")
        change_state(camera, "configure", "activate")
        connected(node, camera, "depth")
        send(node, camera, image(START + 3))
        assert node._cause is None and counts(node)["processed"] == 1


def test_a_key_or_a_pause_starts_the_count_of_failures_again(
    context, bundle_path, monkeypatch
):
    with (
        perception_node(context, bundle=str(bundle_path), max_failures=2) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image")
        connected(node, camera, "depth")
        for number in range(3):
            mend = fail_with(monkeypatch, node, EngineError("lost"))
            send(node, camera, image(START + 2 * number))
            mend()
            send(node, camera, image(START + 2 * number + 1))
        fail_with(monkeypatch, node, EngineError("lost"))
        send(node, camera, image(START + 8))
        change_state(camera, "deactivate", "activate")
        send(node, camera, image(START + 9))
        assert failed_keys(node) == 5 and node._state == "active"
        send(node, camera, image(START + 10))
        wait_for(lambda: node._state == "unconfigured", "given up")
