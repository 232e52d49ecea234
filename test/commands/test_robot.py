"""`mtshare soak`: what it hands to its job, prints and ends with."""

import importlib
import json
import re
from pathlib import Path

import pytest

from mtshare_ros import cli
from mtshare_ros.commands import robot
from mtshare_ros.commands.demo import DemoResult
from mtshare_ros.errors import JobError
from mtshare_ros.machine.findings import Finding
from mtshare_ros.replay.replay_bag import Answers, ReplayResult
from mtshare_ros.replay.soak import Sample, SoakResult

NOTHING_WRONG = dict(
    seconds=60.0,
    sent=100,
    counts={"received": 98},
    overtaken=2,
    uncounted=0,
    outputs={},
    lost_outputs={},
    answered={"~/depth/image": 0.9951},
    unknown_stamps=0,
    disordered=0,
    keys=40,
    coverage=0.925,
    memory_growth=0.001,
    p99_ratio=1.1,
    cpu_ms=20.0,
    stage_ms={stage: {"p50": 9.0, "p95": 12.5} for stage in ("serve", "latency", "key_age")},
    samples=[Sample(1.0, 100.0, 10.0)],
)


@pytest.fixture
def asked(monkeypatch):
    """What the job was called with; its result is ``asked["result"]``."""
    asked = {"result": SoakResult(**NOTHING_WRONG)}

    def pretend(bundle, bag, seconds, on_sample, **options):
        asked.update(options, bundle=str(bundle), bag=str(bag), seconds=seconds)
        on_sample(Sample(10.0, 120.5, 33.25))
        return asked["result"]

    monkeypatch.setattr(importlib.import_module("mtshare_ros.replay.soak"), "soak", pretend)
    return asked


def test_a_soak_prints_what_it_saw_and_writes_it(asked, capsys, tmp_path):
    output = tmp_path / "new" / "soak.json"
    options = "--minutes 1.5 --size 640x480 --parameter threads=1 --parameter output_size=input"
    assert cli.run(["soak", "--output", str(output), *options.split()]) == 0
    del asked["result"]
    assert asked == {
        "bundle": "models/room",
        "bag": "demo/room.mcap",
        "seconds": 90.0,
        "size": (640, 480),
        "parameters": {"threads": 1, "output_size": "input"},
    }
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "     10 s    120.5 MiB  p99   33.2 ms",
        "100 sent, {'received': 98}, memory +0.10% since warm, "
        "p99 x 1.10, 20.0 ms of CPU per frame",
        "40 keys, 92.5% of the pixels known",
        "~/depth/image answered 99.51% of the images since the first",
        *(f"{stage} p50 9.0 ms, p95 12.5 ms" for stage in ("serve", "latency", "key_age")),
    ]
    assert captured.err == ""
    written = json.loads(output.read_text())
    assert written["faults"] == [] and written["samples"][0]["resident_mib"] == 100.0
    assert set(written) == {*NOTHING_WRONG, "faults"}


def test_faults_are_status_1_and_written(asked, capsys, tmp_path):
    asked["result"] = SoakResult(**{**NOTHING_WRONG, "uncounted": 3})
    assert cli.run(["soak", "--output", str(tmp_path / "soak.json")]) == 1
    fault = "3 received images were never accounted for"
    assert capsys.readouterr().err == f"fault: {fault}\n"
    assert json.loads((tmp_path / "soak.json").read_text())["faults"] == [fault]


def test_a_node_that_ends_is_status_1_and_nothing_is_written(asked, capsys, monkeypatch, tmp_path):
    def failing(*_, **__):
        raise JobError("the node ended")

    monkeypatch.setattr(importlib.import_module("mtshare_ros.replay.soak"), "soak", failing)
    assert cli.run(["soak", "--output", str(tmp_path / "soak.json")]) == 1
    assert capsys.readouterr().err == "error: the node ended\n"
    assert list(tmp_path.iterdir()) == []


def test_a_soak_runs_the_real_node(bundle_path, capsys, tmp_path):
    from support.camera_bag import write_bag

    words = ["--bundle", str(bundle_path), "--bag", str(write_bag(tmp_path / "bag"))]
    output = tmp_path / "soak.json"
    # So short a run may show faults, as a latency that grew: they are written and told alike.
    status = cli.run(["soak", *words, "--minutes", "0.1", "--output", str(output)])
    written = json.loads(output.read_text())
    assert status == (1 if written["faults"] else 0)
    assert written["seconds"] == 6.0 and written["sent"] > 50 and written["uncounted"] == 0
    assert capsys.readouterr().out.count("MiB") == len(written["samples"])


