"""Learning curves out of a run's logs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from mtshare_ros.study.learning_curves import read_curves, smoothed
from mtshare_ros.training.checkpoints import load_tensors, save_tensors
from mtshare_ros.training.stored import stage_path
from support.study_files import write_shared


def test_a_curve_starts_where_the_base_ended(study_trained: list[Path]) -> None:
    (curve,) = read_curves(study_trained[0], "units_normals")
    assert curve.task == "depth" and list(curve.steps) == list(range(31, 41))
    assert curve.loss[0] == pytest.approx(1.0) and 0.1 < curve.loss[-1] < 0.5
    assert read_curves(study_trained[0], "single_depth") == []
    assert smoothed(np.full(5, 3.0)) == pytest.approx(np.full(5, 3.0))


def test_a_curve_is_the_loss_before_any_factor(tmp_path: Path) -> None:
    write_shared(tmp_path, "joint", 0)
    path = stage_path(tmp_path, "joint")
    tensors, record = load_tensors(path)
    record["settings"]["auxiliary"] = 0.25
    save_tensors(path, tensors, record)
    with SummaryWriter(str(tmp_path / "tensorboard" / "joint")) as log:
        for step in range(3):
            # factor * weighted loss - log(factor), of a loss of 2 in both tasks.
            log.add_scalar("normals", 0.5 * 2.0 - np.log(0.5), step)
            log.add_scalar("normals_factor", 0.5, step)
            log.add_scalar("depth", 0.25 * 2.0, step)
    curves = {curve.task: curve for curve in read_curves(tmp_path, "joint")}
    assert list(curves) == ["normals", "depth"]
    for curve in curves.values():
        assert curve.loss == pytest.approx([2.0] * 3) and list(curve.steps) == [0, 1, 2]


def test_smoothing_weighs_what_came_before_less_and_less() -> None:
    # (0.9 * 4 + 1) / 1.9, not pulled to zero at the start.
    assert smoothed(np.array([4.0, 1.0])) == pytest.approx([4.0, 4.6 / 1.9])
