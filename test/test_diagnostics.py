"""Counts, times, levels, and the worker that makes them."""

import logging
import threading
from types import SimpleNamespace

from diagnostic_msgs.msg import DiagnosticStatus

from mtshare_ros.ros import diagnostics
from mtshare_ros.ros.diagnostics import Condition
from mtshare_ros.ros.forward_log import ForwardLog
from mtshare_ros.ros.report import Reporter
from mtshare_ros.ros.statistics import WINDOW, Statistics, Summary
from mtshare_ros.ros.worker import NewestWorker

ACTIVE = Condition("active", "room (/models/room)", "onnxruntime", computing=("depth", "normals"))
NOTHING = dict.fromkeys(("received", "processed", "skipped", "dropped", "rejected", "failed"), 0)


def status(condition=ACTIVE, before=NOTHING, **counts):
    summary = Summary({**NOTHING, **counts}, 9.5, {}, None)
    return diagnostics.status("/front/perception_node", condition, summary, before)


def test_the_level_says_what_is_wrong_now():
    ok, warn, error = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
    expected = [
        (status(), warn, "no images"),
        (status(received=3, processed=3), ok, "9.5 frames per second"),
        (status(received=3, skipped=3), ok, "nobody subscribes"),
        (status(received=3, rejected=2), warn, "2 images could not be read"),
        (status(received=3, rejected=2, failed=1), error, "the engine failed on 1 frames"),
        (status(Condition("opening", "b", "auto")), ok, "opening"),
        (status(Condition("unconfigured", "b", "auto", "no such file")), error, "no such file"),
    ]
    for found, level, message in expected:
        assert (found.level, found.message) == (level, message)


def test_a_fault_of_the_past_does_not_keep_the_level_up():
    before = {**NOTHING, "received": 5, "failed": 5}
    assert status(before=before, received=9, processed=4, failed=5).level == DiagnosticStatus.OK


def test_a_status_names_the_node_and_has_everything_as_text():
    statistics = Statistics()
    for stage in (1.0, 2.0, 3.0):
        statistics.count("received")
        statistics.processed({"base": stage, "ros": 0.5}, dirty_fraction=0.25)
    found = diagnostics.status("/front/n", ACTIVE, statistics.summary(), NOTHING)
    values = {pair.key: pair.value for pair in found.values}
    assert found.name == "front/n: perception" and found.hardware_id == "onnxruntime"
    assert values["computing"] == "depth, normals" and values["processed"] == "3"
    assert values["base_ms_p50"] == "2.000" and values["base_ms_p99"] == "2.980"
    assert values["dirty_fraction_mean"] == "0.2500" and values["state"] == "active"


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


def test_the_worker_skips_to_the_newest_and_counts_the_rest():
    started, release = threading.Event(), threading.Event()
    seen, dropped = [], []

    def process(item):
        seen.append(item)
        started.set()
        release.wait(5)

    worker = NewestWorker(process, lambda: dropped.append(1))
    worker.put("a")
    assert started.wait(5)
    for item in "bcd":
        worker.put(item)
    started.clear()
    release.set()
    assert started.wait(5)
    worker.stop()
    assert seen == ["a", "d"] and len(dropped) == 2


def test_stopping_finishes_the_item_in_work_and_drops_the_waiting_one():
    started, release = threading.Event(), threading.Event()
    done, dropped = [], []

    def process(item):
        started.set()
        release.wait(5)
        done.append(item)

    worker = NewestWorker(process, lambda: dropped.append(1))
    worker.put("a")
    assert started.wait(5)
    worker.put("b")
    threading.Timer(0.05, release.set).start()
    worker.stop()
    assert done == ["a"] and len(dropped) == 1


def test_a_repeated_fault_is_logged_once_per_kind(monkeypatch):
    class Logger:
        def __init__(self):
            self.lines = []

        def warning(self, line):
            self.lines.append(line)

    now = [100.0]
    monkeypatch.setattr("mtshare_ros.ros.report.time.monotonic", lambda: now[0])
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
