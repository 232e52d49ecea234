"""The GPU through pycuda: memory that is zeroed and counted, and errors in words."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

from mtshare_ros.perception.engines.interface import EngineError
from support.standins.device import Device


@pytest.fixture
def gpu(device: Device) -> Any:
    """What stands in for a GPU."""
    from mtshare_ros.perception.engines.tensorrt.gpu import Gpu

    return Gpu()


def test_memory_is_zeroed_in_the_order_of_the_stream(device: Device, gpu: Any) -> None:
    with gpu.current():
        memory, empty = gpu.allocate(16), gpu.allocate(0)
        content = device.allocations[int(memory)]
        assert content.all(), "what others left, until the stream is waited for"
        gpu.wait()
        assert content.tolist() == [0] * 16
        assert len(device.allocations[int(empty)]) == 1
    assert not device.stack()


def test_what_is_free_and_what_was_wanted_are_said_in_megabytes(device: Device, gpu: Any) -> None:
    device.faults.memory = 5_000_000
    with gpu.current():
        memory = gpu.allocate(3_000_000)
        assert gpu.free_bytes() == 2_000_000
        with pytest.raises(EngineError, match="^GPU memory: 4 MB wanted, 2 MB free: "):
            gpu.allocate(4_000_000)
        del memory


def test_a_machine_without_a_gpu_is_told_so_and_nothing_is_given_back(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtshare_ros.perception.engines.tensorrt.gpu import Gpu

    lost: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lost.append)
    device.count = 0
    with pytest.raises(EngineError, match="^no GPU that can be used: cuInit failed"):
        Gpu()
    gc.collect()
    assert lost == [] and not device.stack()
