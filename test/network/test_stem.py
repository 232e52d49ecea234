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


@pytest.mark.parametrize("size", [(64, 192), (256, 48), (64, 48)])
def test_positions_stay_where_they_were_in_the_image(size: tuple[int, int]) -> None:
    """A ramp to the right in one channel, and one down in another, is that at any size."""
    torch.manual_seed(0)
    width, height = size
    stem = make_stem(replace(SMALL, stem="patch")).eval()
    with torch.no_grad():
        stem.position.zero_()
        stem.position[0, 0] = ((torch.arange(8) + 0.5) / 8)[None]
        stem.position[0, 1] = ((torch.arange(6) + 0.5) / 6)[:, None]
        tokens = stem(torch.zeros(1, 3, height, width))[0]
        found = (tokens - stem.to_tokens.bias)[0].view(height // 16, width // 16, -1)
    across = (torch.arange(width // 16) + 0.5) * 16 / width
    down = (torch.arange(height // 16) + 0.5) * 16 / height
    inner = slice(1, -1)
    assert torch.allclose(found[:, inner, 0], across[inner].expand(height // 16, -1), atol=0.02)
    assert torch.allclose(found[inner, :, 1], down[inner, None].expand(-1, width // 16), atol=0.02)
    assert (found[0, 1:, 0] > found[0, :-1, 0]).all() and (
        found[1:, 0, 1] > found[:-1, 0, 1]
    ).all()


@pytest.mark.parametrize("kind", ["conv", "patch"])
def test_tokens_are_row_by_row_where_the_image_shows_them(kind: str) -> None:
    torch.manual_seed(0)
    stem = make_stem(replace(SMALL, stem=kind, prefix=1)).eval()
    image = torch.zeros(1, 3, 96, 128)
    other = image.clone()
    other[:, :, 32:48, 80:96] = 3.0  # row 2, column 5
    with torch.no_grad():
        changed = (stem(image)[0] - stem(other)[0]).abs().amax(-1)[0]
    assert changed[1 + 2 * 8 + 5] > 0 and changed[0] == 0
    reached = {int(n) - 1 for n in changed.nonzero().flatten()}
    # A convolution of 3x3 that halves sees the next pixels to the left and above.
    near = {"conv": {21, 22, 29, 30}, "patch": {21}}[kind]
    assert reached == near
