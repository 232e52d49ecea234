"""Puts the stand-ins in place of the real modules, for one test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

import pytest

from mtshare_ros.perception.engines import tensorrt
from mtshare_ros.perception.engines.tensorrt import cuda_graph
from support.standins import fake_tensorrt, pycuda_driver
from support.standins.device import Device, reset

BACKEND = ("build", "engine", "engine_files", "gpu", "opening", "stage", "state")
"""Modules that bind the real names, or those of such a module, when they are imported."""


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
        full = f"{tensorrt.__name__}.{name}"
        if find_spec(full) is None:
            raise ModuleNotFoundError(full, name=full)
        sys.modules.pop(full, None)
        if hasattr(tensorrt, name):
            delattr(tensorrt, name)
