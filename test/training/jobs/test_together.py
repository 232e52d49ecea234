"""A base and its sub-tasks, trained at once: on images, and on clips as the stream runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.tasks import Task
from mtshare_ros.training.batches import BatchSettings, draw_batch, to_batch
from mtshare_ros.training.jobs import together
from mtshare_ros.training.jobs.together import ClipsJob, TogetherJob
from mtshare_ros.training.losses import distillation_loss
from mtshare_ros.training.stored_subtasks import load_subtasks
from support.fake_stills import PHASE, FakeStills, train_here, write_config
from support.fake_stills import config as fake_config
from support.networks import networks
from support.samples import SMALL


@pytest.mark.parametrize("factor", [0.0, 0.25])
def test_the_gradients_of_sub_tasks_reach_the_base_scaled(factor: float) -> None:
    torch.manual_seed(0)
    config = NetworkConfig(24, 2, 3, 64, size=(64, 48))
    base = SingleTaskNetwork(config, 3).eval()
    subtask = SubTask(config, [LayerShare(1, 32)] * 2, 1)
    batch = to_batch([FakeStills().stored(0)])
    gradients = []
    for scale in (1.0, factor):
        job = TogetherJob(base, "normals", {"depth": subtask}, scale)
        job.zero_grad()
        job(batch)["depth"].backward()
        assert subtask.head.project.weight.grad.abs().max() > 0
        gradients.append(base.stem.to_tokens.weight.grad.clone())
    assert torch.allclose(gradients[1], factor * gradients[0], rtol=1e-4, atol=1e-9)


def test_a_stage_trains_on_clips_and_is_kept(tmp_path: Path) -> None:
    stage = {"kind": "together", "tasks": ["normals", "depth"], "gradient": 0.3, "phases": [PHASE]}
    values = fake_config(
        {**stage, "name": "a", "heads": 1, "neurons": 32},
        {**stage, "name": "b", "start": "a", "frames": 2},
    )
    values["data"]["clips"] = "clips"
    config = write_config(tmp_path / "c.yaml", values)
    records = train_here(config, tmp_path / "run")
    assert records["b"]["settings"]["frames"] == 2
    before, after = (load_subtasks(tmp_path / "run", name)[0]["depth"] for name in "ab")
    moved = [
        not torch.equal(p, q) for p, q in zip(before.parameters(), after.parameters(), strict=True)
    ]
    assert all(moved)


def test_every_frame_is_held_against_its_own_truth() -> None:
    base, subtasks = networks()
    job = ClipsJob(base, "normals", subtasks, 0.3, 2)
    batch = draw_batch(FakeStills(), BatchSettings(SMALL.size, 4, {*job.tasks}, frames=2), (0, 0))
    torch.manual_seed(0)
    whole = {name: float(loss.detach()) for name, loss in job(batch).items()}
    assert set(whole) == {"normals", "depth", "segmentation"}
    for frame in (0, 1):
        changed = {**batch, "depth": batch["depth"].clone()}
        changed["depth"][frame::2] *= 2
        torch.manual_seed(0)
        assert float(job(changed)["depth"].detach()) != pytest.approx(whole["depth"])


def test_what_is_served_and_the_dense_network_are_led_to_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base, subtasks = networks()
    job = ClipsJob(base, "normals", subtasks, 0.3, 2, consistency=2.0)
    batch = draw_batch(FakeStills(), BatchSettings(SMALL.size, 4, {*job.tasks}, frames=2), (0, 0))

    def losses() -> dict[str, float]:
        torch.manual_seed(0)
        return {name: float(loss.detach()) for name, loss in job(batch).items()}

    compared: list[tuple[int, bool, bool]] = []

    def distance(task: Task, raw: Tensor, followed: Tensor) -> Tensor:
        compared.append((len(raw), raw.requires_grad, followed.requires_grad))
        return distillation_loss(task, raw, followed)

    monkeypatch.setattr(together, "distillation_loss", distance)
    stale = losses()
    assert set(stale) == {n + s for n in job.tasks for s in ("", "_consistency")}
    # Of two clips the second frame each: the first is dense as it is served.
    assert compared == [(2, True, True)] * 3
    job.consistency = 4.0
    assert losses()["depth_consistency"] == pytest.approx(2 * stale["depth_consistency"])
    monkeypatch.setattr(together, "SMALLEST", 1.0)
    monkeypatch.setattr(together, "LARGEST", 1.0)
    fresh = losses()
    for name in ("depth_consistency", "segmentation_consistency"):
        assert fresh[name] < 1e-5 < stale[name]
    assert fresh["normals_consistency"] < stale["normals_consistency"]
