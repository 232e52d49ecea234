"""One camera's way through the node, without the node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.ros.pipeline import Pipeline, Received
from mtshare_ros.ros.statistics import Statistics
from support.ros_harness import image


class Published:
    """Outputs that somebody wants, and what was published on them."""

    def __init__(self) -> None:
        """Start empty."""
        self.results: list[Any] = []

    def wanted(self, allowed: Any) -> set[str]:
        """Return all that may be computed."""
        return set(allowed)

    def publish(self, result: Any) -> None:
        """Keep a result."""
        self.results.append(result)


@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("raises", [False, True])
def test_a_frame_that_is_cancelled_in_work_leaves_no_trace(
    bundle_path: Path, cancelled: bool, raises: bool
) -> None:
    outputs, statistics, said = Published(), Statistics(), []
    stream = PerceptionStream(open_engine(bundle_path, threads=1))
    pipeline = Pipeline(
        stream,
        outputs,
        statistics,
        lambda kind, message: said.append(message),
        now=lambda: 0,
        running=lambda: True,
        on_give_up=lambda: said.append("gave up"),
    )
    pipeline.allowed = ("depth",)
    step = stream.step

    def late(*arguments: Any) -> Any:
        if cancelled:
            pipeline.cancel()
        if raises:
            raise TypeError("a bug")
        return step(*arguments)

    stream.step = late  # type: ignore[method-assign]
    pipeline.process(Received(image(5_000_000_000), 0.0))
    found = statistics.summary().counts
    outcome = (len(outputs.results), found["processed"], found["failed"], len(said))
    if cancelled:
        assert outcome == (0, 0, 0, 0)
    else:
        assert outcome == ((0, 0, 1, 2) if raises else (1, 1, 0, 0))
