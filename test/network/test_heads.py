"""Heads: from tokens and fine features to a map."""

from __future__ import annotations

from dataclasses import replace

import torch

from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.heads import Head
from support.samples import SMALL
from support.timm_models import SIZE


def test_prefix_tokens_have_no_place_in_the_map() -> None:
    config = NetworkConfig(48, 1, 3, 96, 16, 8, SIZE, "patch", 2)
    head = Head(config, 3).eval()
    plain = Head(replace(config, prefix=0), 3).eval()
    plain.load_state_dict(head.state_dict())
    features, fine = torch.randn(1, config.rows, 48), torch.randn(1, 16, 12, 16)
    with torch.no_grad():
        assert torch.equal(head(features, fine), plain(features[:, 2:], fine))


def test_a_token_reaches_its_own_cells_and_their_neighbours_only() -> None:
    torch.manual_seed(0)
    head = Head(SMALL, 1).eval()
    features = torch.randn(1, SMALL.rows, SMALL.width)
    fine = torch.randn(1, SMALL.fine_width, 24, 32)
    moved = features.clone()
    moved[0, 0] = torch.randn(SMALL.width)  # the token at the top left: cells 0 to 3 of both sides
    with torch.no_grad():
        changed = (head(moved, fine) - head(features, fine))[0, 0].abs() > 1e-6
    assert changed[:4, :4].all()
    # Two mixing blocks of 3x3 reach two cells further.
    assert not changed[6:].any() and not changed[:, 6:].any()


def test_fine_features_reach_the_map_where_they_are() -> None:
    torch.manual_seed(0)
    head = Head(SMALL, 1).eval()
    features, fine = torch.randn(1, SMALL.rows, SMALL.width), torch.zeros(1, 16, 24, 32)
    other = fine.clone()
    other[:, :, 5, 20] = 3.0
    with torch.no_grad():
        changed = (head(features, other) - head(features, fine))[0, 0].abs() > 1e-6
    rows, columns = changed.nonzero().T
    assert changed[5, 20] and rows.min() >= 3 and rows.max() <= 7
    assert columns.min() >= 18 and columns.max() <= 22


def test_each_cell_of_a_token_has_its_place_in_the_map() -> None:
    """Without mixing, a token's 16 cells are 4 rows of 4 in its own square."""
    torch.manual_seed(0)
    head = Head(replace(SMALL, head_width=1), 1).eval()
    with torch.no_grad():
        for block in head.mix:
            block.reduce.weight.zero_()
            block.reduce.bias.zero_()
        head.fine.weight.zero_()
        head.fine.bias.zero_()
        head.project.weight.fill_(1.0)
        head.project.bias.zero_()
        cells = torch.arange(SMALL.tokens * 16.0).view(1, SMALL.tokens, 16)
        raw = head.mix_cells(cells, torch.zeros(1, SMALL.fine_width, 24, 32))[0, 0]
    for token in (0, 7, 8, 47):
        row, column = divmod(token, 8)
        square = raw[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert torch.equal(square.flatten(), cells[0, token])


def test_a_head_takes_over_another_s_weights_but_for_its_outputs() -> None:
    torch.manual_seed(0)
    head, other = Head(SMALL, 1), Head(SMALL, 3)
    before = head.project.weight.clone()
    head.start_from(other)
    assert torch.equal(head.spread.weight, other.spread.weight)
    assert torch.equal(head.project.weight, before)
