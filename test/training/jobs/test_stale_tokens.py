"""Which tokens a frame recomputes in training."""

from __future__ import annotations

import numpy as np
import torch

from mtshare_ros.perception.frame import IMAGE_SCALE
from mtshare_ros.perception.tokens import low_pass
from mtshare_ros.training.jobs.stale_tokens import CHANCE, cells_of, stale_tokens
from support.hand_made import WIDE


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


def test_cells_are_those_of_the_stream() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 160, 3), dtype=np.uint8)
    cells = cells_of(torch.from_numpy(image).permute(2, 0, 1)[None].float())[0]
    assert np.abs(cells.permute(1, 2, 0).numpy() - low_pass(image, WIDE)).max() <= 0.5


def test_the_reference_takes_the_dirty_tokens_cells_and_no_others() -> None:
    torch.manual_seed(0)
    cells, reference = torch.ones(2, 3, 16, 40), torch.zeros(2, 3, 16, 40)
    age, share = torch.ones(2, 40, dtype=torch.long), torch.tensor([0.3, 0.01])
    dirty, after = stale_tokens(cells, reference, age, share)
    assert dirty.sum(1).tolist() == [12, 1]
    for clip in range(2):
        shown = after[clip, 0].view(4, 4, 10, 4).permute(0, 2, 1, 3).reshape(40, 16)
        assert torch.equal(shown, dirty[clip][:, None].float().expand(40, 16))
    assert not reference.any()


def test_chance_draws_among_small_changes_and_never_before_large_ones() -> None:
    reference, age = torch.zeros(1, 3, 16, 40), torch.ones(1, 40, dtype=torch.long)
    cells = reference.clone()
    cells[:, :, 4:8, 28:32] = 1.1 * CHANCE * IMAGE_SCALE  # row 1, column 7
    drawn = set()
    for seed in range(20):
        torch.manual_seed(seed)
        dirty, _ = stale_tokens(cells, reference, age, torch.tensor([2 / 40]))
        assert dirty[0, 17] and dirty.sum() == 2
        drawn |= set(dirty[0].nonzero().flatten().tolist())
    assert len(drawn) > 10


def test_what_became_darker_has_changed_as_much() -> None:
    reference, age = torch.zeros(1, 3, 16, 40), torch.ones(1, 40, dtype=torch.long)
    for sign in (-1.0, 1.0):
        cells = reference.clone()
        cells[:, :, 8:12, 4:8] = sign * 2 * CHANCE * IMAGE_SCALE  # row 2, column 1
        dirty, _ = stale_tokens(cells, reference, age, torch.tensor([1 / 40]))
        assert dirty[0].nonzero().flatten().tolist() == [21]
