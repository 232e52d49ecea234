"""The training loop: learning rates, and a stop that changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtshare_ros.errors import JobError
from mtshare_ros.training import loop
from mtshare_ros.training.batches import Batch
from mtshare_ros.training.checkpoints import CheckpointError, load_tensors
from mtshare_ros.training.configuration import load_config
from mtshare_ros.training.devices import open_fabric
from mtshare_ros.training.jobs.gates import GatesJob
from mtshare_ros.training.loop import Job, LoopSettings, adamw, fit, learning_rate
from mtshare_ros.training.stage_settings import Phase, Stage
from mtshare_ros.training.stored import stage_path
from mtshare_ros.training.train import train
from support.fake_stills import FakeStills, write_config
from support.fake_stills import config as fake_config


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


class Slope(Job):
    """A weight whose gradient is ``steepness`` in every step, and one that nothing clips."""

    tasks = ("depth",)

    def __init__(self, steepness: float, seen: Callable[[Batch], None] = lambda batch: None):
        """Start at zero."""
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.other = nn.Parameter(torch.zeros(()))
        self.steepness, self.seen = steepness, seen

    def optimizers(self, weight_decay: float) -> list[torch.optim.Optimizer]:
        """Return plain descents, the second at a rate of its own."""
        return [
            torch.optim.SGD([self.weight], lr=0.0),
            torch.optim.SGD([self.other], lr=0.5),
        ]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss."""
        self.seen(batch)
        return {"depth": self.steepness * (self.weight[0] + self.other)}


def settings(tmp_path: Path, **changes: Any) -> LoopSettings:
    config = load_config(write_config(tmp_path / "c.yaml", fake_config()))
    values = {"identity": {"name": "a"}, "seed": 7, "resume": False, **changes}
    return LoopSettings(folder=tmp_path, config=config, **values)


def stage(*steps: int, lr: float = 0.1) -> Stage:
    phases = [Phase(size=(32, 16), steps=n, batch=2, lr=lr, warmup=0) for n in steps]
    return Stage(kind="single_task", name="a", phases=tuple(phases))


def descended(tmp_path: Path, steepness: float, steps: int = 4) -> tuple[float, float]:
    job = Slope(steepness)
    record = fit(job, stage(steps), FakeStills(), settings(tmp_path), open_fabric("fp32"))
    assert (record["steps"], record["images"]) == (steps, 2 * steps)
    return -float(job.weight[0].detach()), -float(job.other.detach())


def test_a_steep_gradient_is_clipped_and_a_gentle_one_is_taken_as_it_is(tmp_path: Path) -> None:
    rates = sum(learning_rate(stage(4).phases[0], step) for step in range(4))
    assert descended(tmp_path, 0.5) == pytest.approx((0.5 * rates, 4 * 0.5 * 0.5))
    # To a norm of 1; what other optimisers train is theirs.
    assert descended(tmp_path, 100.0) == pytest.approx((rates, 4 * 0.5 * 100.0), rel=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_training_by_name(tmp_path: Path, value: float) -> None:
    job, seen = Slope(1.0), []

    def spoil(batch: Batch) -> None:
        seen.append(batch)
        job.steepness = value if len(seen) == 6 else 1.0

    job.seen = spoil
    job.weight.data.fill_(1.0)
    with pytest.raises(JobError, match=r"stage a, step 5: losses {'depth'"):
        fit(job, stage(4, 3), FakeStills(), settings(tmp_path), open_fabric("fp32"))
    assert torch.isfinite(job.weight).all()


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    fabric = open_fabric("fp32")
    fit(Slope(1.0), stage(2), FakeStills(), settings(tmp_path), fabric)
    again = settings(tmp_path, resume=True, identity={"name": "b"})
    with pytest.raises(CheckpointError, match="made with other settings of stage a"):
        fit(Slope(1.0), stage(2), FakeStills(), again, fabric)


@pytest.mark.parametrize("stopped", [1, 3, 4, 6])
def test_a_training_goes_on_in_the_phase_and_with_the_batch_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: int
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", -1.0)
    fabric, phases = open_fabric("fp32"), stage(3, 4)

    def seen_of(job: Slope, **changes: Any) -> list[Tensor]:
        images: list[Tensor] = []

        def keep(batch: Batch) -> None:
            images.append(batch["image"].clone())
            if len(images) == changes.get("until"):
                raise KeyboardInterrupt

        job.seen = keep
        fit(job, phases, FakeStills(), settings(tmp_path, resume="until" not in changes), fabric)
        return images

    whole = Slope(1.0)
    expected = seen_of(whole)
    (tmp_path / "a.checkpoint.safetensors").unlink()
    with pytest.raises(KeyboardInterrupt):
        seen_of(Slope(1.0), until=stopped + 1)
    rest = Slope(1.0)
    found = seen_of(rest)
    assert len(expected) == 7 and len(found) == 7 - stopped
    assert all(torch.equal(a, b) for a, b in zip(found, expected[stopped:], strict=True))
    assert torch.equal(rest.weight, whole.weight) and torch.equal(rest.other, whole.other)
    assert not any(torch.equal(a, b) for a, b in zip(expected, expected[1:], strict=False))


def test_progress_counts_the_steps_of_all_phases(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    one = settings(tmp_path, on_step=lambda done, total, text: told.append((done, total)))
    fit(Slope(1.0), stage(2, 3), FakeStills(), one, open_fabric("fp32"))
    assert told == [(n, 5) for n in range(1, 6)]


def test_the_learning_rate_is_half_of_a_cosine_after_its_warm_up() -> None:
    phase = Phase(size=(64, 48), steps=100, batch=1, lr=2.0, warmup=0)
    assert learning_rate(phase, 0) == 2.0 and learning_rate(phase, 50) == pytest.approx(1.0)
    assert learning_rate(phase, 25) == pytest.approx(2 * 0.853553, rel=1e-4)
    warm = phase.model_copy(update={"warmup": 10})
    for step, share in ((0, 0.1), (4, 0.5), (9, 1.0), (50, 1.0)):
        assert learning_rate(warm, step) == pytest.approx(share * learning_rate(phase, step))


def test_weight_decay_is_for_matrices_and_what_is_frozen_is_left_out() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.LayerNorm(4), nn.Linear(4, 2), nn.Linear(2, 5, bias=False)
    )
    module[3].weight.requires_grad_(False)
    matrices, vectors = adamw([module], 0.05).param_groups
    assert [p.shape for p in matrices["params"]] == [(4, 3, 1, 1), (2, 4)]
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.05, 0.0)
    assert len(vectors["params"]) == 4
