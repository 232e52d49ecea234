"""The training loop: learning rates, and a stop that changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mtshare_ros.training import loop
from mtshare_ros.training.checkpoints import load_tensors
from mtshare_ros.training.jobs.gates import GatesJob
from mtshare_ros.training.loop import learning_rate
from mtshare_ros.training.stage_settings import Phase
from mtshare_ros.training.stored import stage_path
from mtshare_ros.training.train import train
from support.fake_stills import config as fake_config
from support.fake_stills import write_config


@pytest.mark.parametrize("steps", [0, 3])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    config = write_config(tmp_path / "c.yaml", fake_config())
    train(config, tmp_path / "whole")

    original = GatesJob.forward
    seen = 0

    def interrupted(job: Any, batch: Any) -> Any:
        """Stop in the middle of the gates stage, as a signal would."""
        nonlocal seen
        seen += 1
        if seen == steps + 1:
            raise KeyboardInterrupt
        return original(job, batch)

    monkeypatch.setattr(GatesJob, "forward", interrupted)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "resumed")
    train(config, tmp_path / "resumed", resume=True)
    for stage in ("base", "gates", "units"):
        whole, _ = load_tensors(stage_path(tmp_path / "whole", stage))
        resumed, _ = load_tensors(stage_path(tmp_path / "resumed", stage))
        for name, value in whole.items():
            assert torch.equal(value, resumed[name]), (stage, name)


def test_the_learning_rate_warms_up_and_ends_at_zero() -> None:
    phase = Phase(size=(64, 48), steps=100, batch=1, lr=1.0, warmup=10)
    rates = [learning_rate(phase, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and max(rates) > 0.95 and rates[-1] < 1e-3
