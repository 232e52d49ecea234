"""Dense networks: of one task, and of several on one encoder."""

from __future__ import annotations

import torch

from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from support.samples import SMALL

IMAGE = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))


def test_one_task_of_a_shared_encoder_is_a_network_with_the_same_weights() -> None:
    torch.manual_seed(0)
    shared = SharedEncoder(SMALL, {"normals": 3, "depth": 1}).eval()
    single = shared.single("depth").eval()
    with torch.no_grad():
        assert torch.equal(single(IMAGE), shared(IMAGE)["depth"])
    assert single.stem.position is shared.stem.position


def test_a_network_starts_as_another_one_but_for_a_head_of_other_channels() -> None:
    torch.manual_seed(0)
    source, same, other = (SingleTaskNetwork(SMALL, n).eval() for n in (3, 3, 1))
    same.start_from(source)
    with torch.no_grad():
        assert torch.equal(same(IMAGE), source(IMAGE))
        other.start_from(source)
        assert other(IMAGE).shape == (1, 1, 24, 32)
        assert torch.equal(other.stem(IMAGE)[0], source.stem(IMAGE)[0])


def test_heads_of_a_shared_encoder_see_the_same_features() -> None:
    torch.manual_seed(0)
    shared = SharedEncoder(SMALL, {"normals": 3, "depth": 1}).eval()
    with torch.no_grad():
        tokens, fine = shared.stem(IMAGE)
        features, _ = shared.transformer(tokens)
        found = shared(IMAGE)
        for task, channels in (("normals", 3), ("depth", 1)):
            assert found[task].shape == (1, channels, 24, 32)
            assert torch.equal(found[task], shared.heads[task](features, fine))
    assert shared.single("depth").head is shared.heads["depth"]
