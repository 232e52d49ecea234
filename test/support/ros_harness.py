"""What the tests need to talk to a live node over real topics, on a domain of their own."""

from __future__ import annotations

import gc
import os
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from subprocess import Popen
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from mtshare_ros.ros.middleware import environment
from mtshare_ros.ros.node import PerceptionNode

DOMAIN = 101 - os.getpid() % 50
NODE = "/perception_node"
SECOND = 1_000_000_000


def wait_for(condition: Callable[[], Any], what: str, timeout: float = 60.0) -> None:
    """Return when the condition holds; fail after the timeout."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.005)


def wait_for_line(process: Popen[str], text: str) -> None:
    """Read what a process prints up to the line that has ``text``."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if text in line:
            return
    raise AssertionError(f"the process ended without {text!r}: {''.join(said)}")


def header(nanoseconds: int, frame_id: str = "camera_optical_frame") -> Header:
    stamp = Time(sec=nanoseconds // SECOND, nanosec=nanoseconds % SECOND)
    return Header(stamp=stamp, frame_id=frame_id)


def image(nanoseconds: int, frame_id: str = "camera_optical_frame", size=(160, 120)) -> Image:
    """Return an rgb8 Image of noise that is the same for equal stamps."""
    width, height = size
    noise = np.random.default_rng(nanoseconds % 2**32).integers(0, 256, 3 * width * height)
    return Image(
        header=header(nanoseconds, frame_id),
        width=width,
        height=height,
        step=3 * width,
        encoding="rgb8",
        data=array("B", noise.astype(np.uint8).tobytes()),
    )


@contextmanager
def ros() -> Iterator[Context]:
    """Enter a ROS context that is seen on this machine only."""
    os.environ.update(environment())
    context = Context()
    rclpy.init(context=context, domain_id=DOMAIN, signal_handler_options=SignalHandlerOptions.NO)
    try:
        yield context
    finally:
        context.try_shutdown()


@contextmanager
def spinning(node: Node) -> Iterator[None]:
    """Spin a node in a thread of its own."""
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)

    stopping = threading.Event()

    def spin() -> None:
        try:
            executor.spin()
        except ExternalShutdownException:
            pass
        except Exception:
            # Shut down in the middle of a callback, rclpy's executor can't wake itself any more.
            if not stopping.is_set():
                raise

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        executor.shutdown()
        thread.join()


@contextmanager
def perception_node(
    context: Context, options: Mapping[str, Any] | None = None, **parameters: Any
) -> Iterator[PerceptionNode]:
    """Run the node with some options of its constructor and some parameters, spinning."""
    # A lifecycle node stays in the graph until its cycles are collected.
    gc.collect()
    given = {"diagnostics_period": 0.05, **parameters}
    node = PerceptionNode(
        context=context,
        parameter_overrides=[Parameter(name, value=value) for name, value in given.items()],
        **(options or {}),
    )
    try:
        with spinning(node):
            yield node
    finally:
        node.close()
        node.destroy_node()


class Peer:
    """A camera and everything that listens to the node's outputs.

    Attributes:
        received: Topic (without the node's name) -> messages.
    """

    def __init__(self, context: Context) -> None:
        """Create the camera's publisher."""
        self.node = Node("peer", context=context)
        self.received: dict[str, list[Any]] = {}
        self.image = self.camera("")

    def camera(self, prefix: str) -> Any:
        """Return the publisher of another camera's images."""
        return self.camera_on(f"{prefix}image")

    def camera_on(self, topic: str) -> Any:
        """Return the publisher of images on a topic."""
        return self.node.create_publisher(Image, topic, 1)

    def listen(self, *topics: str, type_: Any = Image) -> None:
        """Subscribe to outputs of the node."""
        for topic in topics:
            messages = self.received.setdefault(topic, [])
            profile = QoSProfile(depth=10)
            if type_ is String:
                profile.durability = DurabilityPolicy.TRANSIENT_LOCAL
            name = topic if topic.startswith("/") else f"{NODE}/{topic}"
            self.node.create_subscription(type_, name, messages.append, profile)


@contextmanager
def peer(context: Context) -> Iterator[Peer]:
    """Run a peer, spinning."""
    result = Peer(context)
    try:
        with spinning(result.node):
            yield result
    finally:
        result.node.destroy_node()


def counts(node, camera=""):
    """Return the fates of a camera's frames."""
    return node._statistics[camera].summary().counts


def condition(node, camera=""):
    """Return what the node says it is doing."""
    return node._condition(camera)


def camera_of(node, name=""):
    """Return a camera of the node."""
    return node._cameras.by_name[name]


def active(node):
    """Return a condition: the node takes frames."""
    return lambda: node._state == "active" and node._cameras is not None


def connected(node, camera, *tasks):
    """Wait until the node is active, hears the camera and is heard."""
    wait_for(active(node), "node active")
    wait_for(lambda: set(camera_of(node).computing()) == set(tasks), f"subscribed: {tasks}")
    wait_for(camera.image.get_subscription_count, "image subscribed")


def call(camera, type_, name, request):
    """Return a service's answer."""
    client = camera.node.create_client(type_, name)
    assert client.wait_for_service(60)
    future = client.call_async(request)
    wait_for(future.done, f"answer of {name}")
    return future.result()


def set_parameter(camera, name, value):
    """Return the result of setting a parameter of the node."""
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    return call(camera, SetParameters, "perception_node/set_parameters", request).results[0]


def waiting(node, camera=""):
    """Return how many images of a camera wait for the network, which has no key to them yet."""
    return 0 if node._cameras is None else len(camera_of(node, camera)._waiting)


def idle(node, camera=""):
    """Return whether the network is done with the newest image."""
    if node._cameras is None:
        return True
    channel = camera_of(node, camera)._channel
    return channel.in_work is None and channel._newest is channel._keyed


def ended(node, number, camera=""):
    """Return a condition: so many images came, all are through, and the network is idle.

    An image that the network failed on is through, too, though it waits for a newer one to be
    given up.
    """

    def all_ended():
        found, held = counts(node, camera), waiting(node, camera)
        through = sum(found.values()) - found["received"] + held
        return idle(node, camera) and through == found["received"] == number

    return all_ended


def send(node, camera, *messages):
    """Send images one after the other, each when the one before is through and has its key."""
    for message in messages:
        number = counts(node)["received"] + 1
        camera.image.publish(message)
        wait_for(ended(node, number), f"image {number} through")


def change_state(camera, *labels):
    """Take the node through transitions over its service."""
    for label in labels:
        request = ChangeState.Request()
        request.transition.label = label
        assert call(camera, ChangeState, "perception_node/change_state", request).success, label