def test_each_command_of_the_room_is_on_the_robots_list():
    commands = {robot.doctor, robot.demo, robot.replay, robot.soak}
    assert commands < set(cli.COMMANDS["Run on a robot"])


def test_the_doctor_says_what_is_missing_and_ends_with_status_1(capsys, monkeypatch):
    asked = []
    found = [Finding("Python", "3.11"), Finding("GPU", "none", ok=False, needed=False)]

    def examine(bundle, train):
        asked.append((bundle, train))
        return found

    monkeypatch.setattr(importlib.import_module("mtshare_ros.machine.doctor"), "examine", examine)
    assert cli.run(["doctor"]) == 0
    assert capsys.readouterr().err == ""
    found += [Finding("torch", "pip", ok=False), Finding("onnx", "pip", ok=False)]
    assert cli.run(["doctor", "some/bundle", "--for", "train"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "missing: torch, onnx\n"
    assert captured.out.count("MISSING") == 2 and captured.out.count("not here") == 1
    assert asked == [(None, False), (Path("some/bundle"), True)]


def test_a_replay_is_handed_its_options_and_tells_what_became_of_the_frames(
    capsys, monkeypatch, tmp_path
):
    asked = {}

    def pretend(bundle, bag, output, on_progress, **options):
        asked.update(options, bundle=str(bundle), bag=str(bag), output=str(output))
        times = {"total": {"p50": 1.234, "p95": 2.5, "p99": 30.0}}
        counts = {"received": 8, "dropped": 3}
        answers = {"/n/depth/image": Answers(5, {"p50": 7.0, "p95": 8.25, "p99": 9.0})}
        lost = ("2 are lost",)
        return ReplayResult(tmp_path, 9, counts, {}, times, {}, "onnxruntime", answers, lost)

    job = importlib.import_module("mtshare_ros.replay.replay_bag")
    monkeypatch.setattr(job, "replay", pretend)
    words = "replay b --bag in --output out --topic /front/image --rate 2 --intrinsics k"
    assert cli.run([*words.split(), "--parameter", "max_age=8"]) == 0
    assert asked == {
        "bundle": "b", "bag": "in", "output": "out", "topic": "/front/image", "rate": 2.0,
        "parameters": {"intrinsics": "k", "max_age": 8},
    }  # fmt: skip
    captured = capsys.readouterr()
    rows = [re.findall(r"[\w.]+", line) for line in captured.out.splitlines()]
    for row in (["sent", "9"], ["received", "8"], ["dropped", "3"]):
        assert row in rows
    assert ["total", "1.23", "2.50", "30.00"] in rows
    assert ["n", "depth", "image", "5", "7.00", "8.25", "9.00"] in rows
    assert captured.out.endswith(f"{tmp_path}\n") and captured.err == "warning: 2 are lost\n"
    # A parameter that is given by name is the node's.
    words = words.removesuffix(" --intrinsics k")
    assert cli.run([*words.split(), "--parameter", "intrinsics=p"]) == 0
    assert asked["parameters"] == {"intrinsics": "p"}


def test_the_demo_names_the_files_that_it_made(capsys, monkeypatch):
    asked = []
    numbers = {
        "frames": 7, "engine": "onnxruntime", "complete": True, "tasks": {}, "baselines": {},
        "latency_ms": {}, "disagreement": {}, "dirty_fraction": {},
    }  # fmt: skip

    def pretend(bundle, bag, output, on_frame):
        asked.append((bundle, bag, output))
        return DemoResult(numbers, (Path("a"), Path("b")))

    job = importlib.import_module("mtshare_ros.commands.demo")
    monkeypatch.setattr(job, "run_demo", pretend)
    assert cli.run(["demo", "--output", "there", "--bag", "clip"]) == 0
    assert asked == [(Path("models/room"), Path("clip"), Path("there"))]
    out = capsys.readouterr().out
    assert " ".join(out.split()).startswith("7 frames, onnxruntime ") and out.endswith("a\nb\n")
