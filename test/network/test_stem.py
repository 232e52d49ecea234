"""Stems: from an image to tokens and fine features."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mtshare_ros.network.stem import make_stem
from support.samples import SMALL


@pytest.mark.parametrize("kind", ["conv", "patch"])
@pytest.mark.parametrize("prefix", [0, 2])
def test_tokens_and_fine_features_have_their_strides(kind: str, prefix: int) -> None:
    config = replace(SMALL, stem=kind, prefix=prefix)
    tokens, fine = make_stem(config).eval()(torch.randn(2, 3, 96, 128))
    assert tokens.shape == (2, config.rows, config.width)
    assert fine.shape == (2, config.fine_width, 24, 32)


def test_prefix_tokens_come_first_and_are_the_same_for_every_image() -> None:
    config = replace(SMALL, stem="patch", prefix=2)
    stem = make_stem(config).eval()
    tokens, _ = stem(torch.randn(2, 3, 96, 128))
    assert stem.prefix is not None
    assert torch.equal(tokens[:, :2], stem.prefix.expand(2, -1, -1))


def test_positions_are_resampled_to_other_image_sizes() -> None:
    torch.manual_seed(0)
    stem = make_stem(replace(SMALL, stem="patch")).eval()
    with torch.no_grad():
        stem.position.fill_(3.0)
        small = stem(torch.zeros(1, 3, 64, 48))[0]
        full = stem(torch.zeros(1, 3, 96, 128))[0]
    assert small.shape[1] == 12
    assert torch.allclose(small[0, 0], full[0, 0], atol=1e-5)
