"""Recorded launches (CUDA graphs) through the CUDA driver: pycuda has no functions for them.

A recorded launch replays the kernels of an engine with one call; for small networks the calls
would take longer than the kernels.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

_THREAD_LOCAL = 1
"""CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may go on allocating."""


class CaptureError(RuntimeError):
    """A launch could not be recorded; it can still be made call by call."""


def driver_library() -> Any:
    """Return the CUDA driver's library.

    Raises:
        CaptureError: There is none.
    """
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise CaptureError(f"no CUDA driver: {error}") from error


class RecordedLaunch:
    """What was launched on a stream, to be launched again."""

    def __init__(self, driver: Any, stream: int, launch: Callable[[], None]) -> None:
        """Record what ``launch`` puts on a stream; nothing of it runs now.

        Args:
            driver: What ``driver_library`` returned.
            stream: Handle of the stream.
            launch: Puts work on the stream, and neither allocates nor waits.

        Raises:
            CaptureError: It can't be recorded. The stream can be used as before.
        """
        self._driver, self._stream = driver, ctypes.c_void_p(stream)
        self._graph, self._executable = ctypes.c_void_p(), ctypes.c_void_p()
        self._check("cuStreamBeginCapture_v2", self._stream, ctypes.c_int(_THREAD_LOCAL))
        failure: Exception | None = None
        try:
            launch()
        except Exception as error:  # capture has to be ended whatever the launch raised
            failure = error
        status = driver.cuStreamEndCapture(self._stream, ctypes.byref(self._graph))
        if failure is not None or status:
            self.close()
            raise CaptureError(f"cuStreamEndCapture: error {status}: {failure or ''}")
        self._check(
            "cuGraphInstantiateWithFlags",
            ctypes.byref(self._executable),
            self._graph,
            ctypes.c_ulonglong(0),
        )

    def launch(self) -> None:
        """Put the recorded work on the stream.

        Raises:
            CaptureError: The driver refuses.
        """
        self._check("cuGraphLaunch", self._executable, self._stream)

    def close(self) -> None:
        """Give the recording's memory back."""
        if self._executable:
            self._driver.cuGraphExecDestroy(self._executable)
        if self._graph:
            self._driver.cuGraphDestroy(self._graph)
        self._graph, self._executable = ctypes.c_void_p(), ctypes.c_void_p()

    def _check(self, function: str, *arguments: Any) -> None:
        status = getattr(self._driver, function)(*arguments)
        if status:
            raise CaptureError(f"{function}: error {status} of the CUDA driver")
