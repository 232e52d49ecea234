"""Small files of a study: stills of test rooms, and runs whose networks have random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.reference.elementwise_units import ElementwiseSubTask
from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.network.units import SubTask, private_share
from mtshare_ros.tasks import ROOM_CLASSES, TASKS
from mtshare_ros.training.checkpoints import save_tensors
from mtshare_ros.training.stored import stage_path

TINY = NetworkConfig(width=24, depth=2, heads=3, hidden=64, fine_width=16, size=(64, 48))
SEPARATE = {"normals": "single_normals", "depth": "single_depth", "segmentation": "single_seg"}
SHARED = dict.fromkeys(SEPARATE, "shared_equal")
UNITS = {"normals": "base_normals", "depth": "units_normals", "segmentation": "units_normals"}
HEADS = {"normals": "base_normals", "depth": "heads_normals", "segmentation": "heads_normals"}
FULL = {"normals": "base_normals", "depth": "full_depth", "segmentation": "full_seg"}


def write_stills(root: Path, first: int = 200_000, rooms: int = 4, views: int = 2) -> Path:
    """Write rooms with a near spot of another class on a wall."""
    rng = np.random.default_rng(first)
    count, shard = rooms * views, root / f"shard-{first:06d}"
    shard.mkdir(parents=True)
    arrays = {
        "rgb": rng.integers(40, 90, (count, 48, 64, 3), dtype=np.uint8),
        "depth": rng.uniform(2, 4, (count, 48, 64)).astype(np.float16),
        "labels": rng.integers(0, 6, (count, 48, 64)).astype(np.uint8),
        "normals": np.zeros((count, 48, 64, 3), np.int8),
        "seeds": np.repeat(np.arange(first, first + rooms), views).astype(np.int64),
    }
    arrays["normals"][..., 2] = -127
    arrays["labels"][:, :4] = 255
    arrays["depth"][:, :4], arrays["normals"][:, :4] = np.nan, 0
    for name, array in arrays.items():
        np.save(shard / f"{name}.npy", array)
    meta = {
        "version": 1,
        "size": [64, 48],
        "fx": 51.2,
        "classes": [item.name for item in ROOM_CLASSES],
        "seeds": [first, first + rooms, 1],
        "textures": "auto",
    }
    (root / "meta.json").write_text(json.dumps(meta))
    return root


def _save(run: Path, stage: str, module: nn.Module, record: dict[str, Any]) -> None:
    run.mkdir(parents=True, exist_ok=True)
    settings = {"name": stage, "start": None, **record.pop("settings", {})}
    record = {"network": TINY.to_dict(), "settings": settings, **record}
    save_tensors(stage_path(run, stage), dict(module.state_dict()), record)


def write_network(run: Path, stage: str, task: str, seed: int, start: str | None = None) -> None:
    """Write a dense network with weights of a seed."""
    torch.manual_seed(seed)
    record = {"kind": "single_task", "task": task, "steps": 30, "settings": {"start": start}}
    _save(run, stage, SingleTaskNetwork(TINY, TASKS[task].channels), record)


def write_shared(run: Path, stage: str, seed: int) -> None:
    """Write a shared encoder."""
    torch.manual_seed(seed)
    network = SharedEncoder(TINY, {task: TASKS[task].channels for task in SHARED})
    _save(run, stage, network, {"kind": "joint", "tasks": list(SHARED), "steps": 30})


def write_subtasks(run: Path, stage: str, base: str, share: LayerShare, seed: int) -> None:
    """Write depth and segmentation as sub-tasks of a base."""
    torch.manual_seed(seed)
    shares = [share] * TINY.depth
    tasks = ("depth", "segmentation")
    modules = {task: SubTask(TINY, shares, TASKS[task].channels) for task in tasks}
    for name, parameter in nn.ModuleDict(modules).named_parameters():
        if name.endswith(("proj.weight", "fc2.weight")):
            nn.init.normal_(parameter)
    record = {
        "kind": "uniform",
        "form": "added",
        "base": base,
        "steps": 10,
        "shares": {task: [vars(one) for one in shares] for task in tasks},
        "rho": {task: round(private_share(TINY, shares), 4) for task in tasks},
        "settings": {"base": base},
    }
    _save(run, stage, nn.ModuleDict(modules), record)


def write_together(run: Path, stage: str, seed: int) -> None:
    """Write a normals base and its sub-tasks, trained in one stage."""
    torch.manual_seed(seed)
    shares = [LayerShare(1, 32)] * TINY.depth
    tasks = ("depth", "segmentation")
    modules = {task: SubTask(TINY, shares, TASKS[task].channels) for task in tasks}
    base = SingleTaskNetwork(TINY, TASKS["normals"].channels)
    record = {
        "kind": "together",
        "form": "added",
        "task": "normals",
        "base": stage,
        "steps": 30,
        "shares": {task: [vars(one) for one in shares] for task in tasks},
        "rho": {task: round(private_share(TINY, shares), 4) for task in tasks},
    }
    _save(run, stage, nn.ModuleDict({"base": base, "subtasks": nn.ModuleDict(modules)}), record)


def write_elementwise(run: Path, stage: str, base: str) -> None:
    """Write depth as a sub-task that differs from a base in single weights."""
    subtasks = nn.ModuleDict({"depth": ElementwiseSubTask(TINY, TASKS["depth"].channels)})
    torch.nn.init.normal_(subtasks["depth"].delta, std=0.02)
    record = {"kind": "elementwise", "tasks": ["depth"], "base": base, "steps": 10}
    record |= {"density": {"depth": 1.0}}
    _save(run, stage, subtasks, {**record, "settings": {"base": base}})


def write_run(run: Path, seed: int = 0) -> Path:
    """Write a run with every stage of the systems above, and the log of one."""
    for number, (task, stage) in enumerate(SEPARATE.items()):
        write_network(run, stage, task, seed + number)
    write_network(run, "base_normals", "normals", seed + 10)
    write_network(run, "full_depth", "depth", seed + 11, start="base_normals")
    write_network(run, "full_seg", "segmentation", seed + 12, start="base_normals")
    write_shared(run, "shared_equal", seed + 20)
    write_subtasks(run, "units_normals", "base_normals", LayerShare(1, 32), seed + 30)
    write_subtasks(run, "heads_normals", "base_normals", LayerShare(0, 0), seed + 40)
    with SummaryWriter(str(run / "tensorboard" / "units_normals")) as log:
        for step in range(1, 11):
            log.add_scalar("depth", 1.0 / step, step)
            log.add_scalar("learning_rate", 0.1, step)
    return run


def study_values(data: Path, *runs: Path, **changes: Any) -> dict[str, Any]:
    """Return a study of all systems above as the values of its YAML file."""
    systems = {
        "separate": {"tasks": SEPARATE},
        "shared": {"tasks": SHARED, "title": "Shared encoder"},
        "heads": {"tasks": HEADS, "group": "normals base"},
        "units": {"tasks": UNITS, "group": "normals base", "note": "a note"},
        "full": {"tasks": FULL, "group": "normals base", "rho": 1.0},
    }
    return {
        "name": "A study",
        "data": str(data),
        "runs": [str(run) for run in runs],
        "columns": {"depth": ["abs_rel"]},
        "reference": "separate",
        "rival": "shared",
        "resamples": 200,
        "systems": [{"name": name, **system} for name, system in systems.items()],
        **changes,
    }


def write_study(path: Path, values: dict[str, Any]) -> Path:
    """Write a study's YAML file."""
    path.write_text(yaml.safe_dump(values))
    return path
