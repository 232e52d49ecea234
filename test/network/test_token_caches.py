"""The token caches of training are those that the streamed graphs write."""

from __future__ import annotations

import numpy as np
import torch

from mtshare_ros.export.writer import deploy_networks
from mtshare_ros.network.token_caches import TokenCaches, next_frame
from mtshare_ros.tasks import DEPTH, NORMALS, SEGMENTATION
from support.networks import networks
from support.samples import SMALL


@torch.no_grad()
def test_they_are_what_the_stream_computes() -> None:
    base, subtasks = networks()
    tasks = {DEPTH: subtasks["depth"], SEGMENTATION: subtasks["segmentation"]}
    deployed = deploy_networks(base, NORMALS, tasks, 0.8)
    engine, base = deployed.engine, deployed.base
    subtasks = {task.name: subtask for task, subtask in deployed.subtasks.items()}
    rng = np.random.default_rng(0)
    states, caches = [engine.new_state() for _ in range(2)], None
    for frame in range(4):
        width, height = SMALL.size
        images = rng.normal(size=(2, 3, height, width)).astype(np.float32)
        dirty = rng.random((2, SMALL.tokens)) < (0.3 if frame else 2.0)
        dirty[:, 0] = True
        tokens, fine = base.stem(torch.from_numpy(images))
        caches = next_frame(
            base, "normals", subtasks, tokens, torch.from_numpy(dirty), caches, lambda x: x
        )
        heads = {"normals": base.head, **{name: s.head for name, s in subtasks.items()}}
        for clip, state in enumerate(states):
            index = np.flatnonzero(dirty[clip])
            wanted = dict.fromkeys(heads, index)
            raw = engine.run(state, images[clip : clip + 1], index, wanted).raw
            for name, head in heads.items():
                found = head.mix_cells(caches.cells[name], fine)[clip].numpy()
                np.testing.assert_allclose(found, raw[name], rtol=1e-3, atol=1e-4)


def test_gradients_go_back_through_the_caches() -> None:
    base, subtasks = networks()
    first = torch.randn(1, 3, SMALL.size[1], SMALL.size[0], requires_grad=True)
    second = torch.randn(1, 3, SMALL.size[1], SMALL.size[0])
    caches: TokenCaches | None = None
    for image, share in ((first, 2.0), (second, 0.5)):
        torch.manual_seed(1)
        dirty = torch.rand(1, SMALL.tokens) < share
        caches = next_frame(
            base, "normals", subtasks, base.stem(image)[0], dirty, caches, lambda x: x
        )
    assert caches is not None
    dirty_cells = caches.cells["depth"][dirty]
    dirty_cells.sum().backward()
    assert first.grad is not None and first.grad.abs().max() > 0


@torch.no_grad()
def test_sub_tasks_read_what_was_shared_and_the_base_does_not() -> None:
    base, subtasks = networks()
    tokens = base.stem(torch.randn(1, 3, SMALL.size[1], SMALL.size[0]))[0]
    every = torch.ones(1, SMALL.tokens, dtype=torch.bool)
    seen: list[torch.Size] = []

    def halved(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.shape)
        return 0.5 * x

    plain, scaled = (
        next_frame(base, "normals", subtasks, tokens, every, None, f)
        for f in (lambda x: x, halved)
    )
    assert len(seen) == 2 * SMALL.depth + 1 and set(seen) == {tokens.shape}
    assert torch.equal(plain.cells["normals"], scaled.cells["normals"])
    assert not torch.equal(plain.cells["depth"], scaled.cells["depth"])
    branches = [(0.5 * a, 0.5 * m) for a, m in base.transformer(tokens)[1]]
    features = subtasks["depth"].features(0.5 * tokens, branches)
    expected = subtasks["depth"].head.cells(features)
    assert torch.allclose(scaled.cells["depth"], expected, atol=1e-5)
