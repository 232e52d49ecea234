"""The streamed modules against the dense ones that they wrap."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mtshare_ros.network.single_task import SingleTaskNetwork
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
from mtshare_ros.network.token_caches import TokenCaches, next_frame
from mtshare_ros.network.units import SubTask
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


@pytest.mark.parametrize("prefix", [0, 3])
@torch.no_grad()
def test_clean_rows_keep_what_they_were_and_dirty_ones_see_them(prefix: int) -> None:
    """Frame by frame the streamed modules are the dense ones with the clean rows held."""
    torch.manual_seed(0)
    config = replace(SMALL, size=(80, 48), stem="patch", prefix=prefix)
    base = SingleTaskNetwork(config, 3).eval()
    subtask = SubTask(config, SHARES, 2).eval()
    for parameter in (*base.parameters(), *subtask.parameters()):
        parameter.add_(0.05 * torch.randn_like(parameter))
    names = list(base_caches(config))
    state = dict(zip(names, empty(base_caches(config)), strict=True))
    cells, private = empty(head_caches(config)), empty(subtask_caches(config, SHARES))
    expected: TokenCaches | None = None
    image_rows = config.tokens
    for frame, dirty_tokens in enumerate((range(image_rows), [0], [4, 14], [7])):
        index = torch.tensor([*range(prefix), *(prefix + n for n in dirty_tokens)])
        dirty = torch.zeros(1, config.rows, dtype=torch.bool)
        dirty[0, index] = True
        tokens, fine = base.stem(torch.randn(1, 3, 48, 80))
        written = BaseGraph(base.transformer)(tokens[0], index, *(state[n] for n in names))
        before, state = state, dict(zip(names, written, strict=True))
        clean = [n for n in range(config.rows) if n not in index]
        assert all(torch.equal(state[n][clean], before[n][clean]) for n in names)
        *cells, raw = HeadGraph(base.head)(state["features"], fine, index, *cells)
        read = [state[name] for name in read_branches(config)]
        *private, other = SubTaskGraph(subtask)(tokens[0], fine, index, *read, *private)
        tasks = {"own": subtask}
        expected = next_frame(base, "base", tasks, tokens, dirty, expected, lambda x: x)
        for found, name, head in ((raw, "base", base.head), (other, "own", subtask.head)):
            wanted = head.mix_cells(expected.cells[name], fine)
            assert torch.allclose(found, wanted, atol=1e-4), (frame, name)
        assert raw.shape == (1, 3, 12, 20)


def test_caches_have_a_row_for_each_token_and_the_columns_of_their_units() -> None:
    config = replace(SMALL, prefix=2)
    caches = subtask_caches(config, SHARES)
    assert set(caches) == {
        "own_key_00", "own_value_00", "own_key_02", "own_value_02", "own_cells"
    }  # fmt: skip
    assert {rows for rows, _ in caches.values()} == {50}
    assert caches["own_key_00"][1] == 16 and caches["own_value_02"][1] == 32
    assert all(shape == (50, 48) for shape in base_caches(config).values())
    assert len(base_caches(config)) == 4 * SMALL.depth + 1
    assert read_branches(config)[:3] == ["attention_00", "mlp_00", "attention_01"]
