"""Which tokens a frame recomputes in training."""

from __future__ import annotations

import torch

from mtshare_ros.training.jobs.stale_tokens import cells_of, stale_tokens


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
