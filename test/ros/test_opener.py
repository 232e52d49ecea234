"""Opening an engine in the background, on what stands in for TensorRT."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtshare_ros.ros import opener as module
from mtshare_ros.ros.opener import Opener, bundle_folder
from mtshare_ros.ros.package_files import package_path
from support.standins import fake_builder
from support.standins.device import Device
from support.standins.installed import installed


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with installed() as device:
        yield device


def test_opening_tells_how_far_it_is_and_ends_when_nobody_waits(
    device: Device, bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()
    work = fake_builder._pretend_to_work

    def slowly(monitor: object) -> bool:
        reached.set()
        go_on.wait(60)
        return work(monitor)

    monkeypatch.setattr(fake_builder, "_pretend_to_work", slowly)
    opener = Opener(bundle_path, "tensorrt", 1, "fp32", on_finished=lambda: None)
    assert reached.wait(60)
    assert opener.progress == "compiling engine stem for this GPU: 0 %" and not opener.finished
    opener.abandon(0.0)
    go_on.set()
    deadline = time.monotonic() + 60
    while not opener.abandon(0.1) and time.monotonic() < deadline:
        pass
    assert opener.abandon(0.0) and device.log.count("build base") == 0


def test_an_engine_or_a_reason_is_there_when_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[object, str | None]] = []

    def finish() -> None:
        ready.wait(60)
        told.append((opener.engine, opener.error))
        assert opener.finished

    def refuse(*_: object) -> None:
        raise ValueError("a graph\nthat is odd")

    for open_engine, expected in (
        (lambda *arguments: arguments[:4], ((Path("b"), "auto", 3, "fp32"), None)),
        (refuse, (None, "bundle b not opened: a graph that is odd")),
    ):
        ready = threading.Event()
        monkeypatch.setattr(module, "open_engine", open_engine)
        opener = Opener(Path("b"), "auto", 3, "fp32", on_finished=finish)
        ready.set()
        opener._thread.join(60)
        assert told.pop() == expected and not told
        assert opener.abandon(0.0) and opener.engine is None, "nobody keeps its memory"


def test_an_engine_that_nobody_waits_for_any_more_is_not_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on, told = threading.Event(), []

    def slowly(*_: object) -> str:
        assert go_on.wait(60)
        return "engine"

    monkeypatch.setattr(module, "open_engine", slowly)
    opener = Opener(Path("b"), "auto", 1, "fp32", on_finished=lambda: told.append(1))
    assert not opener.abandon(0.0)
    go_on.set()
    assert opener.abandon(60.0) and opener.engine is None and not told and not opener.finished


def test_the_folder_is_the_package_s_own_or_the_one_that_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/robot")
    assert bundle_folder("") == package_path("models/room")
    assert bundle_folder("~/models/x") == Path("/home/robot/models/x")
    assert bundle_folder("models/x") == Path("models/x")
