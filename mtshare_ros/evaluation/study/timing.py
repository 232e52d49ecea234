"""Whole-frame time of every system of a study in ONNX Runtime: ``timing.json``.

Systems that compute the same are measured once. What is dense costs the same whatever share of
the tokens changed. Random weights stand in where only a stage's shapes matter.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtshare_ros.bundle import load_manifest
from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.cases import (
    Case,
    ChangingScene,
    SeparateCase,
    StreamCase,
    pinned,
    processor,
    summary,
    take_turns,
)
from mtshare_ros.evaluation.rivals import SeparateNetworks
from mtshare_ros.evaluation.study.config import Study, StudyError, System
from mtshare_ros.evaluation.study.rooms import decode
from mtshare_ros.evaluation.study.trained import record_of
from mtshare_ros.export.bundle import write_bundle
from mtshare_ros.export.deploy import deploy
from mtshare_ros.export.onnx_writer import write_onnx
from mtshare_ros.manifest import InputSpec, LayerShare, TensorSpec
from mtshare_ros.network.config import FINE_STRIDE, STRIDE, NetworkConfig
from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.network.streaming import attend_rows
from mtshare_ros.network.units import SubTask
from mtshare_ros.perception.decode import Decoder
from mtshare_ros.perception.engines.onnxruntime_engine import (
    OnnxRuntimeEngine,
    session_options,
)
from mtshare_ros.perception.frame import IMAGE_MEAN, IMAGE_SCALE, Image, normalise, resize
from mtshare_ros.tasks import TASKS, Task
from mtshare_ros.training.stored import load_network, load_subtasks, stage_path

FRACTIONS = (1.0, 0.25)
"""Shares of dirty tokens that are measured."""

Shares = tuple[tuple[LayerShare, ...], ...]
"""Of each sub-task, its private units by block."""


class SharedGraph(nn.Module):
    """A shared encoder with all its heads as one graph, without the batch dimension."""

    def __init__(self, network: SharedEncoder) -> None:
        """Wrap ``network``."""
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map image (1, 3, H, W) to the raw map (1, C, H / 4, W / 4) of each task."""
        tokens, fine = self.network.stem(image)
        x = tokens[0]
        for block in self.network.transformer.blocks:
            query, key, value = block.qkv(block.norm1(x)).chunk(3, dim=-1)
            x = x + block.proj(attend_rows(query, key, value, block.heads))
            x = x + block.mlp(x)
        heads = self.network.heads.values()
        return tuple(head.mix_cells(head.cells(x)[None], fine) for head in heads)


