"""Puts the stand-ins in place of the real modules, for one test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest

import mtshare_ros.perception.engines as engines
from mtshare_ros.perception.engines.tensorrt import cuda_graph
from support.standins import fake_tensorrt, pycuda_driver
from support.standins.device import Device, reset

BACKEND = (
    "gpu",
    "tensorrt_build",
    "tensorrt_engine",
    "tensorrt_opening",
    "tensorrt_stage",
    "tensorrt_state",
)
"""Modules that bind the real names when they are imported."""


@contextmanager
def installed() -> Iterator[Device]:
    """Make this a machine with TensorRT for as long as it lasts; yields its device."""
    with pytest.MonkeyPatch.context() as patch:
        device = reset()
        package = ModuleType("pycuda")
        package.driver = pycuda_driver  # type: ignore[attr-defined]
        patch.setitem(sys.modules, "tensorrt", fake_tensorrt)
        patch.setitem(sys.modules, "pycuda", package)
        patch.setitem(sys.modules, "pycuda.driver", pycuda_driver)
        patch.setattr(fake_tensorrt, "__version__", device.tensorrt)
        patch.setattr(cuda_graph, "driver_library", pycuda_driver.Libcuda)
        _forget_backend()
        try:
            yield device
        finally:
            _forget_backend()


def _forget_backend() -> None:
    for name in BACKEND:
        sys.modules.pop(f"{engines.__name__}.{name}", None)
        if hasattr(engines, name):
            delattr(engines, name)
