"""Losses: zero at the truth, blind to what is invalid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.tasks import (
    BOUNDARY,
    DEPTH,
    NORMALS,
    SALIENCY,
    SEGMENTATION,
)
from mtshare_ros.training.batches import BatchSettings, draw_batch
from mtshare_ros.training.jobs.dense import JointJob
from mtshare_ros.training.jobs.together import TogetherJob
from mtshare_ros.training.losses import (
    BOUNDARY_WEIGHT,
    LossWeights,
    distillation_loss,
    task_loss,
)
from support.fake_stills import FakeStills
from support.samples import SMALL


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


def test_fixed_factors_stay() -> None:
    weights = LossWeights({"depth": 0.3}, learn=False)
    assert weights("depth", torch.tensor(2.0)).item() == pytest.approx(0.6)
    assert not any(p.requires_grad for p in weights.parameters()) and not weights.gauges()


def test_a_learned_factor_is_at_rest_where_it_is_one_over_the_loss() -> None:
    weights = LossWeights({"depth": 1.0}, learn=True)
    loss = torch.tensor(0.25)
    weights("depth", loss).backward()
    (s,) = weights.parameters()
    assert s.grad is not None and s.grad.item() == pytest.approx(1 - 0.25)
    with torch.no_grad():
        s.fill_(math.log(0.25))
    s.grad = None
    weights("depth", loss).backward()
    assert s.grad is not None and s.grad.item() == pytest.approx(0.0)  # type: ignore[unreachable]
    assert weights.gauges() == {"depth_factor": pytest.approx(4.0)}


@pytest.mark.parametrize("together", [True, False])
def test_a_job_learns_them_with_the_networks(together: bool) -> None:
    torch.manual_seed(0)
    if together:
        shares = [LayerShare(1, 32)] * SMALL.depth
        subtasks = {"depth": SubTask(SMALL, shares, DEPTH.channels)}
        base = SingleTaskNetwork(SMALL, NORMALS.channels)
        job = TogetherJob(base, "normals", subtasks, 0.5, learn_weights=True)
    else:
        channels = {"normals": NORMALS.channels, "depth": DEPTH.channels}
        job = JointJob(SharedEncoder(SMALL, channels), dict.fromkeys(channels, 1.0), True)  # type: ignore[assignment]
    batch = draw_batch(FakeStills(), BatchSettings(SMALL.size, 4, {*job.tasks}), (0, 0))
    (optimizer,) = job.optimizers(0.0)
    before = {name: float(loss.detach()) for name, loss in job(batch).items()}
    sum(job(batch).values()).backward()  # type: ignore[union-attr]
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    optimizer.step()
    gauges = job.gauges()
    assert set(gauges) == {"normals_factor", "depth_factor"}
    for name, loss in before.items():
        assert (gauges[f"{name}_factor"] > 1.0) == (loss < 1.0)


def test_a_map_is_held_against_the_truth_where_it_lies() -> None:
    """At a quarter of the size, not square, and right in one place only."""
    depth = torch.ones(1, 8, 24)
    depth[:, 4:, 16:] = 4.0
    raw = torch.zeros(1, 1, 2, 6)
    raw[0, 0, 1, 4:] = math.log(4.0)
    # Between the two the upsampled map is neither: along two edges of four pixels.
    assert task_loss(DEPTH, raw, depth) < 0.1
    assert task_loss(DEPTH, raw.flip(-1), depth) > 0.3 < task_loss(DEPTH, raw.flip(-2), depth)


def test_a_loss_is_a_mean_over_what_is_valid_in_the_whole_batch() -> None:
    depth = torch.full((2, 2, 2), torch.nan)
    depth[0, 0, 0] = depth[1] = 1.0
    raw = torch.zeros(2, 1, 2, 2)
    raw[0] = 1.0  # one of five valid pixels is wrong by 1
    assert task_loss(DEPTH, raw, depth) == pytest.approx(0.2)
    labels = torch.full((2, 2, 2), 255)
    labels[0, 0, 0], labels[1] = 1, 0
    logits = torch.zeros(2, 2, 2, 2)
    logits[:, 0] = 30.0
    assert task_loss(SEGMENTATION, logits, labels) == pytest.approx(30.0 / 5, rel=1e-4)


@pytest.mark.parametrize("task", [DEPTH, NORMALS, SEGMENTATION, BOUNDARY, SALIENCY])
def test_a_batch_without_any_truth_costs_nothing_and_has_finite_gradients(task: Any) -> None:
    truth = {
        "normals": torch.zeros(1, 3, 4, 4),
        "segmentation": torch.full((1, 4, 4), 255),
    }.get(task.kind, torch.full((1, 4, 4), torch.nan))
    raw = torch.randn(1, task.channels, 2, 2, requires_grad=True)
    loss = task_loss(task, raw, truth)
    loss.backward()
    assert loss.item() == 0.0 and raw.grad is not None and not raw.grad.any()


def test_the_loss_of_normals_is_their_distance_whatever_their_length() -> None:
    truth = torch.zeros(1, 3, 1, 1)
    truth[:, 2] = -1.0
    for degrees in (10.0, 90.0):
        angle = math.radians(degrees)
        raw = 7 * torch.tensor([math.sin(angle), 0.0, -math.cos(angle)]).view(1, 3, 1, 1)
        expected = 2 * math.sin(angle / 2)
        assert task_loss(NORMALS, raw, truth) == pytest.approx(expected, rel=1e-3)


def test_a_teacher_s_probabilities_are_followed_not_its_logits() -> None:
    raw, other = torch.zeros(1, 2, 1, 1), torch.tensor([math.log(3.0), 0.0]).view(1, 2, 1, 1)
    # The teacher says 3/4 and 1/4, the student 1/2 each; a constant on all logits is nothing.
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    for shift in (0.0, 5.0):
        loss = distillation_loss(SEGMENTATION, raw, other + shift)
        assert loss == pytest.approx(expected, rel=1e-4)
    one = torch.tensor([math.log(3.0)]).view(1, 1, 1, 1)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert distillation_loss(SALIENCY, one, one) == pytest.approx(entropy, rel=1e-4)
    assert distillation_loss(SALIENCY, -one, one) > distillation_loss(SALIENCY, one, one)


def test_fixed_and_learned_factors_are_both_applied() -> None:
    weights = LossWeights({"depth": 0.5, "normals": 1.0}, learn=True)
    with torch.no_grad():
        weights.log_variance["depth"].fill_(math.log(4.0))
    loss = weights("depth", torch.tensor(2.0))
    assert loss.item() == pytest.approx(0.25 * 0.5 * 2.0 + math.log(4.0))
    assert weights("normals", torch.tensor(2.0)).item() == pytest.approx(2.0)
