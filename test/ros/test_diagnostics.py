"""Counts, times and levels."""

import logging
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from mtshare_ros.ros import diagnostics
from mtshare_ros.ros.camera_calibration import CalibrationState
from mtshare_ros.ros.diagnostics import Condition, Health, Thresholds
from mtshare_ros.ros.node_log import ForwardLog, Reporter
from mtshare_ros.ros.process_usage import resident_mib
from mtshare_ros.ros.statistics import COUNTS, WINDOW, Statistics, Summary

ACTIVE = Condition("active", "room (/models/room)", "onnxruntime", computing=("depth", "normals"))
NOTHING = dict.fromkeys(COUNTS, 0)


def status(condition=ACTIVE, before=NOTHING, failed_keys=0, reasons=None, **counts):
    summary = Summary(
        {**NOTHING, **counts}, 9.5, {}, None, failed_keys=failed_keys, reasons=reasons or {}
    )
    return diagnostics.status("front/perception_node: perception", condition, summary, before)


def test_the_level_says_what_is_wrong_now():
    ok, warn, error = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
    expected = [
        (status(), warn, "no images"),
        (status(replace(ACTIVE, silence=lambda: "no images: why")), warn, "no images: why"),
        (status(received=3, processed=3), ok, "9.5 of 0.0 images per second"),
        (status(received=3, skipped=3), ok, "nobody subscribes"),
        (status(received=3, rejected=2), warn, "2 images could not be read"),
        (status(received=3, rejected=2, failed=1), error, "1 images could not be served"),
        (
            status(received=3, processed=3, failed_keys=2, reasons={"failed_keys": "lost"}),
            error,
            "the engine failed on 2 frames, the last one: lost",
        ),
        (
            status(received=3, unserved=3),
            warn,
            "3 images came without a key that says anything about them",
        ),
        (status(received=3, unserved=2, processed=1), ok, "9.5 of 0.0 images per second"),
        (status(Condition("opening", "b", "auto")), ok, "opening"),
        (status(Condition("unconfigured", "b", "auto", "no such file")), error, "no such file"),
    ]
    for found, level, message in expected:
        assert (found.level, found.message) == (level, message)


TIMES = {
    "age": 500.0,
    "base": 60.0,
    "image": 2.0,
    "key": 75.0,
    "key_age": 120.0,
    "latency": 150.0,
    "look": 4.0,
    "publish": 3.0,
    "serve": 8.0,
    "wait": 40.0,
}


def slow(
    latency=150.0,
    fps=10.0,
    dirty=0.95,
    cameras=1,
    reset=None,
    resets=0,
    condition=ACTIVE,
    **counts,
):
    """Return the status of a camera of 30 frames per second, by what is wrong with it."""
    times = {**TIMES, "latency": latency}
    summary = Summary(
        {**NOTHING, **counts},
        fps,
        {stage: dict.fromkeys((50, 95, 99), time) for stage, time in times.items()},
        dirty,
        received_fps=30.0,
        resets=resets,
        last_reset=reset,
    )
    condition = replace(condition, cameras=cameras)
    thresholds = Thresholds(warn_dropped=0.5, warn_latency_ms=200.0, error_latency_ms=1000.0)
    return diagnostics.status("n", condition, summary, NOTHING, thresholds)


def test_who_reads_only_the_diagnostics_knows_why_the_frame_rate_fell():
    found = slow(received=30, processed=10, dropped=20)
    assert (found.level, found.message) == (
        DiagnosticStatus.WARN,
        "10.0 of 30.0 images per second, from keys 120 ms old; an image takes 17 ms, most of it "
        "serve (8 ms), a key takes 75 ms, 95% of the tokens are recomputed",
    )
    assert slow(received=30, processed=10, dropped=20, cameras=4).message.endswith(
        "95% of the tokens are recomputed, 4 cameras take turns"
    )
    assert slow(received=30, processed=10, dropped=20, reset="size", resets=9).message.endswith(
        ", the cache was dropped 9 times, last: size"
    )
    # The camera itself is slow: nothing is wrong here, and the message says both rates.
    found = slow(received=30, processed=30)
    rates = "10.0 of 30.0 images per second, from keys 120 ms old"
    assert (found.level, found.message) == (DiagnosticStatus.OK, rates)


