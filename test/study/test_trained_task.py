"""What is opened is what a stage trained for a task."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.study.plans import plan_of
from mtshare_ros.study.study_config import StudyError, load_study
from mtshare_ros.study.trained_task import full_parameters, predict, steps_of
from mtshare_ros.training.checkpoints import load_tensors, save_tensors
from mtshare_ros.training.stored import load_network, stage_path
from mtshare_ros.training.stored_subtasks import load_subtasks
from support.study_files import (
    SEPARATE,
    TINY,
    study_values,
    write_elementwise,
    write_network,
    write_shared,
    write_study,
    write_subtasks,
    write_together,
)


@torch.no_grad()
def test_a_sub_task_and_a_head_of_a_shared_encoder_are_what_is_run(
    study_trained: list[Path],
) -> None:
    image, run = torch.randn(1, 3, 48, 64), study_trained[0]
    base, _ = load_network(run, "base_normals")
    subtask = load_subtasks(run, "units_normals")[0]["depth"]
    tokens, fine = base.stem(image)
    expected = subtask(tokens, fine, base.transformer(tokens)[1])
    units = predict(run, "units_normals", "depth")
    assert torch.equal(units.raw(image), expected)
    shared = predict(run, "shared_equal", "segmentation")
    expected = load_network(run, "shared_equal", "segmentation")[0](image)
    assert torch.equal(shared.raw(image), expected)
    full = full_parameters(TINY, "depth")
    assert predict(run, "single_depth", "depth").parameters == full
    assert 0 < shared.parameters < units.parameters < full


@torch.no_grad()
def test_a_stage_that_trained_base_and_sub_tasks_together_has_all_of_them(tmp_path: Path) -> None:
    write_together(tmp_path, "together", seed=0)
    image = torch.randn(1, 3, 48, 64)
    full = full_parameters(TINY, "normals")
    base = predict(tmp_path, "together", "normals")
    assert base.parameters == full and base.raw(image).shape == (1, 3, 12, 16)
    depth = predict(tmp_path, "together", "depth")
    assert depth.parameters < full and depth.raw(image).shape == (1, 1, 12, 16)
    study = study_values(tmp_path, tmp_path, rival=None)
    tasks = dict.fromkeys(SEPARATE, "together")
    study["systems"] = [{"name": "separate", "tasks": tasks}]
    loaded = load_study(write_study(tmp_path / "s.yaml", study))
    plan, _ = plan_of(loaded, loaded.systems[0])
    assert plan.kind == "units" and plan.tasks == ("normals", "depth", "segmentation")


@torch.no_grad()
def test_an_element_wise_sub_task_is_the_base_with_some_weights_changed(tmp_path: Path) -> None:
    write_network(tmp_path, "base", "normals", seed=0)
    write_elementwise(tmp_path, "elements", "base")
    found = predict(tmp_path, "elements", "depth")
    assert found.raw(torch.randn(1, 3, 48, 64)).shape == (1, 1, 12, 16)
    with pytest.raises(StudyError, match="trained depth, not normals"):
        predict(tmp_path, "elements", "normals")


def test_parameters_are_what_a_task_adds(tmp_path: Path) -> None:
    write_network(tmp_path, "base", "normals", seed=0)
    write_shared(tmp_path, "shared", seed=0)
    write_elementwise(tmp_path, "elements", "base")
    network, _ = load_network(tmp_path, "shared", "depth")
    heads = sum(p.numel() for p in network.head.parameters())
    # The first task brings the encoder, and the others a head.
    first = predict(tmp_path, "shared", "normals").parameters
    assert first == full_parameters(TINY, "normals")
    assert predict(tmp_path, "shared", "depth").parameters == heads
    # All weights of the transformer differ here, and the head is its own.
    weights = sum(p.numel() for p in network.transformer.parameters())
    found = predict(tmp_path, "elements", "depth").parameters
    assert found == pytest.approx(weights + heads, rel=0.05)


def test_steps_are_those_of_all_stages_that_came_before(tmp_path: Path) -> None:
    write_network(tmp_path, "base", "normals", seed=0)
    write_subtasks(tmp_path, "first", "base", LayerShare(1, 32), seed=1)
    write_subtasks(tmp_path, "later", "base", LayerShare(1, 32), seed=1)
    path = stage_path(tmp_path, "later")
    tensors, record = load_tensors(path)
    record["settings"]["start"], record["steps"] = "first", 7
    save_tensors(path, tensors, record)
    assert steps_of(tmp_path, "later") == (30, 10, 7)
