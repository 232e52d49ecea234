"""The streamed modules against the dense ones that they wrap."""

from __future__ import annotations

import torch
from torch import Tensor

from mtshare_ros.network.streaming import (
    BaseGraph,
    HeadGraph,
    SubTaskGraph,
    attend_rows,
    base_caches,
    head_caches,
    read_branches,
    subtask_caches,
    write_rows,
)
from mtshare_ros.network.vit import attend
from support.networks import SHARES, networks
from support.samples import SMALL


def empty(caches: dict[str, tuple[int, int]]) -> list[Tensor]:
    return [torch.zeros(shape) for shape in caches.values()]


def test_rows_are_written_where_the_index_says() -> None:
    cache, rows = torch.zeros(4, 2), torch.ones(2, 2)
    written = write_rows(cache, torch.tensor([3, 1]), rows)
    assert written[:, 0].tolist() == [0, 1, 0, 1] and not cache.any()


def test_attention_of_some_rows_is_that_of_the_dense_network() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(n, SMALL.width) for n in (3, 7, 7))
    expected = attend(query[None], key[None], value[None], SMALL.heads)[0]
    assert torch.allclose(attend_rows(query, key, value, SMALL.heads), expected, atol=1e-5)


@torch.no_grad()
def test_with_every_token_dirty_it_is_the_dense_network() -> None:
    base, subtasks = networks()
    tokens, fine = base.stem(torch.randn(1, 3, 96, 128))
    features, branches = base.transformer(tokens)
    every = torch.arange(SMALL.rows)
    names = list(base_caches(SMALL))
    written = BaseGraph(base.transformer)(tokens[0], every, *empty(base_caches(SMALL)))
    caches = dict(zip(names, written, strict=True))
    assert torch.allclose(caches["features"], features[0], atol=1e-4)
    _, raw = HeadGraph(base.head)(features[0], fine, every, *empty(head_caches(SMALL)))
    assert torch.allclose(raw, base.head(features, fine), atol=1e-4)
    read = [caches[name] for name in read_branches(SMALL)]
    for subtask in subtasks.values():
        private = empty(subtask_caches(SMALL, SHARES))
        *after, raw = SubTaskGraph(subtask)(tokens[0], fine, every, *read, *private)
        assert [a.shape for a in after] == [b.shape for b in private]
        assert torch.allclose(raw, subtask(tokens, fine, branches), atol=1e-4)
