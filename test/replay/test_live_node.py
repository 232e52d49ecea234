"""The live node in a process of its own: how it starts, gives up and ends."""

import time

import pytest

from mtshare_ros.errors import exit_status
from mtshare_ros.replay import live_node
from mtshare_ros.replay.listener import Listener
from mtshare_ros.replay.live_node import LiveNode, ReplayError
from mtshare_ros.replay.node_process import NodeProcess, ReplayFailedError
from mtshare_ros.replay.replay_bag import replay
from support.camera_bag import write_bag


def test_a_node_that_cannot_start_is_reported_with_its_cause(tmp_path, bundle_path):
    with pytest.raises(ReplayError, match="tasks has colour; bundle small has"):
        replay(
            bundle_path,
            write_bag(tmp_path / "bag"),
            tmp_path / "out",
            parameters={"tasks": "colour"},
        )


def test_a_node_that_is_not_ready_in_time_is_a_failed_job_and_no_mistake(
    tmp_path, bundle_path, monkeypatch
):
    monkeypatch.setattr(live_node, "READY_TIMEOUT", 0.0)
    monkeypatch.setattr(Listener, "_hear", lambda *_: None)
    with pytest.raises(ReplayFailedError, match="not ready after 0 s") as caught:
        replay(bundle_path, write_bag(tmp_path / "bag"), tmp_path / "out")
    assert exit_status(caught.value) == 1 and not (tmp_path / "out").exists()


def test_a_node_that_gives_up_on_the_way_fails_the_replay(tmp_path, bundle_path, monkeypatch):
    hear, heard = Listener._hear, []

    def gone(self, message):
        hear(self, message)
        if self.sent:
            heard.append(message)
            self.diagnostics["cause"] = "10 frames failed in a row"

    monkeypatch.setattr(Listener, "_hear", gone)
    with pytest.raises(ReplayFailedError, match="the node gave up: 10 frames") as caught:
        replay(bundle_path, write_bag(tmp_path / "bag"), tmp_path / "out")
    assert heard and exit_status(caught.value) == 1


class Heard:
    """A listener that has heard some diagnostics."""

    def __init__(self, **diagnostics):
        """Take them."""
        self.diagnostics = diagnostics
        self.sent = {}
        self.failure = None


COUNTS = {"received": "9", "processed": "4", "unserved": "1", "dropped": "2", "skipped": "1"}


def test_counts_and_times_are_those_of_the_newest_diagnostics():
    times = {"base_ms_p50": "1.5", "base_ms_p95": "2", "base_ms_p99": "3", "age_ms": "7"}
    node = LiveNode(None, Heard(**COUNTS, rejected="0", failed="0", **times))
    assert node.counts() == {
        "received": 9, "processed": 4, "unserved": 1, "skipped": 1, "dropped": 2, "rejected": 0,
        "failed": 0,
    }  # fmt: skip
    assert node.uncounted() == 1
    assert node.stage_times() == {"base": {"p50": 1.5, "p95": 2.0, "p99": 3.0}}


def test_frames_that_stay_in_work_fail_the_replay_after_a_while(monkeypatch):
    monkeypatch.setattr(live_node, "DRAIN_TIMEOUT", 0.05)
    monkeypatch.setattr(NodeProcess, "check", lambda *_: None)
    heard = Heard(**COUNTS, rejected="0", failed="0")
    heard.heard = float("inf")
    with pytest.raises(ReplayFailedError, match="frames still in work 0.05 s after the last of 0"):
        LiveNode(NodeProcess.__new__(NodeProcess), heard).wait_until_drained()


def test_messages_that_can_not_be_kept_fail_the_replay(monkeypatch):
    monkeypatch.setattr(NodeProcess, "check", lambda *_: None)
    heard = Heard()
    heard.failure = "messages can't be kept"
    with pytest.raises(ReplayFailedError, match="can't be kept"):
        LiveNode(NodeProcess.__new__(NodeProcess), heard).check()


class Discovered(Heard):
    """A listener whose endpoints match from some look on."""

    def __init__(self, looks, **diagnostics):
        """Match after ``looks`` looks."""
        super().__init__(**diagnostics)
        self.looks = looks
        self.at = 0

    def matched(self):
        """Return whether it is matched by now."""
        self.at += 1
        return self.at > self.looks


def starting(monkeypatch, listener):
    monkeypatch.setattr(NodeProcess, "check", lambda *_: None)
    monkeypatch.setattr(live_node, "SETTLE", 0.1)
    monkeypatch.setattr(live_node, "READY_TIMEOUT", 0.3)
    return LiveNode(NodeProcess.__new__(NodeProcess), listener)


def test_a_node_is_ready_once_it_hears_and_is_heard_for_a_while(monkeypatch):
    listener = Discovered(3, state="active", computing="depth")
    starting(monkeypatch, listener).wait_until_ready()
    assert listener.at > 5


def test_a_node_that_was_lost_for_a_moment_is_waited_for_anew(monkeypatch):
    class Flapping(Discovered):
        def matched(self):
            self.at += 1
            if self.at == 3:
                self.lost = time.monotonic()
            return self.at != 3

    listener = Flapping(0, state="active", computing="depth")
    starting(monkeypatch, listener).wait_until_ready()
    assert time.monotonic() - listener.lost >= 0.1


@pytest.mark.parametrize(
    ("diagnostics", "says"),
    [
        ({"state": "active"}, "its state is active, it computes nothing"),
        ({"state": "inactive", "computing": "depth"}, "its state is inactive, it computes depth"),
        ({}, "its state is unknown"),
    ],
)
def test_a_node_that_lacks_something_is_not_ready(monkeypatch, diagnostics, says):
    with pytest.raises(ReplayFailedError, match=f"not ready after 0.3 s; {says}"):
        starting(monkeypatch, Discovered(0, **diagnostics)).wait_until_ready()
    with pytest.raises(ReplayFailedError, match="not ready"):
        listener = Discovered(10**9, state="active", computing="depth")
        starting(monkeypatch, listener).wait_until_ready()


def test_the_time_in_which_a_bundle_is_opened_does_not_count(monkeypatch):
    class Opening(Discovered):
        @property
        def diagnostics(self):
            state = "opening" if time.monotonic() < self.until else "active"
            return {"state": state, "computing": "depth"}

        @diagnostics.setter
        def diagnostics(self, _):
            self.until = time.monotonic() + 0.5

    starting(monkeypatch, Opening(0)).wait_until_ready()


def test_frames_are_through_when_later_diagnostics_account_for_all(monkeypatch):
    node = starting(monkeypatch, Heard(**{**COUNTS, "dropped": "3"}, rejected="0", failed="0"))
    monkeypatch.setattr(live_node, "DRAIN_TIMEOUT", 0.2)
    node.listener.heard = time.perf_counter() - 5
    with pytest.raises(ReplayFailedError, match="frames still in work"):
        node.wait_until_drained()  # these diagnostics are from before the last frame
    node.listener.heard = time.perf_counter() + 5
    node.wait_until_drained()
