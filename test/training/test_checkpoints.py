"""Checkpoints: weights and progress come back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from mtshare_ros.training.checkpoints import (
    CheckpointError,
    load_tensors,
    progress_tensors,
    restore_progress,
    said_of,
    save_tensors,
)


def test_a_broken_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "base.safetensors"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"base\.safetensors"):
        load_tensors(path)


@pytest.mark.parametrize("record", ["[]", "{", "3", "[" * 5000])
def test_a_record_that_is_none_is_refused_by_name(tmp_path: Path, record: str) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "base.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={"record": record})
    with pytest.raises(CheckpointError, match=r"base\.safetensors: not a checkpoint"):
        load_tensors(path)


def test_what_lacks_in_a_record_is_said_of_its_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"x\.safetensors: not a checkpoint.*'network'"):
        with said_of(tmp_path / "x.safetensors"):
            {}["network"]


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none" / "base.safetensors"
    with pytest.raises(CheckpointError, match=r"base\.safetensors: can't be written"):
        save_tensors(path, {"a": torch.zeros(1)}, {})


def stepped(module: nn.Module, optimizer: torch.optim.Optimizer) -> torch.Tensor:
    optimizer.zero_grad()
    module(torch.ones(2, 3)).square().sum().backward()
    optimizer.step()
    return module.weight.detach().clone()


def test_training_goes_on_from_a_file_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, other = nn.Linear(3, 2), nn.Linear(3, 2)
    optimizer, fresh = (torch.optim.AdamW(m.parameters(), lr=0.1) for m in (module, other))
    stepped(module, optimizer)
    path = tmp_path / "stage.checkpoint.safetensors"
    save_tensors(path, progress_tensors(module, [optimizer]), {"step": 1})
    tensors, record = load_tensors(path)
    assert record == {"step": 1} and [p.name for p in tmp_path.iterdir()] == [path.name]
    restore_progress(tensors, other, [fresh])
    assert torch.equal(stepped(other, fresh), stepped(module, optimizer))
