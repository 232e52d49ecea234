"""A bag through the live node: over real topics, at the recorded pace, outputs recorded."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.replay.bag_source import BagSource, ReplayError
from mtshare_ros.replay.listener import Listener
from mtshare_ros.replay.local_context import local_context
from mtshare_ros.replay.node_process import (
    NodeProcess,
    ReplayFailedError,
    Value,
    bundle_parameter,
)
from mtshare_ros.replay.recorder import Recorder
from mtshare_ros.ros.statistics import COUNTS, PERCENTILES

READY_TIMEOUT = 60.0
"""Time in which the node must be up, not counting the opening of its bundle, in seconds."""
DRAIN_TIMEOUT = 30.0
"""Time in which the last frames must be through, in seconds."""
SETTLE = 0.5
"""Time for endpoints to be matched on both sides, in seconds."""
DIAGNOSTICS_PERIOD = 0.2
_SET_HERE = ("bundle", "image_transport", "autostart")
"""Parameters that a replay sets itself."""

Percentiles = dict[str, float]


@dataclass(frozen=True)
class ReplayResult:
    """What became of the frames.

    Attributes:
        path: The bag of the outputs.
        frames_sent: Images published.
        counts: Fate of the images the node received: ``received``, ``processed``, ``dropped``,
            ``rejected``, ``failed`` and ``skipped``, as its diagnostics count them. A sent image
            that wasn't received was overtaken by a newer one before the node took it.
        messages: Topic -> messages recorded.
        stage_ms: Stage -> ``p50``, ``p95``, ``p99`` of its time, from the node's diagnostics.
        end_to_end_ms: The same from the publication of an image to the arrival of the last of
            its outputs here; empty if no frame came through.
        backend: Name of the engine.
    """

    path: Path
    frames_sent: int
    counts: dict[str, int]
    messages: dict[str, int]
    stage_ms: dict[str, Percentiles]
    end_to_end_ms: Percentiles
    backend: str


def replay(
    bundle: Path,
    bag: Path,
    output: Path,
    *,
    rate: float = 1.0,
    parameters: Mapping[str, Value] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    domain_id: int | None = None,
) -> ReplayResult:
    """Play a bag's images through the node, in a process of its own, and record what it publishes.

    Args:
        bundle: The model bundle.
        bag: Bag with ``camera/image`` or ``camera/image/compressed``, and ``camera/camera_info``.
        output: Folder of the bag to write (MCAP, compressed); must not exist. Its messages have
            the stamps of the frames they belong to.
        rate: Factor on the recorded pace.
        parameters: Parameters of the node, but for those that a replay sets itself: ``bundle``,
            ``image_transport`` and ``autostart``.
        on_progress: Called with the frames sent and the frames there are.
        domain_id: ROS domain to use; by default one made from the process id.

    Raises:
        ReplayError: The bag, the output or a parameter isn't as it must be.
        ReplayFailedError: The node ended, gave up or wasn't done in time, or the disk is full.
        JobError: The bag can't be written.
        ParameterError: There is no such parameter, or its value can't be taken.
        BundleError: The bundle can't be used.
    """
    if not (np.isfinite(rate) and rate > 0):
        raise ReplayError(f"rate {rate}; expected a number above 0")
    if output.exists():
        raise ReplayError(f"output {output} exists; expected a new path")
    for name in _SET_HERE:
        if name in (parameters or {}):
            raise ReplayError(f"parameter {name} can't be given: a replay sets it itself")
    manifest = load_manifest(bundle)
    given = {
        "diagnostics_period": DIAGNOSTICS_PERIOD,
        **(parameters or {}),
        "bundle": bundle_parameter(bundle),
        "image_transport": "raw",
        "autostart": True,
    }
    domain = 1 + os.getpid() % 100 if domain_id is None else domain_id
    output.parent.mkdir(parents=True, exist_ok=True)
    with (
        BagSource(bag) as source,
        Recorder(output.parent) as recorder,
        local_context(domain) as context,
        NodeProcess(given, domain) as node,
    ):
        listener = Listener(context, manifest, recorder, source.start)
        try:
            wait_until_ready(listener, node)
            sent = _play(source, listener, node, rate, on_progress)
            wait_until_drained(listener, node, sent)
            node.stop()
        finally:
            listener.close()
        recorder.write(output)
        return _result(output, sent, listener, recorder)


def wait_until_ready(listener: Listener, node: NodeProcess) -> None:
    """Wait until the node is active, its bundle is open, and it hears and is heard."""
    deadline = time.monotonic() + READY_TIMEOUT
    ready_since = None
    while ready_since is None or time.monotonic() - ready_since < SETTLE:
        node.check()
        said = listener.diagnostics
        if "cause" in said:
            raise ReplayError(f"the node could not start: {said['cause']}")
        if said.get("state") == "opening":
            deadline = time.monotonic() + READY_TIMEOUT
        if time.monotonic() > deadline:
            raise ReplayFailedError(
                f"the node is not ready after {READY_TIMEOUT:g} s; its state is "
                f"{said.get('state', 'unknown')}, it computes {said.get('computing') or 'nothing'}"
            )
        ready = said.get("state") == "active" and said.get("computing") and listener.matched()
        if not ready:
            ready_since = None
        elif ready_since is None:
            ready_since = time.monotonic()
        time.sleep(0.02)


def _check(listener: Listener, node: NodeProcess) -> None:
    """Raise ReplayFailedError if the node ended or gave up, or nothing can be recorded."""
    node.check()
    if "cause" in listener.diagnostics:
        raise ReplayFailedError(f"the node gave up: {listener.diagnostics['cause']}")
    if listener.failure is not None:
        raise ReplayFailedError(listener.failure)


def _play(
    source: BagSource,
    listener: Listener,
    node: NodeProcess,
    rate: float,
    on_progress: Callable[[int, int], None] | None,
) -> int:
    """Publish the bag at its pace and return the number of images."""
    info = source.first_camera_info()
    if info is not None:
        # Ahead of the first image: two topics have no order between them.
        listener.publish_camera_info(info)
        time.sleep(SETTLE)
    sent, first, started = 0, 0, 0.0
    for message in source.messages():
        if started == 0.0:
            first, started = message.time, time.perf_counter()
        due = started + (message.time - first) / (1e9 * rate)
        time.sleep(max(0.0, due - time.perf_counter()))
        if not message.is_image:
            listener.publish_camera_info(message.data)
            continue
        listener.publish_image(message.data)
        sent += 1
        if on_progress is not None:
            on_progress(sent, source.frames)
        _check(listener, node)
    return sent


def wait_until_drained(listener: Listener, node: NodeProcess, sent: int) -> None:
    """Wait until diagnostics, later than the last frame, account for every received image."""
    last_frame = time.perf_counter()
    deadline = time.monotonic() + DRAIN_TIMEOUT
    while time.monotonic() < deadline:
        _check(listener, node)
        counts = node_counts(listener)
        ended = sum(counts.values()) - counts["received"]
        settled = listener.heard > last_frame + SETTLE
        if settled and ended == counts["received"]:
            # Outputs of the last frame that diagnostics have overtaken.
            time.sleep(SETTLE)
            return
        time.sleep(0.02)
    raise ReplayFailedError(
        f"frames still in work {DRAIN_TIMEOUT:g} s after the last of {sent}: "
        f"{node_counts(listener)}"
    )


def node_counts(listener: Listener) -> dict[str, int]:
    """Return the fates of the node's frames, as its newest diagnostics say."""
    return {name: int(listener.diagnostics[name]) for name in COUNTS}


def stage_times(listener: Listener) -> dict[str, Percentiles]:
    """Return stage -> percentile -> its time in ms, as the node's newest diagnostics say."""
    said = listener.diagnostics
    stages = sorted(key[: -len("_ms_p50")] for key in said if key.endswith("_ms_p50"))
    return {s: {f"p{p}": float(said[f"{s}_ms_p{p}"]) for p in PERCENTILES} for s in stages}


def _result(path: Path, sent: int, listener: Listener, recorder: Recorder) -> ReplayResult:
    stages = stage_times(listener)
    # The node's clock less the bag's stamps: the age of the bag.
    stages.pop("age", None)
    heard = [arrived for arrived in listener.arrived.values() if arrived]
    complete = [
        1e3 * (max(arrived[stamp] for arrived in heard) - start)
        for stamp, start in listener.sent.items()
        if heard and all(stamp in arrived for arrived in heard)
    ]
    return ReplayResult(
        path=path,
        frames_sent=sent,
        counts=node_counts(listener),
        messages=dict(recorder.counts),
        stage_ms=stages,
        end_to_end_ms={f"p{p}": float(np.percentile(complete, p)) for p in PERCENTILES}
        if complete
        else {},
        backend=listener.diagnostics["backend"],
    )
