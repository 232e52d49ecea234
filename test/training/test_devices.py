"""Several processes train as one does with the whole batch: real torchrun, real gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from mtshare_ros.training import devices
from mtshare_ros.training.checkpoints import load_tensors
from mtshare_ros.training.configuration import ConfigError
from mtshare_ros.training.devices import (
    GlobalBatchNorm2d,
    global_mean,
    open_fabric,
    with_global_batch_norms,
)
from mtshare_ros.training.stored import stage_path
from support.fake_stills import PHASE, UNITS, config, losses_of, write_config

SCRIPT = Path(__file__).parents[1] / "support" / "fake_stills.py"
WIDE = {**PHASE, "batch": 4, "steps": 8}


@pytest.mark.parametrize("text", ["", "two", "0", "-1", "1.5"])
def test_a_number_of_processes_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", text)
    with pytest.raises(ConfigError, match=f"WORLD_SIZE: found {text!r}, expected a number"):
        open_fabric("fp32")


def _train(processes: int, config_path: Path, run: Path) -> subprocess.CompletedProcess[str]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, "--nproc-per-node", str(processes), str(SCRIPT), str(config_path)]
    return subprocess.run(
        [*command, str(run)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the run of one process and that of two, with the same configuration."""
    folder = tmp_path_factory.mktemp("parallel")
    values = config(
        {"kind": "single_task", "name": "base", "task": "depth", "phases": [WIDE]},
        {
            "kind": "gates",
            "name": "gates",
            **UNITS,
            "tasks": ["normals", "segmentation"],
            "rho": 0.3,
            "phases": [WIDE],
        },
    )
    path = write_config(folder / "c.yaml", values)
    for processes in (1, 2):
        done = _train(processes, path, folder / f"run{processes}")
        assert done.returncode == 0, done.stderr
    return folder / "run1", folder / "run2"


@pytest.mark.parametrize("stage", ["base", "gates"])
def test_two_processes_have_the_losses_of_one_with_twice_the_batch(
    runs: tuple[Path, Path], stage: str
) -> None:
    one, two = (losses_of(run, stage) for run in runs)
    assert one.keys() == two.keys() and len(next(iter(one.values()))) == WIDE["steps"]
    for name, losses in one.items():
        assert two[name] == pytest.approx(losses, rel=2e-3, abs=2e-5), name
    assert load_tensors(stage_path(runs[1], stage))[1]["processes"] == 2


def test_the_base_has_the_same_batch_statistics(runs: tuple[Path, Path]) -> None:
    one, two = (load_tensors(stage_path(run, "base"))[0] for run in runs)
    for name in one:
        if "running" in name:
            assert torch.allclose(one[name], two[name], rtol=1e-3, atol=1e-4), name


def test_gates_are_the_same_in_both_processes(runs: tuple[Path, Path]) -> None:
    """Gates drawn differently in each process would keep the share from its target."""
    records = [load_tensors(stage_path(run, "gates"))[1] for run in runs]
    assert records[0]["shares"] == records[1]["shares"]


def test_a_batch_that_can_not_be_split_is_refused(tmp_path: Path) -> None:
    odd = {**PHASE, "batch": 3}
    values = config({"kind": "single_task", "name": "base", "task": "depth", "phases": [odd]})
    done = _train(2, write_config(tmp_path / "c.yaml", values), tmp_path / "run")
    assert done.returncode != 0
    assert "batch 3, expected a multiple of the 2 processes" in done.stderr


def test_one_process_normalises_as_pytorch_does() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    x = torch.randn(2, 3, 5, 5)
    expected = module(x)
    with_global_batch_norms(module)
    assert isinstance(module[1], GlobalBatchNorm2d)
    assert torch.equal(module(x), expected)


def test_the_same_norm_is_over_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    module = nn.Sequential(nn.BatchNorm2d(4, eps=0.1)).eval()
    module[0].weight.requires_grad_(False)
    with_global_batch_norms(module)
    norm = module[0]
    assert norm.eps == 0.1 and not norm.training
    assert not norm.weight.requires_grad and norm.bias.requires_grad


def test_the_mean_of_nothing_is_no_loss() -> None:
    assert global_mean(torch.tensor([1.0, 2.0, 6.0])).item() == 3.0
    assert global_mean(torch.empty(0)).item() == 0.0


def test_half_precision_is_taken_where_the_hardware_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[dict[str, Any]] = []

    class Opened:
        def __init__(self, **options: Any) -> None:
            opened.append(options)

        def launch(self) -> None:
            """Start nothing."""

    monkeypatch.setattr(devices, "Fabric", Opened)
    for has, precision, expected in (
        (False, "auto", "32-true"),
        (True, "auto", "bf16-mixed"),
        (False, "bf16", "bf16-mixed"),
        (True, "fp32", "32-true"),
    ):
        monkeypatch.setattr(devices, "supports_bf16", lambda has=has: has)
        open_fabric(precision)
        assert opened[-1]["precision"] == expected
    assert (opened[-1]["devices"], opened[-1]["num_nodes"]) == (1, 1)
    assert opened[-1]["strategy"] == "auto"


def test_processes_of_several_machines_are_counted_by_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[dict[str, Any]] = []
    launched = SimpleNamespace(launch=lambda: None)
    monkeypatch.setattr(devices, "Fabric", lambda **options: opened.append(options) or launched)
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    open_fabric("fp32")
    found = {key: opened[0][key] for key in ("devices", "num_nodes", "strategy", "accelerator")}
    assert found == {"devices": 4, "num_nodes": 2, "strategy": "ddp", "accelerator": "cpu"}
