"""Stands in for ``pycuda.driver`` and for the few functions of libcuda."""

from __future__ import annotations

import builtins
import re
import struct
import time

import numpy as np

from support.standins.device import DEVICE, Fault
from support.standins.device import Stream as _Queue


class Error(Exception):
    """pycuda's base of errors."""


class LogicError(Error):
    """A call that makes no sense."""


class MemoryError(Error):  # noqa: A001 - pycuda's name
    """Not enough memory."""


class RuntimeError(Error):  # noqa: A001 - pycuda's name
    """Anything else."""


def _context(what: str) -> None:
    try:
        DEVICE.need_context(what)
    except Fault as fault:
        raise LogicError(str(fault)) from fault


def init(flags=0):
    if not DEVICE.count:
        raise RuntimeError("cuInit failed: no CUDA-capable device is detected")


class Context:
    def push(self):
        DEVICE.stack().append(self)

    @staticmethod
    def pop():
        if not DEVICE.stack():
            raise LogicError("cannot pop: no context on this thread")
        DEVICE.stack().pop()


class Device:
    def __init__(self, number):
        if number >= DEVICE.count:
            raise LogicError("invalid device ordinal")

    def name(self):
        return DEVICE.name

    def compute_capability(self):
        return DEVICE.capability

    def retain_primary_context(self):
        return Context()


class Stream:
    def __init__(self, flags=0):
        _context("cuStreamCreate")
        self._queue = _Queue(DEVICE)

    @property
    def handle(self):
        return self._queue.handle

    def synchronize(self):
        _context("cuStreamSynchronize")
        try:
            self._queue.run()
        except Fault as fault:
            raise LogicError(str(fault)) from fault


def _queue(stream):
    if stream is None:
        raise AssertionError("the default stream waits for all others: use a stream")
    return stream._queue


class Event:
    def __init__(self, flags=0):
        _context("cuEventCreate")
        self._time = None

    def record(self, stream=None):
        _context("cuEventRecord")

        def happen():
            self._time = time.perf_counter()

        self._time = None
        _queue(stream).put(happen)

    def time_till(self, event):
        _context("cuEventElapsedTime")
        if self._time is None or event._time is None:
            raise LogicError("cuEventElapsedTime failed: device not ready")
        return (event._time - self._time) * 1e3


class DeviceAllocation:
    def __init__(self, size):
        self._address = DEVICE.allocate(size)

    def __int__(self):
        return self._address

    def __del__(self):
        if not DEVICE.stack():
            # pycuda can't free in a thread that has no context: the memory stays lost.
            DEVICE.leaks += 1
        elif hasattr(self, "_address"):
            DEVICE.allocations.pop(self._address, None)


def mem_alloc(bytes):  # noqa: A002 - pycuda's name
    _context("cuMemAlloc")
    try:
        return DeviceAllocation(bytes)
    except builtins.MemoryError as error:
        raise MemoryError(f"cuMemAlloc failed: out of memory: {error}") from error


def mem_get_info():
    _context("cuMemGetInfo")
    used = sum(a.nbytes for a in DEVICE.allocations.values())
    return DEVICE.faults.memory - used, DEVICE.faults.memory


def pagelocked_empty(shape, dtype, order="C", mem_flags=0):
    _context("cuMemHostAlloc")
    array = np.empty(shape, dtype)
    array.reshape(-1).view(np.uint8)[:] = 0x5A
    DEVICE.pagelocked.append(array)
    return array


def _locked(array):
    if not DEVICE.is_pagelocked(array):
        raise AssertionError("an asynchronous copy of memory that is not page-locked")
    return array.reshape(-1).view(np.uint8)


def memset_d8_async(dest, data, size, stream=None):
    _context("cuMemsetD8Async")
    address = int(dest)

    def work():
        DEVICE.bytes_at(address, size)[:] = data

    _queue(stream).put(work)


def memcpy_htod_async(dest, src, stream=None):
    _context("cuMemcpyHtoDAsync")
    address, source = int(dest), _locked(src)

    def work():
        DEVICE.bytes_at(address, source.nbytes)[:] = source

    _queue(stream).put(work)


def memcpy_dtoh_async(dest, src, stream=None):
    _context("cuMemcpyDtoHAsync")
    address, target = int(src), _locked(dest)

    def work():
        target[:] = DEVICE.bytes_at(address, target.nbytes)

    _queue(stream).put(work)


class Function:
    """The project's one kernel, in NumPy; a test holds it against the kernel's source."""

    def prepare(self, arg_types):
        assert arg_types == "PP"
        return self

    def prepared_async_call(self, grid, block, stream, *args):
        _context("cuLaunchKernel")
        struct.pack("PP", *args)
        rows, caches = grid
        assert 1 <= block[0] * block[1] * block[2] <= 1024 and caches <= 65535 and rows >= 1
        _queue(stream).put(lambda: exchange_rows(*args, rows, caches))


def exchange_rows(table, index, rows, caches):
    """Do what the kernel does."""
    entries = DEVICE.bytes_at(table, 24 * caches).view(np.uint64).reshape(caches, 3)
    targets = DEVICE.bytes_at(index, 8 * rows).view(np.int64)
    first = np.append(True, targets[1:] != targets[:-1])
    place, targets = np.flatnonzero(first), targets[first]
    for computed, cached, words in entries.tolist():
        ours = DEVICE.bytes_at(computed, 4 * rows * words).view(np.uint32).reshape(rows, words)
        height = int(targets.max()) + 1
        theirs = DEVICE.bytes_at(cached, 4 * height * words).view(np.uint32)
        theirs = theirs.reshape(height, words)
        ours[place], theirs[targets] = theirs[targets], ours[place]


class Module:
    def __init__(self, names):
        self._names = names

    def get_function(self, name):
        if name not in self._names:
            raise LogicError(f"cuModuleGetFunction failed: named symbol not found: {name}")
        return Function()


def module_from_buffer(buffer, options=(), message_handler=None):
    _context("cuModuleLoadDataEx")
    text = buffer.decode()
    if ".version" not in text or ".target" not in text:
        raise RuntimeError("cuModuleLoadDataEx failed: a PTX JIT compilation failed")
    return Module(re.findall(r"\.visible \.entry (\w+)", text))


def get_driver_version():
    return 12060


class Libcuda:
    """The functions of libcuda that pycuda does not have."""

    def _stream(self, handle):
        return DEVICE.streams[handle.value]

    def cuStreamBeginCapture_v2(self, stream, mode):
        if DEVICE.faults.refuse_capture:
            return 900
        queue = self._stream(stream)
        queue.capturing, queue.broken_capture = [], False
        return 0

    def cuStreamEndCapture(self, stream, graph):
        queue = self._stream(stream)
        recorded, queue.capturing = queue.capturing, None
        if recorded is None or queue.broken_capture:
            return 901
        handle = 0x9000 + len(DEVICE.graphs)
        DEVICE.graphs[handle] = recorded
        graph._obj.value = handle
        return 0

    def cuGraphInstantiateWithFlags(self, executable, graph, flags):
        executable._obj.value = graph.value
        return 0

    def cuGraphLaunch(self, executable, stream):
        if not DEVICE.stack():
            return 201
        DEVICE.log.append("replay")
        for work in DEVICE.graphs[executable.value]:
            self._stream(stream).put(work)
        return 0

    def cuGraphDestroy(self, graph):
        return 0

    def cuGraphExecDestroy(self, executable):
        return 0
