"""The live node at camera rate for a long time: its memory, its latency and its counts."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.recorded_file import Message
from mtshare_ros.progress import silent
from mtshare_ros.replay.bag_source import BagSource
from mtshare_ros.replay.listener import Key
from mtshare_ros.replay.live_node import LiveNode, live_node, refuse_set_here
from mtshare_ros.replay.node_process import Value
from mtshare_ros.replay.recorder import Tally
from mtshare_ros.ros.images import decode, encode
from mtshare_ros.ros.process_usage import cpu_seconds, resident_mib

RATE = 30.0
"""Images per second."""
WARM_UP = 300.0
"""Seconds after which memory must not grow; of a shorter run, its first quarter."""
MAX_GROWTH = 0.02
"""Relative growth of memory that is no fault yet."""
MAX_P99_RATIO = 1.25
"""Growth of the p99 latency, as a factor, that is no fault yet."""
_LONGEST_CLIP = 150
"""Images of the bag that are played."""
_STAMP = struct.Struct("<iI")


@dataclass(frozen=True)
class Sample:
    """The node at one moment: seconds since the start, resident MiB, p99 latency in ms."""

    seconds: float
    resident_mib: float
    latency_ms_p99: float


@dataclass(frozen=True)
class SoakResult:
    """What was seen in a run.

    Attributes:
        seconds: Length of the run.
        sent: Images published.
        counts: Fates of the images that the node received.
        overtaken: Images sent that a newer one replaced before the node took them.
        uncounted: Received images without a fate; 0 in a node that can be trusted.
        outputs: Topic -> messages that arrived.
        lost_outputs: Topic -> processed frames whose output didn't arrive.
        answered: Topic -> part of the images, from the first one on that it answered, that it
            answered.
        unknown_stamps: Outputs with a stamp that was never sent; 0 in a node that can be trusted.
        disordered: Outputs that came after one of a newer image; 0 in a node that can be trusted.
        keys: Results of the network.
        coverage: Part of the pixels that was known, in the mean of the last images.
        memory_growth: Relative growth of resident memory from the end of warming up to the end.
        p99_ratio: p99 latency of the last third after warming up by that of the first.
        cpu_ms: Computing time of the node's process per processed frame.
        stage_ms: Stage -> ``p50``, ``p95``, ``p99`` of its time over the last frames.
        samples: The node over time.
    """

    seconds: float
    sent: int
    counts: dict[str, int]
    overtaken: int
    uncounted: int
    outputs: dict[str, int]
    lost_outputs: dict[str, int]
    answered: dict[str, float]
    unknown_stamps: int
    disordered: int
    keys: int
    coverage: float
    memory_growth: float
    p99_ratio: float
    cpu_ms: float
    stage_ms: dict[str, dict[str, float]]
    samples: list[Sample]

    def faults(self) -> list[str]:
        """Return what a node that can be trusted would not show, in words."""
        checks = {
            f"{self.uncounted} received images were never accounted for": self.uncounted != 0,
            f"{self.unknown_stamps} outputs have stamps of no input": self.unknown_stamps > 0,
            f"{self.disordered} outputs came after one of a newer image": self.disordered > 0,
            f"memory grew by {self.memory_growth:.1%}": self.memory_growth > MAX_GROWTH,
            f"p99 latency grew by a factor of {self.p99_ratio:.2f}": self.p99_ratio
            > MAX_P99_RATIO,
        }
        return [fault for fault, is_there in checks.items() if is_there]


def soak(
    bundle: Path,
    bag: Path,
    seconds: float,
    *,
    size: tuple[int, int] | None = None,
    parameters: Mapping[str, Value] | None = None,
    on_sample: Callable[[Sample], object] = silent,
    domain_id: int | None = None,
) -> SoakResult:
    """Send a bag's images to the live node at ``RATE``, to and fro, and watch it.

    Args:
        bundle: The model bundle.
        bag: Bag with images for ``BagSource``.
        seconds: How long.
        size: Width and height to which the images are stretched; by default their own.
        parameters: Parameters of the node.
        on_sample: Called with each sample.
        domain_id: ROS domain to use; by default one made from the process id.

    Raises:
        BagError: The bag can't be read or has no images of a camera.
        ImageError: An image can't be read.
        ReplayError: The node can't start with what it was given.
        ReplayFailedError: The node ended, gave up or wasn't done in time.
        BundleError: The bundle can't be used.
    """
    refuse_set_here(parameters or {}, "a soak")
    manifest = load_manifest(bundle)
    images = _images(BagSource(bag), size)
    given = {**(parameters or {}), "bundle": str(bundle.resolve())}
    tally = Tally()
    with live_node(manifest, given, tally, domain_id=domain_id) as node:
        before = cpu_seconds(node.process.pid)
        samples = _play(images, seconds, node, on_sample)
        node.wait_until_drained()
        cpu = cpu_seconds(node.process.pid) - before
    return _result(seconds, cpu, samples, node, tally)


def _images(source: BagSource, size: tuple[int, int] | None) -> list[bytes]:
    """Return the first serialized images of a bag, stretched to a size."""
    images = (message for message in source.messages() if message.type in topics.IMAGE_TYPES)
    return [_raw(message, size) for message in islice(images, _LONGEST_CLIP)]


def _raw(message: Message, size: tuple[int, int] | None) -> bytes:
    """Return a message as a serialized Image, stretched to a size.

    Raises:
        ImageError: It can't be read.
    """
    compressed = message.type == topics.COMPRESSED_TYPE
    if size is None and not compressed:
        return message.data
    content = deserialize_message(message.data, CompressedImage if compressed else Image)
    picture = decode(content)
    if size is not None:
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR))
    return bytes(serialize_message(encode(picture, "rgb8", content.header)))


def _stamped(images: list[bytes]) -> Iterator[bytes]:
    """Yield the images forwards and backwards, without a cut, with stamps of an endless camera."""
    order = [*range(len(images)), *range(len(images) - 2, 0, -1)]
    start = time.time_ns()
    number = 0
    while True:
        stamp = start + round(number * 1e9 / RATE)
        data = images[order[number % len(order)]]
        # After four bytes of encapsulation comes the header's stamp, in the machine's byte order:
        # little-endian on all machines that are supported.
        yield data[:4] + _STAMP.pack(*divmod(stamp, 1_000_000_000)) + data[12:]
        number += 1


def _play(
    images: list[bytes],
    seconds: float,
    node: LiveNode,
    on_sample: Callable[[Sample], object],
) -> list[Sample]:
    samples: list[Sample] = []
    started = time.monotonic()
    interval = min(10.0, seconds / 24)
    for number, data in enumerate(_stamped(images)):
        now = time.monotonic() - started
        if now >= seconds:
            return samples
        if now >= (len(samples) + 1) * interval:
            node.process.check()
            p99 = float(node.listener.diagnostics.get("latency_ms_p99", "nan"))
            samples.append(Sample(now, resident_mib(node.process.pid), p99))
            on_sample(samples[-1])
        time.sleep(max(0.0, number / RATE - now))
        node.listener.publish_image(data)
    raise AssertionError("the camera never ends")


def _result(
    seconds: float, cpu: float, samples: list[Sample], node: LiveNode, tally: Tally
) -> SoakResult:
    listener, counts = node.listener, node.counts()
    warm = [s for s in samples if s.seconds >= min(WARM_UP, seconds / 4)]
    third = max(1, len(warm) // 3)
    p99 = [s.latency_ms_p99 for s in warm]
    heard = {topic: arrived for topic, arrived in listener.arrived.items() if arrived}
    return SoakResult(
        seconds=seconds,
        sent=len(listener.sent),
        counts=counts,
        overtaken=len(listener.sent) - counts["received"],
        uncounted=node.uncounted(),
        outputs=dict(tally.counts),
        lost_outputs={topic: counts["processed"] - len(a) for topic, a in heard.items()},
        answered={topic: _answered(listener.sent, arrived) for topic, arrived in heard.items()},
        unknown_stamps=sum(len(set(a) - set(listener.sent)) for a in heard.values()),
        disordered=sum(_disordered(arrived) for arrived in heard.values()),
        keys=int(listener.diagnostics.get("keys", 0)),
        coverage=float(listener.diagnostics.get("coverage", "nan")),
        memory_growth=warm[-1].resident_mib / warm[0].resident_mib - 1.0,
        p99_ratio=float(np.median(p99[-third:]) / np.median(p99[:third])),
        cpu_ms=1e3 * cpu / max(1, counts["processed"]),
        stage_ms=node.stage_times(),
        samples=samples,
    )


def _answered(sent: Iterable[Key], arrived: Collection[Key]) -> float:
    """Return the part of the images that was answered, from the first one that was."""
    images = list(sent)
    first = next((number for number, key in enumerate(images) if key in arrived), len(images))
    images = images[first:]
    return sum(key in arrived for key in images) / max(1, len(images))


def _disordered(arrived: Iterable[Key]) -> int:
    """Return how many came after a newer one."""
    keys = list(arrived)
    return sum(later < before for before, later in zip(keys, keys[1:], strict=False))
