"""The reference engine: plain tensors as caches, which change only if every graph succeeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from mtshare_ros.export.reference_engine import ReferenceEngine
from mtshare_ros.export.writer import deploy_networks
from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.tasks import DEPTH, NORMALS
from support.networks import networks
from support.samples import SMALL

EVERY = np.arange(SMALL.rows)
IMAGE = np.random.default_rng(0).normal(size=(1, 3, 96, 128)).astype(np.float32)


def make() -> tuple[ReferenceEngine, dict[str, Callable[..., Any]]]:
    base, subtasks = networks()
    deployed = deploy_networks(base, NORMALS, {DEPTH: subtasks["depth"]}, 0.8)
    graphs: dict[str, Callable[..., Any]] = {n: p.module for n, p in deployed.plans.items()}
    return deployed.engine, graphs


def test_tasks_that_are_not_asked_for_are_not_computed() -> None:
    engine, _ = make()
    output = engine.run(engine.new_state(), IMAGE, EVERY, {"normals": EVERY})
    assert set(output.raw) == {"normals"} and output.raw["normals"].shape == (3, 24, 32)
    assert set(output.milliseconds) == {"stem", "base", "normals"}


def test_a_graph_that_fails_leaves_the_caches_as_they_were() -> None:
    engine, graphs = make()

    def fails(*inputs: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("out of order")

    state = engine.new_state()
    broken = ReferenceEngine(engine.manifest, {**graphs, "depth": fails})
    with pytest.raises(EngineError, match="graph depth: out of order"):
        broken.run(state, IMAGE, EVERY, {"normals": EVERY, "depth": EVERY})
    assert not any(tensor.any() for tensor in state.values())
    engine.run(state, IMAGE, EVERY, {"normals": EVERY, "depth": EVERY})
    assert all(tensor.any() for tensor in state.values())


def test_rows_that_are_not_asked_for_stay_and_a_task_has_rows_of_its_own() -> None:
    engine, _ = make()
    state = engine.new_state()
    engine.run(state, IMAGE, EVERY, {"normals": EVERY, "depth": EVERY})
    before = {name: tensor.clone() for name, tensor in state.items()}
    own = np.array([2, 5, 9])
    engine.run(state, 2 * IMAGE, np.array([5]), {"depth": own})
    for name, tensor in state.items():
        graph, _, cache = name.partition(".")
        if cache not in engine.manifest.graphs[graph].state:
            continue
        changed = (tensor != before[name]).any(dim=1).nonzero().flatten().tolist()
        expected = {"base": [5], "normals": [], "depth": [2, 5, 9]}[graph]
        assert changed == expected, name


def test_each_graph_s_error_is_one_of_the_engine_by_its_name() -> None:
    engine, _ = make()
    with pytest.raises(EngineError, match="torch: graph stem: "):
        engine.run(engine.new_state(), IMAGE[:, :2], EVERY, {})
