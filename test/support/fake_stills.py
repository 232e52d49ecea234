"""Stills and a configuration for trainings that take seconds.

As a script it trains: ``torchrun ... fake_stills.py CONFIG RUN``, logging every step.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import yaml

from mtshare_ros.tasks import ROOM_CLASSES, TASKS


class FakeStills:
    """A few stills with structure: a bright square that is nearer and of another class.

    Taken as clips they are two, of four frames each.
    """

    tasks = TASKS
    clip_length = 4

    def __init__(self, path: Path = Path("train")) -> None:
        """Make 8 views of the split that the folder's name says."""
        first = {"validation": 100_000, "test": 200_000}.get(path.name, 0)
        classes = [c.name for c in ROOM_CLASSES]
        self.meta: dict[str, Any] = {"fx": 51.2, "size": [64, 48]}
        self.seeds = set(range(first, first + 8))
        self.meta["classes"] = classes
        rng = np.random.default_rng(0)
        self._samples = []
        for _ in range(8):
            x, y = rng.integers(0, 40), rng.integers(0, 24)
            rgb = rng.integers(40, 90, (48, 64, 3), dtype=np.uint8)
            depth, labels = np.full((48, 64), 3, np.float16), np.ones((48, 64), np.uint8)
            normals = np.zeros((48, 64, 3), np.int8)
            normals[..., 2] = -127
            spot = np.s_[y : y + 20, x : x + 20]
            depth[:, : x // 2] = np.nan  # not as many valid pixels in one view as in another
            rgb[spot], depth[spot], labels[spot] = 220, 1, 4
            normals[spot] = (90, 0, -90)
            self._samples.append(
                {"rgb": rgb, "depth": depth, "labels": labels, "normals": normals}
            )

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self._samples)

    def stored(self, index: int) -> dict[str, Any]:
        """Return a view as in the files."""
        return self._samples[index]


PHASE = {"size": [64, 48], "steps": 6, "batch": 2, "lr": 1e-3, "warmup": 2}
UNITS = {"base": "base", "tasks": ["depth", "segmentation"], "heads": 2, "neurons": 64}


def config(*stages: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a configuration of base, gates and units, or of ``stages``."""
    usual = (
        {"kind": "single_task", "name": "base", "task": "normals", "phases": [PHASE, PHASE]},
        {"kind": "gates", "name": "gates", **UNITS, "rho": 0.3, "phases": [PHASE]},
        {"kind": "units", "name": "units", "base": "base", "start": "gates", "phases": [PHASE]},
    )
    return {
        "name": "t",
        "description": "test",
        "precision": "fp32",
        "data": {"train": "train", "validation": "validation"},
        "network": {"width": 24, "depth": 2, "heads": 3, "hidden": 64, "size": [64, 48]},
        "stages": list(stages or usual),
        **changes,
    }


def write_config(path: Path, values: dict[str, Any]) -> Path:
    """Write a configuration and return its path."""
    path.write_text(yaml.safe_dump(values))
    return path


def losses_of(run: Path, stage: str) -> dict[str, list[float]]:
    """Return the losses that a stage logged, step by step."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard" / stage))
    events.Reload()
    tags = [t for t in events.Tags()["scalars"] if t != "learning_rate" and "_rho" not in t]
    return {tag: [event.value for event in events.Scalars(tag)] for tag in tags}


def train_here(config_path: Path, run: Path, **options: Any) -> dict[str, Any]:
    """Train with the fake stills, every step logged."""
    from mtshare_ros.training import data_sets, loop
    from mtshare_ros.training.train import train

    with (
        mock.patch.object(data_sets, "StillsDataset", FakeStills),
        mock.patch.object(loop, "LOG_STEPS", 1),
    ):
        return train(config_path, run, **options)


if __name__ == "__main__":
    train_here(Path(sys.argv[1]), Path(sys.argv[2]))
