"""Opening an engine in the background, on what stands in for TensorRT."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtshare_ros.ros.opener import Opener
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
