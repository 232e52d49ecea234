"""The live node in a process of its own, and its diagnostics while messages are played to it."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import rclpy
from rclpy.context import Context
from rclpy.signals import SignalHandlerOptions

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.errors import UserError
from mtshare_ros.replay.clock import BagClock
from mtshare_ros.replay.listener import Listener
from mtshare_ros.replay.node_process import (
    DEMO_INPUTS,
    Inputs,
    NodeProcess,
    ReplayFailedError,
    Value,
)
from mtshare_ros.replay.recorder import Tally
from mtshare_ros.ros.middleware import environment
from mtshare_ros.ros.statistics import COUNTS, PERCENTILES

READY_TIMEOUT = 60.0
"""Time in which the node must be up, not counting the opening of its bundle, in seconds."""
DRAIN_TIMEOUT = 30.0
"""Time in which the last frames must be through, in seconds."""
SETTLE = 0.5
"""Time for endpoints to be matched on both sides, in seconds."""

Percentiles = dict[str, float]
"""``p50``, ``p95``, ``p99`` -> milliseconds."""


class ReplayError(UserError):
    """A replay can't be done as asked; the message says what was found and what was expected."""


_SET_HERE = ("bundle", "image_transport", "autostart")
"""Parameters that are set by what plays to the node."""


def refuse_set_here(given: Collection[str], who: str) -> None:
    """Refuse parameters of the node that would be replaced, or keep it from starting.

    Raises:
        ReplayError: One was given; it is named.
    """
    for name in _SET_HERE:
        if name in given:
            raise ReplayError(f"parameter {name} can't be given: {who} sets it itself")


class LiveNode:
    """A node that runs in a process of its own, and the listener that plays to it and hears it.

    Attributes:
        process: The node's process.
        listener: Publishes images and hears the outputs.
    """

    def __init__(self, process: NodeProcess, listener: Listener) -> None:
        """Watch a process that was started and a listener on its domain."""
        self.process = process
        self.listener = listener

    def wait_until_ready(self) -> None:
        """Wait until the node is active, its bundle is open, and it hears and is heard.

        Raises:
            ReplayError: The node can't start with what it was given.
            ReplayFailedError: The node ended or is not ready in time.
        """
        deadline = time.monotonic() + READY_TIMEOUT
        ready_since = None
        while ready_since is None or time.monotonic() - ready_since < SETTLE:
            self.process.check()
            news = self.listener.diagnostics
            if "cause" in news:
                raise ReplayError(f"the node could not start: {news['cause']}")
            state, tasks = news.get("state", "unknown"), news.get("computing")
            if state == "opening":
                deadline = time.monotonic() + READY_TIMEOUT
            if time.monotonic() > deadline:
                raise ReplayFailedError(
                    f"the node is not ready after {READY_TIMEOUT:g} s; its state is {state}, "
                    f"it computes {tasks or 'nothing'}"
                )
            if not (state == "active" and tasks and self.listener.matched()):
                ready_since = None
            elif ready_since is None:
                ready_since = time.monotonic()
            time.sleep(0.02)

    def check(self) -> None:
        """Raise ReplayFailedError if the node ended or gave up, or nothing can be recorded."""
        self.process.check()
        if "cause" in self.listener.diagnostics:
            raise ReplayFailedError(f"the node gave up: {self.listener.diagnostics['cause']}")
        if self.listener.failure is not None:
            raise ReplayFailedError(self.listener.failure)

    def wait_until_drained(self) -> None:
        """Wait until diagnostics, later than the last frame, account for every received image.

        Raises:
            ReplayFailedError: The node ended or gave up, or frames are still in work.
        """
        last_frame = time.perf_counter()
        deadline = time.monotonic() + DRAIN_TIMEOUT
        while time.monotonic() < deadline:
            self.check()
            settled = self.listener.heard > last_frame + SETTLE
            if settled and self.uncounted() == 0:
                # The diagnostics may have overtaken the outputs of the last frame.
                time.sleep(SETTLE)
                return
            time.sleep(0.02)
        raise ReplayFailedError(
            f"frames still in work {DRAIN_TIMEOUT:g} s after the last of "
            f"{len(self.listener.sent)}: {self.counts()}"
        )

    def counts(self) -> dict[str, int]:
        """Return the fates of the node's frames, as its newest diagnostics say."""
        return {name: int(self.listener.diagnostics[name]) for name in COUNTS}

    def reasons(self) -> list[str]:
        """Return why frames were rejected or failed, as the node's newest diagnostics say."""
        news = self.listener.diagnostics
        return [news[f"{name}_because"] for name in COUNTS if f"{name}_because" in news]

    def uncounted(self) -> int:
        """Return how many received frames have no other fate yet."""
        counts = self.counts()
        return 2 * counts["received"] - sum(counts.values())

    def stage_times(self) -> dict[str, Percentiles]:
        """Return stage -> percentile -> its time in ms, as the node's newest diagnostics say."""
        news = self.listener.diagnostics
        stages = sorted(key[: -len("_ms_p50")] for key in news if key.endswith("_ms_p50"))
        return {s: {f"p{p}": float(news[f"{s}_ms_p{p}"]) for p in PERCENTILES} for s in stages}


@contextmanager
def local_context(domain_id: int) -> Iterator[Context]:
    """Yield a ROS context that is seen on this machine only.

    It is created with the variables of ``middleware.environment``.
    """
    variables = environment()
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    context = Context()
    try:
        # Signals stay with the caller: Ctrl-C is a KeyboardInterrupt here.
        rclpy.init(
            context=context, domain_id=domain_id, signal_handler_options=SignalHandlerOptions.NO
        )
        yield context
    finally:
        context.try_shutdown()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def live_node(
    manifest: Manifest,
    parameters: Mapping[str, Value],
    taker: Tally,
    clock: BagClock | None = None,
    domain_id: int | None = None,
    inputs: Inputs = DEMO_INPUTS,
) -> Iterator[LiveNode]:
    """Run the node from the moment when it is ready until it has stopped as after Ctrl-C.

    Args:
        manifest: Manifest of the node's bundle.
        parameters: The node's parameters.
        taker: Takes the node's outputs.
        clock: See ``Listener``.
        domain_id: ROS domain to use; by default one made from the process id.
        inputs: Where the node hears the camera.

    Raises:
        ReplayError: The node can't start with what it was given.
        ReplayFailedError: The node ended, is not ready in time or does not stop.
        ParameterError: There is no such parameter, or its value can't be taken.
    """
    domain = 1 + os.getpid() % 100 if domain_id is None else domain_id
    with local_context(domain) as context, NodeProcess(parameters, domain, inputs) as process:
        listener = Listener(context, manifest, taker, clock, inputs)
        try:
            node = LiveNode(process, listener)
            node.wait_until_ready()
            yield node
            process.stop()
        finally:
            listener.close()