class SharedEncoderCase:
    """A shared encoder with a head per task, dense, in one graph; random weights."""

    name = "shared encoder"

    def __init__(
        self, config: NetworkConfig, tasks: Sequence[Task], folder: Path, threads: int
    ) -> None:
        """Export the network into ``folder`` and open it."""
        width, height = config.size
        self._tasks = tasks
        self._spec = _input_spec(config)
        self._scene = ChangingScene(self._spec, 1.0)
        self._decoder = Decoder(config.size)
        fine = (height // FINE_STRIDE, width // FINE_STRIDE)
        path = folder / "shared.onnx"
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = SharedEncoder(config, {task.name: task.channels for task in tasks})
        write_onnx(
            SharedGraph(deploy(network)),
            [TensorSpec("image", "float32", (1, 3, height, width))],
            [TensorSpec(task.name, "float32", (1, task.channels, *fine)) for task in tasks],
            path,
        )
        self._session = ort.InferenceSession(
            str(path), session_options(threads), providers=["CPUExecutionProvider"]
        )

    def prepare(self) -> None:
        """Make the next image; not timed."""
        self._image: Image = self._scene.next()

    def step(self) -> dict[str, float]:
        """Compute the frame, from the image to decoded arrays."""
        self.predict(self._image)
        return {}

    def predict(self, image: Image) -> list[NDArray[np.generic]]:
        """Return every task's arrays of an RGB image (H, W, 3) uint8."""
        tensor = normalise(resize(image, self._spec), self._spec)
        arrays: list[NDArray[np.generic]] = []
        for task, raw in zip(self._tasks, self._session.run(None, {"image": tensor}), strict=True):
            arrays.append(decode(self._decoder, task, raw[0]))
            if task.kind == "segmentation":
                arrays.append(self._decoder.confidence(raw[0]))
        return arrays


@dataclass(frozen=True)
class Plan:
    """What a system computes; equal plans take the same time.

    Attributes:
        kind: ``dense``: a network per task; ``shared``: an encoder with a head per task;
            ``units``: a base with sub-tasks; ``full``: a network per task, started from one base.
        tasks: Tasks in the order in which they are computed, the base's first.
        shares: Of ``units``, the private units.
        stages: Of ``units``, the stage of each task; not compared.
        run: Of ``units``, the run that has them; not compared.
    """

    kind: str
    tasks: tuple[str, ...]
    shares: Shares = ()
    stages: tuple[str, ...] = field(default=(), compare=False)
    run: Path = field(default=Path(), compare=False)


def plan_of(study: Study, system: System) -> tuple[Plan, NetworkConfig]:
    """Return what a system computes, from the records of its stages.

    Raises:
        StudyError: No run has all its stages, or it can't be exported.
    """
    run = next((run for run in study.runs if _is_trained(run, system)), None)
    if run is None:
        raise StudyError("in no run complete")
    records = {task: record_of(run, stage) for task, stage in system.tasks.items()}
    config = NetworkConfig.from_dict(next(iter(records.values()))["network"])
    subtasks = [task for task, record in records.items() if task in record.get("shares", ())]
    if subtasks:
        return _units_plan(run, system, records, subtasks), config
    tasks = tuple(system.tasks)
    kinds = {record["kind"] for record in records.values()}
    if not kinds <= {"single_task", "joint"}:
        raise StudyError(f"stages of kind {', '.join(sorted(kinds))} have no graph")
    if len(set(system.tasks.values())) == 1 < len(tasks):
        return Plan("shared", tasks), config
    # The reference is what others do: dense networks.
    full = system.rho == 1.0 and system.name != study.reference
    return Plan("full" if full else "dense", tasks), config


def _is_trained(run: Path, system: System) -> bool:
    return all(stage_path(run, stage).is_file() for stage in system.tasks.values())


def _units_plan(
    run: Path, system: System, records: Mapping[str, dict[str, Any]], subtasks: Sequence[str]
) -> Plan:
    bases = [task for task in system.tasks if task not in subtasks]
    built_on = {records[task]["base"] for task in subtasks}
    if len(bases) != 1 or built_on != {system.tasks[bases[0]]}:
        raise StudyError(
            f"sub-tasks on {', '.join(sorted(built_on))}, but {', '.join(bases) or 'no task'}"
            " of another stage"
        )
    loaded = {task: load_subtasks(run, system.tasks[task])[0][task] for task in subtasks}
    for task, subtask in loaded.items():
        if type(subtask) is not SubTask:
            raise StudyError(f"{task}: a {type(subtask).__name__} has no graph")
    order = (*bases, *subtasks)
    return Plan(
        "units",
        order,
        tuple(tuple(loaded[task].shares) for task in subtasks),
        tuple(system.tasks[task] for task in order),
        run,
    )


class _Cases:
    """The cases of a measurement; each is made when it is first asked for."""

    def __init__(
        self, config: NetworkConfig, tasks: Sequence[Task], folder: Path, threads: int
    ) -> None:
        self._config, self._tasks = config, tasks
        self._folder, self._threads = folder, threads
        # First, because the ratio of every case is against it.
        networks = SeparateNetworks(config, tasks, folder, threads)
        self.cases: list[Case] = [SeparateCase(networks, _input_spec(config))]
        self._shared: int | None = None
        self._units: dict[Plan, dict[float, int]] = {}

    def candidates(self, plan: Plan, trained: bool) -> dict[str, dict[float, int]]:
        """Return the ways to compute a plan: name -> share of dirty tokens -> case."""
        dense = {"a dense network per task": dict.fromkeys(FRACTIONS, 0)}
        if plan.kind == "dense":
            return dense
        if plan.kind == "shared":
            return {"one dense graph": dict.fromkeys(FRACTIONS, self._shared_case())}
        if plan.kind == "units":
            return {"base and sub-tasks": self._streams(plan, trained)}
        everything = LayerShare(self._config.heads, self._config.hidden)
        shares = ((everything,) * self._config.depth,) * (len(plan.tasks) - 1)
        whole = Plan("units", plan.tasks, shares)
        return {**dense, "every unit private": self._streams(whole, False)}

    def _shared_case(self) -> int:
        if self._shared is None:
            self._shared = len(self.cases)
            self.cases.append(
                SharedEncoderCase(self._config, self._tasks, self._folder, self._threads)
            )
        return self._shared

    def _streams(self, plan: Plan, trained: bool) -> dict[float, int]:
        if plan in self._units:
            return self._units[plan]
        folder = self._folder / f"units{len(self._units)}"
        base, subtasks = (_trained if trained else _random)(plan, self._config)
        base_task = TASKS[plan.tasks[0]]
        write_bundle(folder, folder.name, "For time only.", base, base_task, subtasks, 0.8)
        engine = OnnxRuntimeEngine(folder, load_manifest(folder), self._threads)
        self._units[plan] = {}
        for fraction in FRACTIONS:
            self._units[plan][fraction] = len(self.cases)
            self.cases.append(StreamCase(engine, fraction))
        return self._units[plan]


def measure(
    study: Study,
    *,
    size: tuple[int, int] | None = None,
    threads: int = 2,
    rounds: int = 60,
) -> dict[str, Any]:
    """Measure every system that is trained and can be exported, interleaved in one process.

    Args:
        study: The study.
        size: Width and height of the input, with random weights and the trained private units;
            by default the study's, or the networks' own size, with trained weights.
        threads: Threads of a computation; the process is pinned to as many cores.
        rounds: Measured frames of each case.

    Returns:
        Content of ``timing.json``.

    Raises:
        StudyError: No system can be measured, or their networks differ.
        OptionError: The size is none of whole tokens.
    """
    plans, config, skipped = _plans(study)
    size = size or study.size
    resized = config if size is None else _resized(config, size)
    tasks = [TASKS[name] for name in study.metrics]
    with tempfile.TemporaryDirectory() as scratch, pinned(threads):
        made = _Cases(resized, tasks, Path(scratch), threads)
        ways = {name: made.candidates(plan, size is None) for name, plan in plans.items()}
        measured = summary(made.cases, *take_turns(made.cases, rounds))
    rows = []
    for name, candidates in ways.items():
        for fraction in FRACTIONS:
            times = {how: measured[cases[fraction]] for how, cases in candidates.items()}
            how = min(times, key=lambda one: float(times[one]["p50_ms"]))
            kept = {key: times[how][key] for key in ("p50_ms", "p95_ms", "p99_ms", "ratio")}
            rows.append({"system": name, "fraction": fraction, "how": how, **kept})
    return {
        "network": resized.to_dict(),
        "weights": "trained" if size is None else "random",
        "threads": threads,
        "rounds": rounds,
        "machine": {"processor": processor(), "onnxruntime": ort.__version__},
        "fractions": list(FRACTIONS),
        "cases": rows,
        "skipped": skipped,
    }


def _plans(study: Study) -> tuple[dict[str, Plan], NetworkConfig, dict[str, str]]:
    """Return the plans by system, their one network, and why other systems have none."""
    plans, skipped, configs = {}, {}, {}
    for system in study.systems:
        if set(system.tasks) != set(study.metrics):
            skipped[system.name] = "not every task"
            continue
        try:
            plans[system.name], configs[system.name] = plan_of(study, system)
        except StudyError as error:
            skipped[system.name] = str(error)
    if not plans:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
        raise StudyError(f"no system can be measured: {reasons}")
    (first, config), *others = configs.items()
    for name, other in others:
        if other != config:
            raise StudyError(f"network of {name} is {other}, that of {first} {config}")
    return plans, config, skipped


def _trained(plan: Plan, config: NetworkConfig) -> tuple[SingleTaskNetwork, dict[Task, SubTask]]:
    base, _ = load_network(plan.run, plan.stages[0])
    stages = dict(zip(plan.tasks[1:], plan.stages[1:], strict=True))
    loaded = {task: load_subtasks(plan.run, stage)[0][task] for task, stage in stages.items()}
    return base, {TASKS[task]: subtask for task, subtask in loaded.items()}


def _random(plan: Plan, config: NetworkConfig) -> tuple[SingleTaskNetwork, dict[Task, SubTask]]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        base = SingleTaskNetwork(config, TASKS[plan.tasks[0]].channels)
        subtasks = {
            TASKS[task]: SubTask(config, shares, TASKS[task].channels)
            for task, shares in zip(plan.tasks[1:], plan.shares, strict=True)
        }
    return base.eval(), {task: subtask.eval() for task, subtask in subtasks.items()}


def _resized(config: NetworkConfig, size: tuple[int, int]) -> NetworkConfig:
    try:
        return replace(config, size=size)
    except ValueError as error:
        raise OptionError(f"--size: {error}") from error


def _input_spec(config: NetworkConfig) -> InputSpec:
    width, height = config.size
    return InputSpec(width, height, IMAGE_MEAN, IMAGE_SCALE, STRIDE, FINE_STRIDE, 0.8)
