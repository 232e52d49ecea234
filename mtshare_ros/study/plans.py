"""What a system of a study computes, from the records of its stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.units import SubTask
from mtshare_ros.study.study_config import Study, StudyError, System
from mtshare_ros.training.stored import record_of, stage_path
from mtshare_ros.training.stored_subtasks import load_subtasks

Shares = tuple[tuple[LayerShare, ...], ...]
"""Of each sub-task, its private units by block."""


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


def plans_of(study: Study) -> tuple[dict[str, Plan], NetworkConfig, dict[str, str]]:
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


def plan_of(study: Study, system: System) -> tuple[Plan, NetworkConfig]:
    """Return what a system computes, from the records of its stages.

    Raises:
        StudyError: No run has all its stages, or it can't be exported.
    """
    stages = system.tasks.values()
    complete = [run for run in study.runs if all(stage_path(run, s).is_file() for s in stages)]
    if not complete:
        raise StudyError("in no run complete")
    run = complete[0]
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
