"""Losses: zero at the truth, blind to what is invalid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mtshare_ros.tasks import (
    BOUNDARY,
    DEPTH,
    NORMALS,
    SALIENCY,
    SEGMENTATION,
)
from mtshare_ros.training.losses import BOUNDARY_WEIGHT, distillation_loss, task_loss


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


def test_following_a_teacher_costs_nothing_where_both_agree() -> None:
    generator = torch.Generator().manual_seed(0)
    for task in (DEPTH, NORMALS, SEGMENTATION):
        raw = torch.randn(2, task.channels, 4, 4, generator=generator)
        other = torch.randn(2, task.channels, 4, 4, generator=generator)
        assert distillation_loss(task, raw, raw) == pytest.approx(0.0, abs=2e-3)
        assert distillation_loss(task, raw, other) > 0.1


@pytest.mark.parametrize("task", [BOUNDARY, SALIENCY])
def test_the_losses_vanish_at_the_truth_and_ignore_what_is_unknown(task: Any) -> None:
    truth = torch.zeros(2, 8, 8)
    truth[:, 4:] = 1.0
    truth[:, :, :2] = torch.nan
    raw = torch.full((2, 1, 8, 8), -50.0)
    raw[:, :, 4:] = 50.0
    raw[:, :, :, :2] *= -1  # wrong where it doesn't count
    assert task_loss(task, raw, truth) == pytest.approx(0.0, abs=1e-6)
    assert task_loss(task, -raw, truth) > 10


def test_a_pixel_on_a_boundary_weighs_more() -> None:
    raw, log2 = torch.zeros(1, 1, 2, 2), float(np.log(2.0))
    ones, zeros = torch.ones(1, 2, 2), torch.zeros(1, 2, 2)
    assert task_loss(BOUNDARY, raw, ones) == pytest.approx(BOUNDARY_WEIGHT * log2)
    assert task_loss(BOUNDARY, raw, zeros) == pytest.approx((1 - BOUNDARY_WEIGHT) * log2)
    assert task_loss(SALIENCY, raw, ones) == task_loss(SALIENCY, raw, zeros)
