"""Launches that are recorded, with a driver that may refuse each call."""

import ctypes

import pytest

from mtshare_ros.perception.engines.tensorrt.cuda_graph import CaptureError, RecordedLaunch


class Driver:
    """Counts calls, and refuses the one that it is told to."""

    def __init__(self, refused=None):
        """Refuse ``refused``, if given."""
        self.calls, self.refused = [], refused

    def __getattr__(self, name):
        """Return a function of the driver."""

        def call(*arguments):
            self.calls.append(name)
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
