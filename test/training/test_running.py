"""Training as the stream runs: caches within a batch, clips, and the stage that uses both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.export.writer import reference_engine
from mtshare_ros.network.over_time import Memory, next_frame
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.tasks import DEPTH, NORMALS, SEGMENTATION, Task
from mtshare_ros.training.batches import BatchSettings, draw_batch
from mtshare_ros.training.configuration import ConfigError, load_config
from mtshare_ros.training.jobs import running as running_job
from mtshare_ros.training.jobs.running import RunningJob, cells_of, stale_tokens
from mtshare_ros.training.losses import distillation_loss
from mtshare_ros.training.stored import load_subtasks
from support.fake_stills import PHASE, FakeStills, train_here, write_config
from support.fake_stills import config as fake_config
from support.samples import SMALL

SHARES = [LayerShare(1, 32), LayerShare(0, 32), LayerShare(2, 0)]


def networks() -> tuple[SingleTaskNetwork, dict[str, SubTask]]:
    """Return networks none of whose weights is zero."""
    torch.manual_seed(0)
    base = SingleTaskNetwork(SMALL, NORMALS.channels)
    subtasks = {
        t.name: SubTask(SMALL, SHARES[: SMALL.depth], t.channels) for t in (DEPTH, SEGMENTATION)
    }
    for module in (base, *subtasks.values()):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        module.eval()
    return base, subtasks


@torch.no_grad()
def test_it_is_what_the_stream_computes() -> None:
    base, subtasks = networks()
    tasks = {DEPTH: subtasks["depth"], SEGMENTATION: subtasks["segmentation"]}
    engine, _, deployed, base = reference_engine(base, NORMALS, tasks, 0.8)
    subtasks = {task.name: subtask for task, subtask in deployed.items()}
    rng = np.random.default_rng(0)
    states, memories = [engine.new_state() for _ in range(2)], None
    for frame in range(4):
        width, height = SMALL.size
        images = rng.normal(size=(2, 3, height, width)).astype(np.float32)
        dirty = rng.random((2, SMALL.tokens)) < (0.3 if frame else 2.0)
        dirty[:, 0] = True
        tokens, fine = base.stem(torch.from_numpy(images))
        memories = next_frame(
            base, "normals", subtasks, tokens, torch.from_numpy(dirty), memories, lambda x: x
        )
        heads = {"normals": base.head, **{name: s.head for name, s in subtasks.items()}}
        for clip, state in enumerate(states):
            index = np.flatnonzero(dirty[clip])
            wanted = dict.fromkeys(heads, index)
            raw = engine.run(state, images[clip : clip + 1], index, wanted).raw
            for name, head in heads.items():
                found = head.mix_cells(memories.cells[name], fine)[clip].numpy()
                np.testing.assert_allclose(found, raw[name], rtol=1e-3, atol=1e-4)


def test_gradients_go_back_through_the_caches() -> None:
    base, subtasks = networks()
    first = torch.randn(1, 3, SMALL.size[1], SMALL.size[0], requires_grad=True)
    second = torch.randn(1, 3, SMALL.size[1], SMALL.size[0])
    memory: Memory | None = None
    for image, share in ((first, 2.0), (second, 0.5)):
        torch.manual_seed(1)
        dirty = torch.rand(1, SMALL.tokens) < share
        memory = next_frame(
            base, "normals", subtasks, base.stem(image)[0], dirty, memory, lambda x: x
        )
    assert memory is not None
    dirty_cells = memory.cells["depth"][dirty]
    dirty_cells.sum().backward()
    assert first.grad is not None and first.grad.abs().max() > 0


def test_what_changed_most_is_recomputed_and_remembered() -> None:
    torch.manual_seed(0)
    images = torch.zeros(2, 3, 64, 96)
    later = images.clone()
    later[0, :, 16:32, 32:48] = 5.0
    later[1, :, 0:16, 0:16] = 5.0
    reference, age = cells_of(images), torch.ones(2, 24, dtype=torch.long)
    dirty, after = stale_tokens(cells_of(later), reference, age, torch.tensor([1 / 24, 0.5]))
    assert dirty.sum(1).tolist() == [1, 12]
    assert dirty[0, 6 + 2] and dirty[1, 0]
    assert torch.equal(after[0], cells_of(later)[0])
    again, _ = stale_tokens(cells_of(later), after, age, torch.tensor([1 / 24, 1 / 24]))
    assert again.sum(1).tolist() == [1, 1]
    age[:, 7] = 1000
    oldest, _ = stale_tokens(cells_of(images), reference, age, torch.tensor([1 / 24, 1 / 24]))
    assert oldest[:, 7].all()


def test_a_batch_of_clips_has_frames_in_order_changed_alike() -> None:
    stills = FakeStills()
    for number in range(8):
        stills.stored(number)["depth"][:] = number + 1
        stills.stored(number)["rgb"][:] = 100
    settings = BatchSettings((64, 48), 6, {"depth"}, jitter=0.3, noise=4.0, frames=3)
    seen = set()
    for step in range(10):
        batch = draw_batch(stills, settings, (0, step))
        numbers = batch["depth"][:, 0, 0].view(2, 3)
        assert (numbers.diff(dim=1) > 0).all()
        assert ((numbers - 1).div(4, rounding_mode="floor").diff(dim=1) == 0).all()
        means = batch["image"].mean(dim=(2, 3)).view(2, 3, 3)
        assert means.std(dim=1).max() < 0.01 < means.std(dim=0).max()
        noise = batch["image"] - batch["image"].mean(dim=(2, 3), keepdim=True)
        assert not torch.allclose(noise[0], noise[1], atol=1e-3)
        seen |= {tuple(row) for row in numbers.int().tolist()}
    assert len(seen) > 4


def running(**changes: Any) -> dict[str, Any]:
    stages = (
        {"kind": "together", "name": "a", "tasks": ["normals", "depth"], "heads": 1,
         "neurons": 32, "gradient": 0.3, "phases": [PHASE]},
        {"kind": "together", "name": "b", "tasks": ["normals", "depth"], "start": "a",
         "gradient": 0.3, "frames": 2, "phases": [PHASE], **changes},
    )  # fmt: skip
    values = fake_config(*stages)
    values["data"]["clips"] = "clips"
    return values


def test_a_stage_trains_on_clips_and_is_kept(tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", running())
    records = train_here(config, tmp_path / "run")
    assert records["b"]["settings"]["frames"] == 2
    before, after = (load_subtasks(tmp_path / "run", name)[0]["depth"] for name in "ab")
    moved = [
        not torch.equal(p, q) for p, q in zip(before.parameters(), after.parameters(), strict=True)
    ]
    assert all(moved)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frames": 0}, "frames"),
        ({"phases": [{**PHASE, "batch": 3}]}, "batch 3 is not a multiple of frames 2"),
        ({"rho": 0.2}, "rho and frames"),
        ({"frames": 1, "consistency": 1.0}, "consistency 1.0: expected frames of 2 or more"),
    ],
)
def test_clips_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(write_config(tmp_path / "c.yaml", running(**changes)))


def test_clips_have_to_be_named_and_long_enough(tmp_path: Path) -> None:
    values = running()
    del values["data"]["clips"]
    with pytest.raises(ConfigError, match="needs data.clips"):
        load_config(write_config(tmp_path / "c.yaml", values))
    values = running(frames=5, phases=[{**PHASE, "batch": 5}])
    with pytest.raises(ConfigError, match="clips of 4 frames, expected 5"):
        train_here(write_config(tmp_path / "c.yaml", values), tmp_path / "run")


def test_every_frame_is_held_against_its_own_truth() -> None:
    base, subtasks = networks()
    job = RunningJob(base, "normals", subtasks, 0.3, 2)
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
    job = RunningJob(base, "normals", subtasks, 0.3, 2, consistency=2.0)
    batch = draw_batch(FakeStills(), BatchSettings(SMALL.size, 4, {*job.tasks}, frames=2), (0, 0))

    def losses() -> dict[str, float]:
        torch.manual_seed(0)
        return {name: float(loss.detach()) for name, loss in job(batch).items()}

    compared: list[tuple[int, bool, bool]] = []

    def distance(task: Task, raw: Tensor, followed: Tensor) -> Tensor:
        compared.append((len(raw), raw.requires_grad, followed.requires_grad))
        return distillation_loss(task, raw, followed)

    monkeypatch.setattr(running_job, "distillation_loss", distance)
    stale = losses()
    assert set(stale) == {n + s for n in job.tasks for s in ("", "_consistency")}
    # Of two clips the second frame each: the first is dense as it is served.
    assert compared == [(2, True, True)] * 3
    job.consistency = 4.0
    assert losses()["depth_consistency"] == pytest.approx(2 * stale["depth_consistency"])
    monkeypatch.setattr(running_job, "SMALLEST", 1.0)
    monkeypatch.setattr(running_job, "LARGEST", 1.0)
    fresh = losses()
    for name in ("depth_consistency", "segmentation_consistency"):
        assert fresh[name] < 1e-5 < stale[name]
    assert fresh["normals_consistency"] < stale["normals_consistency"]