@pytest.mark.parametrize(
    ("dropped", "latency", "level"),
    [
        (15, 200.0, DiagnosticStatus.OK),
        (16, 200.0, DiagnosticStatus.WARN),
        (0, 200.1, DiagnosticStatus.WARN),
        (0, 1000.0, DiagnosticStatus.WARN),
        (0, 1000.1, DiagnosticStatus.ERROR),
        (30, 1000.1, DiagnosticStatus.ERROR),
    ],
)
def test_levels_change_at_the_thresholds(dropped, latency, level):
    found = slow(latency, received=30, processed=30 - dropped, dropped=dropped)
    assert found.level == level


def test_what_is_wrong_with_the_node_as_a_whole_comes_first():
    stalled = replace(ACTIVE, stalled=3.2)
    expected = [
        (stalled, DiagnosticStatus.ERROR, "the engine has been at one frame for 3.2 s"),
        (replace(stalled, cause="gone"), DiagnosticStatus.ERROR, "gone"),
        (
            replace(ACTIVE, namesakes=2),
            DiagnosticStatus.WARN,
            "2 other nodes have this name; their outputs mix",
        ),
    ]
    for condition, level, message in expected:
        found = status(condition, received=3, processed=3)
        assert (found.level, found.message) == (level, message)


def test_memory_share_and_resets_are_told():
    condition = replace(ACTIVE, private_share={"depth": 0.17}, memory_mib=123.45)
    summary = Summary(NOTHING, 0.0, {}, None, resets=2, last_reset="clock")
    found = diagnostics.status("n", condition, summary, NOTHING)
    values = {pair.key: pair.value for pair in found.values}
    assert values["private_share"] == "depth 0.170" and values["memory_mib"] == "123.5"
    assert (values["resets"], values["last_reset"]) == ("2", "clock")


def test_resident_memory_is_that_of_linux():
    assert 1.0 < resident_mib() < 2**20
    grown = np.ones(16 << 20, np.uint8)
    assert resident_mib() > 16 and len(grown) == 16 << 20


def test_a_fault_of_the_past_does_not_keep_the_level_up():
    before = {**NOTHING, "received": 5, "failed": 5}
    assert status(before=before, received=9, processed=4, failed=5).level == DiagnosticStatus.OK


def test_a_status_names_the_node_and_has_everything_as_text():
    statistics = Statistics()
    for stage in (1.0, 2.0, 3.0):
        statistics.count("received")
        statistics.processed({"serve": 7.0}, coverage=0.75)
        statistics.key({"base": stage}, 0.25, None)
    statistics.count("unserved")
    statistics.failed_key("lost")
    found = diagnostics.status(
        diagnostics.status_name("/front/n"), ACTIVE, statistics.summary(), NOTHING
    )
    values = {pair.key: pair.value for pair in found.values}
    assert found.name == "front/n: perception" and found.hardware_id == "onnxruntime"
    assert values["computing"] == "depth, normals" and values["processed"] == "3"
    assert values["base_ms_p50"] == "2.000" and values["base_ms_p99"] == "2.980"
    assert values["dirty_fraction_mean"] == "0.2500" and values["state"] == "active"
    assert values["coverage"] == "0.7500" and values["serve_ms_p50"] == "7.000"
    assert (values["keys"], values["failed_keys"], values["unserved"]) == ("3", "1", "1")
    assert values["failed_keys_because"] == "lost" and float(values["key_fps"]) > 0


def test_percentiles_are_those_of_the_last_frames():
    statistics = Statistics()
    for value in [100.0] * 50 + [1.0] * WINDOW:
        statistics.processed({"base": value}, 1.0)
    summary = statistics.summary()
    assert summary.counts["processed"] == WINDOW + 50
    assert summary.milliseconds["base"] == {50: 1.0, 95: 1.0, 99: 1.0}


def test_the_times_of_a_task_that_is_no_longer_computed_go_with_its_frames():
    statistics = Statistics()
    for _ in range(2):
        statistics.processed({"base": 1.0, "depth": 5.0}, 1.0)
    for _ in range(WINDOW - 1):
        statistics.processed({"base": 1.0}, 1.0)
    assert statistics.summary().milliseconds["depth"][50] == 5.0, "one frame is left"
    statistics.processed({"base": 1.0}, 1.0)
    assert set(statistics.summary().milliseconds) == {"base"}


def test_the_frame_rate_is_that_since_the_last_summary():
    statistics = Statistics()
    statistics.processed({}, 1.0)
    assert statistics.summary().fps > 0
    assert statistics.summary().fps == 0


