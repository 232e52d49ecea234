"""A bag through the live node: over real topics, at the recorded pace, outputs recorded."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.datasets.bags import topics
from mtshare_ros.output_checks import check_new_output
from mtshare_ros.progress import OnCount, silent
from mtshare_ros.replay.bag_source import BagSource
from mtshare_ros.replay.clock import BagClock
from mtshare_ros.replay.listener import latencies
from mtshare_ros.replay.live_node import (
    SETTLE,
    LiveNode,
    Percentiles,
    ReplayError,
    live_node,
    refuse_set_here,
)
from mtshare_ros.replay.node_process import ReplayFailedError, Value
from mtshare_ros.replay.recorder import Recorder
from mtshare_ros.ros.statistics import PERCENTILES

DIAGNOSTICS_PERIOD = 0.2
"""Time between two diagnostics of the node, in seconds."""


@dataclass(frozen=True)
class Answers:
    """What a topic gave for the images that were sent.

    Attributes:
        count: Images that were answered.
        latency_ms: ``p50``, ``p95``, ``p99`` from the sending of an image to the answer's arrival.
    """

    count: int
    latency_ms: Percentiles


@dataclass(frozen=True)
class ReplayResult:
    """What became of the frames.

    Attributes:
        path: The bag of the outputs.
        frames_sent: Images published.
        counts: Fate of the images the node received: ``received``, ``processed``, ``dropped``,
            ``rejected``, ``failed`` and ``skipped``, as its diagnostics count them. A sent image
            that was not received was replaced by a newer one before the node took it.
        messages: Topic -> messages recorded, those that were sent included.
        stage_ms: Stage -> ``p50``, ``p95``, ``p99`` of its time, from the node's diagnostics.
        end_to_end_ms: The same from the publication of an image to the arrival of the last of
            its outputs here; empty if no frame came through.
        backend: Name of the engine.
        answers: Topic of outputs -> how many images it answered, and how late; of those that had
            an answer.
        warnings: What of the bag could not be played.
    """

    path: Path
    frames_sent: int
    counts: dict[str, int]
    messages: dict[str, int]
    stage_ms: dict[str, Percentiles]
    end_to_end_ms: Percentiles
    backend: str
    answers: dict[str, Answers] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def replay(
    bundle: Path,
    bag: Path,
    output: Path,
    *,
    topic: str | None = None,
    rate: float = 1.0,
    parameters: Mapping[str, Value] | None = None,
    on_progress: OnCount = silent,
    domain_id: int | None = None,
) -> ReplayResult:
    """Play a bag's images through the node, in a process of its own, and record what it publishes.

    Args:
        bundle: The model bundle.
        bag: Bag with the images of a camera, and camera_info beside them.
        output: The bag to write (MCAP, compressed): a folder, or a single file if the name ends
            in ``.mcap``; must not exist. It has the images as they were sent, and each output as
            it came, at the times of ``BagClock``. Where an output answers an image, the time of
            its publication is when that image was sent.
        topic: Topic of the images; see ``ClipReader``.
        rate: Factor on the recorded pace.
        parameters: Parameters of the node, but for those that a replay sets itself: ``bundle``,
            ``image_transport`` and ``autostart``.
        on_progress: Called with the frames sent and the frames there are.
        domain_id: ROS domain to use; by default one made from the process id.

    Raises:
        ReplayError: The output or a parameter isn't as it must be.
        BagError: The bag can't be read or has no images of a camera.
        ReplayFailedError: The node ended, gave up, wasn't done in time or processed no image, or
            the disk is full.
        JobError: The bag can't be written.
        ParameterError: There is no such parameter, or its value can't be taken.
        BundleError: The bundle can't be used.
    """
    if not (np.isfinite(rate) and rate > 0):
        raise ReplayError(f"rate {rate}; expected a number above 0")
    if output.exists():
        raise ReplayError(f"output {output} exists; expected a new path")
    check_new_output(output)
    refuse_set_here(parameters or {}, "a replay")
    manifest = load_manifest(bundle)
    given = {
        "diagnostics_period": DIAGNOSTICS_PERIOD,
        **(parameters or {}),
        "bundle": str(bundle.resolve()),
        "autostart": True,
    }
    source = BagSource(bag, topic)
    output.parent.mkdir(parents=True, exist_ok=True)
    with Recorder(output.parent) as recorder:
        clock = BagClock(source.start, rate)
        with live_node(manifest, given, recorder, clock, domain_id, source.inputs) as node:
            sent = _play(source, node, rate, on_progress)
            node.wait_until_drained()
            _check_processed(sent, node)
        recorder.write(output)
        return replace(_result(output, sent, node, recorder), warnings=source.warnings)


def _play(source: BagSource, node: LiveNode, rate: float, on_progress: OnCount) -> int:
    """Publish the bag at its pace and return the number of images."""
    if source.first_camera_info is not None:
        # Ahead of the first image: two topics have no order between them.
        node.listener.publish_camera_info(source.first_camera_info)
        time.sleep(SETTLE)
    sent, first, started = 0, 0, 0.0
    for message in source.messages():
        if started == 0.0:
            first, started = message.time, time.perf_counter()
        due = started + (message.time - first) / (1e9 * rate)
        time.sleep(max(0.0, due - time.perf_counter()))
        if message.type == topics.INFO_TYPE:
            node.listener.publish_camera_info(message.data)
            continue
        node.listener.publish_image(message.data, due)
        sent += 1
        on_progress(sent, source.frames)
        node.check()
    return sent


def _check_processed(sent: int, node: LiveNode) -> None:
    """Raise ReplayFailedError if nothing came of any image."""
    counts = {fate: count for fate, count in node.counts().items() if count}
    if counts.get("processed"):
        return
    fates = ", ".join(f"{count} {fate}" for fate, count in counts.items()) or "none received"
    reasons = "; ".join(node.reasons()) or node.process.last_words()
    raise ReplayFailedError(f"of {sent} images none was processed ({fates}): {reasons}")


def _result(path: Path, sent: int, node: LiveNode, recorder: Recorder) -> ReplayResult:
    listener, stages = node.listener, node.stage_times()
    # Here it is the node's clock minus the bag's stamps, which is the age of the bag.
    stages.pop("age", None)
    heard = [arrived for arrived in listener.arrived.values() if arrived]
    complete = [
        1e3 * (max(arrived[key] for arrived in heard) - start)
        for key, start in listener.sent.items()
        if heard and all(key in arrived for arrived in heard)
    ]
    late = {
        topic: latencies(listener.sent, arrived) for topic, arrived in listener.arrived.items()
    }
    return ReplayResult(
        path=path,
        frames_sent=sent,
        counts=node.counts(),
        messages=dict(recorder.counts),
        stage_ms=stages,
        end_to_end_ms=_percentiles(complete) if complete else {},
        backend=listener.diagnostics["backend"],
        answers={
            topic: Answers(len(times), _percentiles(times))
            for topic, times in late.items()
            if times
        },
    )


def _percentiles(times: Sequence[float]) -> Percentiles:
    return {f"p{p}": float(np.percentile(times, p)) for p in PERCENTILES}
