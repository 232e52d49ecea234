"""Launches that are recorded, with a driver that may refuse each call."""

import ctypes
from collections.abc import Callable

import pytest

from mtshare_ros.perception.engines.tensorrt import cuda_graph
from mtshare_ros.perception.engines.tensorrt.cuda_graph import (
    CaptureError,
    RecordedLaunch,
    driver_library,
)
from support.standins.device import DEVICE, Device, Stream
from support.standins.pycuda_driver import Context, Libcuda


class Driver:
    """Counts calls, and refuses the one that it is told to."""

    def __init__(self, refused=None):
        """Refuse ``refused``, if given."""
        self.calls, self.refused, self.arguments = [], refused, {}

    def __getattr__(self, name):
        """Return a function of the driver."""

        def call(*arguments):
            self.calls.append(name)
            self.arguments[name] = [getattr(argument, "value", None) for argument in arguments]
            if name == "cuStreamEndCapture":
                arguments[1]._obj.value = 7
            if name == "cuGraphInstantiateWithFlags":
                arguments[0]._obj.value = 9
            return 999 if name == self.refused else 0

        return call


def test_what_is_launched_is_recorded_once_and_replayed_with_one_call():
    driver, launched = Driver(), []
    recorded = RecordedLaunch(driver, 5, lambda: launched.append(1))
    recorded.launch()
    recorded.launch()
    recorded.close()
    assert launched == [1]
    thread_local = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
    assert driver.arguments["cuStreamBeginCapture_v2"] == [5, thread_local]
    assert driver.arguments["cuGraphInstantiateWithFlags"][1:] == [7, 0]
    assert driver.arguments["cuGraphLaunch"] == [9, 5]
    assert driver.calls == [
        "cuStreamBeginCapture_v2",
        "cuStreamEndCapture",
        "cuGraphInstantiateWithFlags",
        "cuGraphLaunch",
        "cuGraphLaunch",
        "cuGraphExecDestroy",
        "cuGraphDestroy",
    ]
    assert isinstance(recorded._graph, ctypes.c_void_p) and not recorded._graph


def test_a_launch_that_fails_ends_the_recording():
    driver = Driver()
    with pytest.raises(CaptureError, match="out of memory"):
        RecordedLaunch(driver, 5, lambda: (_ for _ in ()).throw(MemoryError("out of memory")))
    assert driver.calls.count("cuStreamEndCapture") == 1 and "cuGraphDestroy" in driver.calls


@pytest.mark.parametrize("name", ["cuStreamBeginCapture_v2", "cuStreamEndCapture"])
def test_a_driver_that_refuses_is_named(name):
    with pytest.raises(CaptureError, match=name.removesuffix("_v2")):
        RecordedLaunch(Driver(name), 5, lambda: None)


def on(stream: Stream, ran: list[str], name: str) -> Callable[[], None]:
    """Return what puts work on a stream that notes its name when it runs."""
    return lambda: stream.put(lambda: ran.append(name))


def test_nothing_runs_while_it_is_recorded_and_all_of_it_at_each_launch(device: Device) -> None:
    stream, ran = Stream(DEVICE), []
    recorded = RecordedLaunch(Libcuda(), stream.handle, on(stream, ran, "kernel"))
    stream.run()
    assert ran == []
    context = Context()
    context.push()
    recorded.launch()
    recorded.launch()
    context.pop()
    stream.run()
    assert ran == ["kernel", "kernel"]


def test_a_stream_can_be_used_after_a_launch_that_could_not_be_recorded(device: Device) -> None:
    stream, ran = Stream(DEVICE), []

    def waits() -> None:
        stream.run()  # a captured stream can't be waited for

    with pytest.raises(CaptureError, match="not permitted when stream is capturing"):
        RecordedLaunch(Libcuda(), stream.handle, waits)
    on(stream, ran, "later")()
    stream.run()
    assert ran == ["later"]


def test_a_machine_without_a_driver_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(cuda_graph.ctypes, "CDLL", missing)
    with pytest.raises(CaptureError, match=r"no CUDA driver: libcuda\.so\.1"):
        driver_library()
