"""Training: configurations, batches, losses, resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from mtshare_ros.tasks import DEPTH, NORMALS, ROOM_CLASSES, SEGMENTATION
from mtshare_ros.training import run as training_run
from mtshare_ros.training.batches import augment, draw_batch, to_batch
from mtshare_ros.training.checkpoints import CheckpointError, load_tensors
from mtshare_ros.training.config import ConfigError, Phase, load_config
from mtshare_ros.training.loop import learning_rate
from mtshare_ros.training.losses import task_loss

RECIPE = Path(__file__).parents[1] / "config" / "training" / "room.yaml"


class _Stills:
    """A few stills with structure: a bright square that is nearer and of another class."""

    def __init__(self, path: Path = Path("train")) -> None:
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
            rgb[spot], depth[spot], labels[spot] = 220, 1, 4
            normals[spot] = (90, 0, -90)
            self._samples.append(
                {"rgb": rgb, "depth": depth, "labels": labels, "normals": normals}
            )

    def __len__(self) -> int:
        return len(self._samples)

    def stored(self, index: int) -> dict[str, Any]:
        return self._samples[index]


def _config(**changes: Any) -> dict[str, Any]:
    phase = {"size": [64, 48], "steps": 6, "batch": 2, "lr": 1e-3, "warmup": 2}
    return {
        "name": "t",
        "description": "test",
        "precision": "fp32",
        "data": {"train": "train", "validation": "validation"},
        "network": {"width": 24, "depth": 2, "heads": 3, "hidden": 64, "size": [64, 48]},
        "stages": [
            {"kind": "single_task", "name": "base", "task": "normals", "phases": [phase, phase]},
            {
                "kind": "gates",
                "name": "gates",
                "base": "base",
                "tasks": ["depth", "segmentation"],
                "rho": 0.3,
                "heads": 2,
                "neurons": 64,
                "phases": [phase],
            },
            {
                "kind": "units",
                "name": "units",
                "base": "base",
                "start": "gates",
                "phases": [phase],
            },
        ],
        **changes,
    }


def _write(path: Path, values: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(autouse=True)
def _stills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "StillsDataset", _Stills)


def test_the_shipped_recipe_is_valid() -> None:
    names = [stage.name for stage in load_config(RECIPE).stages]
    assert names == ["base", "gates", "units", "refine"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(precison="fp32"), "precison"),
        (lambda c: c["stages"][0]["phases"][0].update(step=3), "step"),
        (lambda c: c["stages"][0]["phases"][0].update(size=[60, 48]), "multiples of 16"),
        (lambda c: c["network"].update(widht=24), "widht"),
        (lambda c: c["network"].update(heads=5), "not a multiple of heads"),
        (lambda c: c["stages"][0].update(task="edges"), "no task 'edges'"),
        (lambda c: c["stages"][1].update(base="bass"), "base 'bass'"),
        (lambda c: c["stages"][2].update(start="base"), "start 'base'"),
        (lambda c: c["stages"][1].update(rho=1.5), "rho"),
        (lambda c: c["stages"][1].update(neurons=50), "multiple of group 32"),
        (lambda c: c["stages"][1].update(heads=4), "blocks have 3"),
        (lambda c: c["stages"][1].update(tasks=["normals"]), "base's own"),
        (lambda c: c["stages"][1].update(tasks=["depth", "depth"]), "twice"),
        (lambda c: c["stages"][0].update(name="checkpoint"), "name is taken"),
        (lambda c: c.update(seed=-1), "seed"),
        (lambda c: c["stages"][2].update(name="base"), "name is taken"),
    ],
)
def test_a_wrong_configuration_is_refused_by_file_and_key(
    tmp_path: Path, change: Any, message: str
) -> None:
    values = _config()
    values["stages"][0]["phases"] = [dict(p) for p in values["stages"][0]["phases"]]
    change(values)
    with pytest.raises(ConfigError, match=message) as raised:
        load_config(_write(tmp_path / "c.yaml", values))
    assert "c.yaml" in str(raised.value) and "\n" not in str(raised.value)


def test_a_whole_training_runs_and_its_stages_load(tmp_path: Path) -> None:
    config = _write(tmp_path / "c.yaml", _config())
    records = training_run.train(config, tmp_path / "run")
    assert list(records) == ["base", "gates", "units"]
    assert records["units"]["rho"]["depth"] <= 0.3
    assert 0 <= records["units"]["validation"]["segmentation"]["miou"] <= 1
    subtasks, record = training_run.load_subtasks(tmp_path / "run", "units")
    assert set(subtasks) == {"depth", "segmentation"} and record["base"] == "base"


@pytest.mark.parametrize("steps", [0, 3])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    config = _write(tmp_path / "c.yaml", _config())
    training_run.train(config, tmp_path / "whole")

    from mtshare_ros.training import loop

    calls = 0
    original = training_run.fit

    def interrupted(job: Any, stage: str, phases: Any, stills: Any, settings: Any) -> Any:
        """Stop in the middle of the gates stage, as a signal would."""
        nonlocal calls
        if stage == "gates" and calls == 0:
            calls += 1
            losses = job.losses
            seen = 0

            def stop_after_steps(batch: Any) -> Any:
                nonlocal seen
                seen += 1
                if seen > steps:
                    raise KeyboardInterrupt
                return losses(batch)

            job.losses = stop_after_steps
        return original(job, stage, phases, stills, settings)

    monkeypatch.setattr(training_run, "fit", interrupted)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        training_run.train(config, tmp_path / "resumed")
    training_run.train(config, tmp_path / "resumed", resume=True)
    for stage in ("base", "gates", "units"):
        whole, _ = load_tensors(training_run.stage_path(tmp_path / "whole", stage))
        resumed, _ = load_tensors(training_run.stage_path(tmp_path / "resumed", stage))
        for name, value in whole.items():
            assert torch.equal(value, resumed[name]), (stage, name)


def test_a_run_is_neither_overwritten_nor_resumed_with_another_configuration(
    tmp_path: Path,
) -> None:
    config = _write(tmp_path / "c.yaml", _config())
    training_run.train(config, tmp_path / "run")
    with pytest.raises(ConfigError, match="--resume"):
        training_run.train(config, tmp_path / "run")
    other = _write(tmp_path / "d.yaml", _config(seed=1))
    with pytest.raises(ConfigError, match="differs"):
        training_run.train(other, tmp_path / "run", resume=True)


def test_a_broken_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "base.safetensors"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"base\.safetensors"):
        load_tensors(path)


def test_batches_depend_on_their_seed_only() -> None:
    a, b, c = (draw_batch(_Stills(), (32, 16), 4, 0.2, (0, s)) for s in (5, 5, 6))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a["image"], c["image"])
    assert a["image"].shape == (4, 3, 16, 32) and a["depth"].shape == (4, 16, 32)


def test_mirroring_turns_the_normals_x_over() -> None:
    stills = _Stills()
    batch = to_batch([stills.stored(0)] * 16)
    mirrored = augment(batch, 0.0, np.random.default_rng(0))
    flipped = [i for i in range(16) if not torch.equal(mirrored["depth"][i], batch["depth"][i])]
    assert 0 < len(flipped) < 16
    for i in range(16):
        same = batch["normals"][i]
        expected = (
            same.flip(-1) * torch.tensor([-1.0, 1, 1]).view(3, 1, 1) if i in flipped else same
        )
        assert torch.equal(mirrored["normals"][i], expected)
        labels = batch["segmentation"][i]
        assert torch.equal(
            mirrored["segmentation"][i], labels.flip(-1) if i in flipped else labels
        )


def test_losses_ignore_what_is_invalid_and_vanish_at_the_truth() -> None:
    depth = torch.full((1, 8, 8), 2.0)
    depth[0, 0, 0] = torch.nan
    right = torch.full((1, 1, 2, 2), 2.0).log()
    assert task_loss(DEPTH, right, depth) == pytest.approx(0.0, abs=1e-6)
    assert task_loss(DEPTH, right + 0.5, depth) == pytest.approx(0.5, abs=1e-6)
    normals = torch.zeros(1, 3, 8, 8)
    normals[:, 2, :, 4:] = -1.0
    facing = torch.tensor([0.0, 0, -7]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert task_loss(NORMALS, facing, normals) < 2e-3
    assert task_loss(NORMALS, -facing, normals) == pytest.approx(2.0, abs=1e-3)
    labels = torch.full((1, 8, 8), 255)
    labels[0, 4:] = 3
    logits = torch.zeros(1, 16, 2, 2)
    logits[:, 3] = 50.0
    assert task_loss(SEGMENTATION, logits, labels) == pytest.approx(0.0, abs=1e-6)


def test_the_learning_rate_warms_up_and_ends_at_zero() -> None:
    phase = Phase(size=(64, 48), steps=100, batch=1, lr=1.0, warmup=10)
    rates = [learning_rate(phase, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and max(rates) > 0.95 and rates[-1] < 1e-3


def test_validation_rooms_that_are_trained_on_and_test_rooms_are_refused(tmp_path: Path) -> None:
    for train, validation, message in (
        ("train", "train", "trained on"),
        ("test", "validation", "never trained on"),
    ):
        data = {"train": train, "validation": validation}
        config = _write(tmp_path / "c.yaml", _config(data=data))
        with pytest.raises(ConfigError, match=message):
            training_run.train(config, tmp_path / "run")
        assert not (tmp_path / "run").exists()