def test_a_repeated_fault_is_logged_once_per_kind(monkeypatch):
    class Logger:
        def __init__(self):
            self.lines = []

        def warning(self, line):
            self.lines.append(line)

    now = [100.0]
    monkeypatch.setattr("mtshare_ros.ros.node_log.time.monotonic", lambda: now[0])
    logger = Logger()
    report = Reporter(logger)
    report("step", "a")
    now[0] = 100.9
    report("step", "b")
    report("size", "c")
    now[0] = 101.1
    report("step", "d")
    assert logger.lines == ["a", "c", "d"]


def test_while_engines_are_compiled_the_status_says_how_far() -> None:
    text = "compiling engine base for this GPU: 40 %, about 3 min left"
    condition = Condition("opening", "room", "auto", progress=text)
    found = diagnostics.status("/camera", condition, Statistics().summary(), {})
    assert found.level == DiagnosticStatus.OK and found.message == text
    assert {v.key: v.value for v in found.values}["progress"] == text


def test_what_the_package_logs_reaches_the_node_s_log_while_it_lives() -> None:
    seen: list[tuple[str, str]] = []
    levels = ("info", "warning", "error")
    logger = SimpleNamespace(**{n: lambda text, n=n: seen.append((n, text)) for n in levels})
    forward = ForwardLog(logger)
    forward.start()
    source = logging.getLogger("mtshare_ros.perception.engines")
    source.info("backend %s: why", "onnxruntime")
    source.warning("hm")
    forward.stop()
    source.warning("too late")
    assert seen == [("info", "backend onnxruntime: why"), ("warning", "hm")]


def test_a_doubt_about_the_calibration_or_the_pictures_is_a_warning_beside_the_rate():
    unused = CalibrationState("of 1x1", "camera_info is not used: of 1x1")
    calm = replace(ACTIVE, calibration=unused, damage="damage is not noticed")
    found = status(calm, received=3, processed=3)
    assert found.level == DiagnosticStatus.WARN
    assert found.message == (
        "9.5 of 0.0 images per second; camera_info is not used: of 1x1; damage is not noticed"
    )
    values = {entry.key: entry.value for entry in found.values}
    assert values["camera_info"] == "of 1x1" and values["damage"] == "damage is not noticed"
    late = slow(latency=1500.0, received=30, processed=10, condition=calm)
    assert late.level == DiagnosticStatus.ERROR and "not used" in late.message
    good = replace(ACTIVE, calibration=CalibrationState("fx 256.0 (P)"))
    found = status(good, received=3, processed=3)
    assert found.level == DiagnosticStatus.OK
    assert {entry.key: entry.value for entry in found.values}["camera_info"] == "fx 256.0 (P)"


def test_counts_of_another_configuration_say_nothing_about_this_one(context):
    node = Node("health_test", context=context)
    health, sent = Health(node), []
    health._publisher = SimpleNamespace(publish=sent.append)
    values = {"warn_dropped": 0.5, "warn_latency_ms": 200.0, "error_latency_ms": 1000.0}
    before, now = Statistics(), Statistics()
    for statistics in (before, now):
        for fate in ("received", "failed"):
            statistics.count(fate)
    for statistics in (before, before, now, now):
        health.publish({"": statistics}, lambda camera: ACTIVE, values)
    node.destroy_node()
    error, warn = DiagnosticStatus.ERROR, DiagnosticStatus.WARN
    assert [message.status[0].level for message in sent] == [error, warn, error, warn]
    assert sent[0].status[0].name == "health_test: perception"


def test_each_camera_is_measured_by_its_own_counts(context):
    node = Node("health_test", context=context)
    health, sent = Health(node), []
    health._publisher = SimpleNamespace(publish=sent.append)
    values = {"warn_dropped": 0.5, "warn_latency_ms": 200.0, "error_latency_ms": 1000.0}
    left, right = Statistics(), Statistics()
    right.count("received")
    right.count("rejected")
    asked = []
    health.publish({"left": left, "right": right}, lambda c: asked.append(c) or ACTIVE, values)
    left.count("received")
    left.count("failed")
    health.publish({"left": left, "right": right}, lambda c: ACTIVE, values)
    node.destroy_node()
    levels = [[status.level for status in message.status] for message in sent]
    error, warn = DiagnosticStatus.ERROR, DiagnosticStatus.WARN
    assert levels == [[warn, warn], [error, warn]] and asked == ["left", "right"]
    assert [s.name for s in sent[0].status] == [
        "health_test: perception left", "health_test: perception right"
    ]  # fmt: skip
    assert "could not be read" in sent[0].status[1].message
    assert sent[1].status[1].message == "no images"
