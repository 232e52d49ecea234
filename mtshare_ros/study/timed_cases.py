"""The cases that a study's plans are timed by."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from mtshare_ros.bench.cases import Case, DenseCase, SceneCamera, StreamCase
from mtshare_ros.bench.rivals import SEPARATE, SHARED, Rivals
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.export.random_bundle import FOCAL_LENGTH, random_networks
from mtshare_ros.export.writer import input_spec, write_bundle
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.perception.engines.onnxruntime_engine import OnnxRuntimeEngine
from mtshare_ros.study.plans import Plan
from mtshare_ros.tasks import TASKS, Task
from mtshare_ros.training.stored import load_network
from mtshare_ros.training.stored_subtasks import load_subtasks

STUDY_FRACTIONS = (1.0, 0.25)
"""Shares of dirty tokens that are measured."""


class TimedCases:
    """The cases of a measurement; each is made when it is first asked for.

    Attributes:
        cases: What is to be timed, one dense network per task first: ratios are against it.
    """

    def __init__(
        self, config: NetworkConfig, tasks: Sequence[Task], folder: Path, threads: int
    ) -> None:
        """Make the dense rivals of ``config``'s shape in ``folder``."""
        self._config, self._tasks = config, tasks
        self._folder, self._threads = folder, threads
        self._rivals = Rivals(config, tasks, folder, threads)
        self._spec = input_spec(config, FOCAL_LENGTH)
        self.cases: list[Case] = [DenseCase(SEPARATE, self._rivals.separate(tasks), self._spec)]
        self._units: dict[Plan, dict[float, int]] = {}

    def candidates(self, plan: Plan, trained: bool) -> dict[str, dict[float, int]]:
        """Return the ways to compute a plan: name -> share of dirty tokens -> case."""
        dense = {"a dense network per task": dict.fromkeys(STUDY_FRACTIONS, 0)}
        if plan.kind == "dense":
            return dense
        if plan.kind == "shared":
            return {"one dense graph": dict.fromkeys(STUDY_FRACTIONS, self._shared_case)}
        if plan.kind == "units":
            return {"base and sub-tasks": self._streams(plan, trained)}
        everything = LayerShare(self._config.heads, self._config.hidden)
        shares = ((everything,) * self._config.depth,) * (len(plan.tasks) - 1)
        whole = Plan("units", plan.tasks, shares)
        return {**dense, "every unit private": self._streams(whole, False)}

    @cached_property
    def _shared_case(self) -> int:
        self.cases.append(DenseCase(SHARED, self._rivals.shared(self._tasks), self._spec))
        return len(self.cases) - 1

    def _streams(self, plan: Plan, trained: bool) -> dict[float, int]:
        if plan in self._units:
            return self._units[plan]
        folder = self._folder / f"units{len(self._units)}"
        base, subtasks = (
            _trained(plan) if trained else random_networks(self._config, plan.tasks, plan.shares)
        )
        base_task = TASKS[plan.tasks[0]]
        write_bundle(
            folder, folder.name, "For time only.", base, base_task, subtasks, FOCAL_LENGTH
        )
        camera = SceneCamera(OnnxRuntimeEngine(folder, load_manifest(folder), self._threads))
        self._units[plan] = {}
        for fraction in STUDY_FRACTIONS:
            self._units[plan][fraction] = len(self.cases)
            self.cases.append(StreamCase(camera, fraction))
        return self._units[plan]


def _trained(plan: Plan) -> tuple[SingleTaskNetwork, dict[Task, SubTask]]:
    base, _ = load_network(plan.run, plan.stages[0])
    stages = zip(plan.tasks[1:], plan.stages[1:], strict=True)
    return base, {TASKS[task]: load_subtasks(plan.run, stage)[0][task] for task, stage in stages}
