"""A GPU that doesn't exist: memory by address, contexts by thread, streams run when waited for.

Work that is put on a stream is done when somebody waits for it, and not before: who reads too
early sees what was there before, who overwrites memory that is still to be copied sends the wrong
thing. Every fault that the real driver has for a mistake is raised here at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


class Fault(RuntimeError):
    """What CUDA does not survive: an access beyond memory, a wrong context."""


@dataclass
class Faults:
    """What is to go wrong.

    Attributes:
        memory: Bytes of the device; allocating more fails.
        out_of_memory_while_building: TensorRT's builder runs out of memory.
        refuse_capture: The driver can't record launches.
        refuse_graph: Graph that refuses to run.
        wrong_half: Engines with fp16 in them compute wrong values.
        wrong_single: All engines do.
        wrong_size: Only at this number of rows.
    """

    memory: int = 1 << 32
    out_of_memory_while_building: bool = False
    refuse_capture: bool = False
    refuse_graph: str | None = None
    wrong_half: bool = False
    wrong_single: bool = False
    wrong_size: int | None = None


@dataclass
class Device:
    """The machine that the stand-ins share; reset for each test."""

    name: str = "Orin (stand-in)"
    capability: tuple[int, int] = (8, 7)
    tensorrt: str = "10.3.0"
    faults: Faults = field(default_factory=Faults)
    count: int = 1
    allocations: dict[int, np.ndarray] = field(default_factory=dict)
    next_address: int = 0x7F0000000000
    pagelocked: list[np.ndarray] = field(default_factory=list)
    streams: dict[int, Stream] = field(default_factory=dict)
    graphs: dict[int, list[Callable[[], None]]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    leaks: int = 0
    contexts: threading.local = field(default_factory=threading.local)

    def stack(self) -> list[object]:
        """This thread's contexts."""
        if not hasattr(self.contexts, "stack"):
            self.contexts.stack = []
        return self.contexts.stack

    def need_context(self, what: str) -> None:
        """Raise where this thread has not pushed a context."""
        if not self.stack():
            raise Fault(f"{what} failed: invalid device context")

    def allocate(self, size: int) -> int:
        """Return the address of new memory, filled with what is left of others."""
        used = sum(a.nbytes for a in self.allocations.values())
        if used + size > self.faults.memory:
            raise MemoryError(f"{used} of {self.faults.memory} bytes used, {size} wanted")
        address = self.next_address
        self.next_address += (size + 0x1FFF) & ~0xFFF  # a gap behind each: no overrun is silent
        self.allocations[address] = np.full(size, 0xA5, np.uint8)
        return address

    def bytes_at(self, address: int, size: int) -> np.ndarray:
        """Return a view of device memory; a Fault unless all of it is one allocation's."""
        memory = self.allocations.get(address)
        # The project uses whole allocations only: an address within one is a mistake, too.
        if memory is None:
            raise Fault(f"illegal access: {size} bytes at {address:#x}, which is no memory")
        if size > memory.nbytes:
            raise Fault(f"illegal access: {size} bytes at {address:#x}, beyond the end")
        return memory[:size]

    def is_pagelocked(self, array: np.ndarray) -> bool:
        """Return whether host memory may be copied while the CPU goes on."""
        return any(np.shares_memory(array, locked) for locked in self.pagelocked)


class Stream:
    """Work in order, done at ``run``."""

    def __init__(self, device: Device) -> None:
        """Register with the device."""
        self.device = device
        self.work: list[Callable[[], None]] = []
        self.capturing: list[Callable[[], None]] | None = None
        self.broken_capture = False
        self.handle = 0x5000 + len(device.streams)
        device.streams[self.handle] = self

    def put(self, work: Callable[[], None]) -> None:
        """Add work, or record it."""
        (self.work if self.capturing is None else self.capturing).append(work)

    def run(self) -> None:
        """Do everything that waits."""
        if self.capturing is not None:
            self.broken_capture = True
            raise Fault("operation not permitted when stream is capturing")
        while self.work:
            self.work.pop(0)()


DEVICE = Device()
"""The one device; ``reset`` makes it new."""


def reset() -> Device:
    """Forget everything and return the device."""
    vars(DEVICE).update(vars(Device()))
    return DEVICE
