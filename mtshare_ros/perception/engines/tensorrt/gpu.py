"""The GPU through pycuda: its context, memory, and the kernel that exchanges rows.

Importing this needs pycuda. All methods but ``current`` need the GPU's context to be current.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pycuda.driver as cuda
from numpy.typing import DTypeLike, NDArray

from mtshare_ros.perception.engines.interface import EngineError

CudaError = cuda.Error
_THREADS = 128


class Gpu:
    """The first GPU of the machine, with one stream on which everything runs in order.

    Attributes:
        name: Name of the GPU.
        capability: Its compute capability.
        stream: The stream.
    """

    def __init__(self) -> None:
        """Find the GPU; its context is not current afterwards.

        Raises:
            EngineError: There is no GPU, or its driver doesn't work.
        """
        try:
            cuda.init()
            device = cuda.Device(0)
            self.name, self.capability = str(device.name()), tuple(device.compute_capability())
            # The primary context is the one that TensorRT uses, too.
            self._context = device.retain_primary_context()
            with self.current():
                self.stream = cuda.Stream()
                ptx = pkgutil.get_data(__package__, "exchange_rows.ptx")
                self._module = cuda.module_from_buffer(ptx or b"")
                self._exchange = self._module.get_function("exchange_rows")
                self._exchange.prepare("PP")
        except cuda.Error as error:
            raise EngineError(f"no GPU that can be used: {error}") from error

    def __del__(self) -> None:
        """Give everything back; pycuda can do so only in the context that it is from."""
        if hasattr(self, "_context"):
            with self.current():
                self.stream = self._exchange = self._module = None

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the GPU's context this thread's, for as long as it lasts."""
        self._context.push()
        try:
            yield
        finally:
            cuda.Context.pop()

    def free_bytes(self) -> int:
        """Return the memory that is free."""
        return int(cuda.mem_get_info()[0])

    def allocate(self, size: int) -> Any:
        """Return ``size`` bytes of the GPU's memory, zeroed in the order of the stream.

        Raises:
            EngineError: There is not enough.
        """
        try:
            allocation = cuda.mem_alloc(max(1, size))
            cuda.memset_d8_async(allocation, 0, max(1, size), self.stream)
        except cuda.Error as error:
            free = self.free_bytes() / 1e6
            raise EngineError(
                f"GPU memory: {size / 1e6:.0f} MB wanted, {free:.0f} MB free: {error}"
            ) from error
        return allocation

    def staging(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """Return page-locked host memory, which the GPU copies without the CPU's help."""
        array: NDArray[Any] = cuda.pagelocked_empty(tuple(shape), np.dtype(dtype))
        return array

    def upload(self, target: Any, source: NDArray[Any]) -> None:
        """Copy page-locked memory to the GPU, in the order of the stream."""
        cuda.memcpy_htod_async(target, source, self.stream)

    def download(self, target: NDArray[Any], source: Any) -> None:
        """Copy the GPU's memory to page-locked memory; it is complete after ``wait``."""
        cuda.memcpy_dtoh_async(target, source, self.stream)

    def exchange_rows(self, table: Any, index: Any, rows: int, caches: int) -> None:
        """Exchange computed rows with those of their caches; see ``exchange_rows.cu``."""
        self._exchange.prepared_async_call(
            (rows, caches), (_THREADS, 1, 1), self.stream, int(table), int(index)
        )

    def event(self) -> Any:
        """Return a mark in the stream that knows the time."""
        return cuda.Event()

    def wait(self) -> None:
        """Wait until everything on the stream is done."""
        self.stream.synchronize()
