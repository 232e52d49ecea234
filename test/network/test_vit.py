"""The plain vision transformer."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from mtshare_ros.network.vit import Block, VisionTransformer, attend
from support.samples import SMALL


def test_attention_is_that_of_pytorch() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, n, SMALL.width) for n in (5, 7, 7))
    heads = [x.unflatten(-1, (SMALL.heads, -1)).transpose(1, 2) for x in (query, key, value)]
    expected = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
    assert torch.allclose(attend(query, key, value, SMALL.heads), expected, atol=1e-5)


def test_a_block_attends_to_what_its_heads_read() -> None:
    torch.manual_seed(0)
    block, x = Block(SMALL), torch.randn(2, 5, SMALL.width)
    query, key, value = block.queries_keys_values(x)
    assert query.shape == key.shape == value.shape == x.shape
    both = torch.cat([query, key, value], dim=-1)
    assert torch.equal(both, block.qkv(block.norm1(x)))
    assert torch.equal(block.attention(x), block.proj(attend(query, key, value, block.heads)))


def test_features_are_the_tokens_and_every_branch() -> None:
    torch.manual_seed(0)
    transformer, tokens = VisionTransformer(SMALL), torch.randn(2, 5, SMALL.width)
    features, branches = transformer(tokens)
    assert len(branches) == SMALL.depth
    total = tokens + sum(attention + mlp for attention, mlp in branches)
    assert torch.allclose(features, total, atol=1e-5)
