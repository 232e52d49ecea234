"""What a run leaves on disk, and how it is read again.

RUN/config.yaml                     the configuration; stages can be added to it later
RUN/<stage>.safetensors             weights and record of a finished stage
RUN/<stage>.checkpoint.safetensors  progress of a stage in hand
RUN/tensorboard/<stage>/            logs

Several processes can train different stages of one run side by side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.training.checkpoints import load_tensors, part_of, said_of
from mtshare_ros.training.data_sets import tasks_of_record


def stage_path(run: Path, stage: str) -> Path:
    """Return the file of a finished stage."""
    return run / f"{stage}.safetensors"


def checkpoint_path(run: Path, stage: str) -> Path:
    """Return the file of a stage's progress; it goes when the stage is finished."""
    return run / f"{stage}.checkpoint.safetensors"


def record_of(run: Path, stage: str) -> dict[str, Any]:
    """Return the record of a finished stage."""
    path = stage_path(run, stage)
    record = load_tensors(path)[1]
    with said_of(path):
        _check(record)
    return record


def _check(record: dict[str, Any]) -> None:
    for key, kind in (("kind", str), ("network", dict), ("settings", dict)):
        if not isinstance(record[key], kind):
            raise TypeError(f"{key} is {type(record[key]).__name__}, expected {kind.__name__}")


def load_network(
    run: Path, stage: str, task: str | None = None
) -> tuple[SingleTaskNetwork, dict[str, Any]]:
    """Return a dense network that a stage trained, and the stage's record.

    Args:
        run: Folder of the run.
        stage: A ``single_task``, ``joint`` or ``together`` stage.
        task: One of a joint stage's tasks; by default its first.
    """
    path = stage_path(run, stage)
    tensors, record = load_tensors(path)
    with said_of(path):
        config = NetworkConfig.from_dict(record["network"])
        if record["kind"] != "joint":
            network = SingleTaskNetwork(config, tasks_of_record(record)[record["task"]].channels)
            network.load_state_dict(part_of(tensors, "base.") or tensors)
            return network.eval(), record
        shared, record = load_shared(run, stage)
        return shared.single(task or record["tasks"][0]).eval(), record


def load_shared(run: Path, stage: str) -> tuple[SharedEncoder, dict[str, Any]]:
    """Return the encoder and all heads that a ``joint`` stage trained, and its record."""
    path = stage_path(run, stage)
    tensors, record = load_tensors(path)
    with said_of(path):
        config = NetworkConfig.from_dict(record["network"])
        tasks = tasks_of_record(record)
        shared = SharedEncoder(config, {name: tasks[name].channels for name in record["tasks"]})
        shared.load_state_dict(tensors)
    return shared.eval(), record
