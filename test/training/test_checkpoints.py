"""Checkpoints: weights and progress come back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mtshare_ros.training import checkpoints
from mtshare_ros.training.checkpoints import (
    CheckpointError,
    load_tensors,
    part_of,
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


def test_each_optimiser_gets_its_own_moments_back() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(*(nn.Linear(2, 2) for _ in range(12)))  # names of two digits as well
    kinds = (torch.optim.AdamW, torch.optim.Adam)
    halves = (module[:6], module[6:])
    optimizers = [
        kind(half.parameters(), lr=0.1) for kind, half in zip(kinds, halves, strict=True)
    ]
    for factor in (1.0, 3.0):
        (factor * module(torch.ones(1, 2))).sum().backward()
        for optimizer in optimizers:
            optimizer.step()
    fresh = [kind(half.parameters(), lr=0.2) for kind, half in zip(kinds, halves, strict=True)]
    restore_progress(progress_tensors(module, optimizers), module, fresh)
    for old, new in zip(optimizers, fresh, strict=True):
        before, after = old.state_dict(), new.state_dict()
        assert before["state"].keys() == after["state"].keys() and before["state"]
        for index, moments in before["state"].items():
            for key, value in moments.items():
                assert torch.equal(torch.as_tensor(value), after["state"][index][key]), key
        assert new.param_groups[0]["lr"] == 0.2


def test_a_file_stays_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"x": torch.ones(2)}, {"step": 1})

    def full(tensors: dict[str, torch.Tensor], file: str, **_: object) -> None:
        Path(file).write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_tensors(path, {"x": torch.zeros(2)}, {"step": 2})
    tensors, record = load_tensors(path)
    assert record == {"step": 1} and tensors["x"].tolist() == [1, 1]


def test_a_file_of_tensors_without_a_record_is_refused(tmp_path: Path) -> None:
    save_file({"x": torch.ones(2)}, str(tmp_path / "foreign.safetensors"))
    for name in ("foreign", "missing"):
        with pytest.raises(CheckpointError, match=rf"{name}\.safetensors: not a checkpoint"):
            load_tensors(tmp_path / f"{name}.safetensors")


def test_a_part_has_the_tensors_of_its_prefix_alone() -> None:
    tensors = {"base.a": torch.ones(1), "base.base.a": torch.ones(2), "b.base.a": torch.ones(3)}
    assert {name: len(value) for name, value in part_of(tensors, "base.").items()} == {
        "a": 1,
        "base.a": 2,
    }


def test_views_of_one_memory_are_stored_each_as_it_is(tmp_path: Path) -> None:
    whole = torch.arange(12.0).view(3, 4)
    save_tensors(tmp_path / "a.safetensors", {"t": whole.T, "part": whole[1:]}, {})
    tensors, _ = load_tensors(tmp_path / "a.safetensors")
    assert torch.equal(tensors["t"], whole.T) and torch.equal(tensors["part"], whole[1:])
