"""Sizes of a network."""

from __future__ import annotations

from typing import Any

import pytest

from mtshare_ros.network.config import NetworkConfig


def test_settings_of_older_networks_are_read() -> None:
    values = NetworkConfig().to_dict()
    del values["stem"], values["prefix"]
    assert NetworkConfig.from_dict(values) == NetworkConfig(stem="conv", prefix=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 100, "heads": 6}, "width 100 is not a multiple of heads 6"),
        ({"size": (320, 250)}, "size .*expected multiples of 16"),
        ({"stem": "mlp"}, "stem 'mlp': expected 'conv' or 'patch'"),
        ({"prefix": -1}, "prefix -1: expected 0 to"),
        ({"heads": 0}, "heads 0: expected 1 to"),
        ({"depth": -2}, "depth -2: expected 1 to"),
        ({"hidden": 10**9}, "hidden 1000000000: expected 1 to"),
        ({"size": (0, 240)}, "size .*expected multiples of 16"),
        ({"size": (320, 160000)}, "size .*expected multiples of 16"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**changes)


def test_tokens_are_those_of_the_grid_and_rows_have_the_prefix_too() -> None:
    config = NetworkConfig(size=(128, 96), prefix=5)
    assert config.grid == (6, 8) and config.tokens == 48 and config.rows == 53


def test_a_network_comes_back_from_plain_values() -> None:
    config = NetworkConfig(96, 3, 4, 200, 24, 16, (160, 48), "patch", 4)
    values = config.to_dict()
    assert values["size"] == [160, 48] and NetworkConfig.from_dict(values) == config
    assert config.grid == (3, 10) and config.head_dim == 24 and config.rows == 34
