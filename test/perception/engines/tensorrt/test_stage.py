"""What a stage puts on the stream, and in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mtshare_ros.bundle.manifest import GraphSpec
from mtshare_ros.perception.engines.interface import EngineError
from support.standins.device import Device

SPEC = GraphSpec(
    "base.onnx", "", 0, (), (), {"tokens": "stem.tokens"}, {"key": "key_next", "mlp": "mlp_next"}
)


@pytest.fixture
def log() -> list[Any]:
    """What was put on the stream."""
    return []


@pytest.fixture
def gpu(log: list[Any]) -> Any:
    """A GPU that notes exchanges."""
    stream = SimpleNamespace(handle=5)
    return SimpleNamespace(stream=stream, exchange_rows=lambda *a: log.append(("exchange", *a)))


def stage_of(log: list[Any], takes: bool = True, table: Any = "table") -> Any:
    from mtshare_ros.perception.engines.tensorrt.stage import CompiledGraph, Stage

    def execute(handle: int) -> bool:
        log.append(("execute", handle))
        return takes

    def mark(name: str) -> Any:
        return SimpleNamespace(record=lambda stream: log.append(name))

    graph = CompiledGraph("base", SPEC, None, {}, frozenset())
    context = SimpleNamespace(execute_async_v3=execute)
    contexts = {3: context, 6: context}
    return Stage(graph, contexts, table, "index", None, mark("started"), mark("ended"))


def test_a_launch_is_between_its_marks_and_commits_the_rows_of_all_caches(
    device: Device, log: list[Any], gpu: Any
) -> None:
    stage = stage_of(log)
    stage.launch(3, gpu)
    assert log == ["started", ("execute", 5), ("exchange", "table", "index", 3, 2), "ended"]
    log.clear()
    stage.recorded[6] = SimpleNamespace(launch=lambda: log.append("replay"))
    stage.launch(6, gpu)
    assert log == ["started", "replay", "ended"]
    log.clear()
    stage_of(log, table=None).launch(3, gpu)
    assert log == ["started", ("execute", 5), "ended"], "a graph without caches commits nothing"


def test_a_graph_that_refuses_commits_nothing(device: Device, log: list[Any], gpu: Any) -> None:
    with pytest.raises(EngineError, match="^tensorrt: graph base refused to run"):
        stage_of(log, takes=False).launch(3, gpu)
    assert log == ["started", ("execute", 5)]


def test_a_tensor_of_another_graph_has_its_memory_there(device: Device, log: list[Any]) -> None:
    graph = stage_of(log).graph
    assert (graph.origin("tokens"), graph.origin("key")) == ("stem.tokens", "base.key")


def test_a_row_is_what_follows_the_first_dimension(device: Device) -> None:
    from mtshare_ros.perception.engines.tensorrt.stage import Buffer

    assert Buffer(None, (48, 3, 5), np.dtype(np.float16)).row_bytes == 30
    assert Buffer(None, (48,), np.dtype(np.int64)).row_bytes == 8
