"""The graphs of a bundle: which module computes each, and where its tensors come from and go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from mtshare_ros.bundle.manifest import TensorSpec
from mtshare_ros.network.config import FINE_STRIDE, NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.streaming import (
    BaseGraph,
    HeadGraph,
    StemGraph,
    SubTaskGraph,
    base_caches,
    head_caches,
    read_branches,
    subtask_caches,
)
from mtshare_ros.network.units import SubTask

INDEX = TensorSpec("index", "int64", (None,))


@dataclass(frozen=True)
class GraphPlan:
    """A graph before it is exported: its module and everything but its file.

    Attributes:
        module: Takes the inputs and returns the outputs, in order.
        inputs: Inputs in order.
        outputs: Outputs in order.
        reads: Input name -> tensor of another graph.
        state: Cache input name -> output name.
    """

    module: nn.Module
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    reads: dict[str, str] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)


def _floats(shapes: Mapping[str, tuple[int, ...]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name, "float32", shape) for name, shape in shapes.items())


def _written(caches: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    return {name: f"{name}_next" for name in caches}


def _next(caches: Mapping[str, tuple[int, ...]]) -> tuple[TensorSpec, ...]:
    return _floats({f"{name}_next": shape for name, shape in caches.items()})


def plan_graphs(
    base: SingleTaskNetwork, base_task: str, subtasks: Mapping[str, SubTask]
) -> dict[str, GraphPlan]:
    """Return every graph of a bundle by name, in the order in which they run.

    Args:
        base: The deployed base network.
        base_task: Name of its task.
        subtasks: Deployed sub-tasks by task name.
    """
    config = base.config
    width, height = config.size
    fine = (1, config.fine_width, height // FINE_STRIDE, width // FINE_STRIDE)
    tokens = {"tokens": (config.rows, config.width)}
    caches, cells = base_caches(config), head_caches(config)
    plans = {
        "stem": GraphPlan(
            StemGraph(base.stem),
            _floats({"image": (1, 3, height, width)}),
            _floats({**tokens, "fine": fine}),
        ),
        "base": GraphPlan(
            BaseGraph(base.transformer),
            (*_floats(tokens), INDEX, *_floats(caches)),
            _next(caches),
            reads={"tokens": "stem.tokens"},
            state=_written(caches),
        ),
        base_task: GraphPlan(
            HeadGraph(base.head),
            (*_floats({"features": caches["features"], "fine": fine}), INDEX, *_floats(cells)),
            (*_next(cells), *_raw(config, base.head.project.out_channels)),
            reads={"features": "base.features", "fine": "stem.fine"},
            state=_written(cells),
        ),
    }
    for name, subtask in subtasks.items():
        private = subtask_caches(config, subtask.shares)
        branches = {branch: caches[branch] for branch in read_branches(config)}
        plans[name] = GraphPlan(
            SubTaskGraph(subtask),
            (*_floats({**tokens, "fine": fine}), INDEX, *_floats({**branches, **private})),
            (*_next(private), *_raw(config, subtask.head.project.out_channels)),
            reads={
                "tokens": "stem.tokens",
                "fine": "stem.fine",
                **{branch: f"base.{branch}" for branch in branches},
            },
            state=_written(private),
        )
    return plans


def _raw(config: NetworkConfig, channels: int) -> tuple[TensorSpec, ...]:
    width, height = config.size
    return _floats({"raw": (1, channels, height // FINE_STRIDE, width // FINE_STRIDE)})
