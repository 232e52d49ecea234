"""Opens the simulated rooms that a configuration names; refuses those that must not be used."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mtshare_ros.datasets.seeds import split_of
from mtshare_ros.datasets.stills import StillsDataset
from mtshare_ros.tasks import ROOM_CLASSES
from mtshare_ros.training.batches import Stills
from mtshare_ros.training.configuration import ConfigError, TrainingConfig


def open_rooms(config: TrainingConfig) -> tuple[StillsDataset, StillsDataset]:
    """Return the simulated rooms to train and to validate on."""
    data = config.data
    train, validation = StillsDataset(data.train), StillsDataset(data.validation)
    _check_rooms(data.train, train)
    _check_rooms(data.validation, validation)
    _check_apart(data.train, train, data.validation, validation.seeds)
    return train, validation


def open_clips(config: TrainingConfig, validation: Stills) -> StillsDataset:
    """Return the clips to train on."""
    data = config.data
    assert data.clips is not None
    clips = StillsDataset(data.clips)
    _check_rooms(data.clips, clips)
    _check_apart(data.clips, clips, data.validation, getattr(validation, "seeds", set()))
    longest = max((getattr(stage, "frames", 1) for stage in config.stages), default=1)
    if clips.clip_length < longest:
        raise ConfigError(
            f"{data.clips}: clips of {clips.clip_length} frames, expected {longest} or more"
        )
    return clips


def _check_apart(
    folder: Path, trained: StillsDataset, validation: Path, seeds: Collection[int]
) -> None:
    """Refuse rooms that are trained on and validated on."""
    shared = trained.seeds & set(seeds)
    if shared:
        raise ConfigError(
            f"{validation}: rooms {min(shared)} to {max(shared)} are trained on"
            f" in {folder}; validation needs rooms of its own"
        )


def _check_rooms(folder: Path, stills: StillsDataset) -> None:
    """Refuse stills with other classes, and rooms that are kept for tests."""
    expected = [c.name for c in ROOM_CLASSES]
    if stills.meta["classes"] != expected:
        raise ConfigError(f"{folder}: classes {stills.meta['classes']}, expected {expected}")
    splits = {split_of(seed) for seed in stills.seeds} - {"train", "validation"}
    if splits:
        raise ConfigError(f"{folder}: holds rooms of {sorted(splits)}, which are never trained on")
