"""Textures: any family from either pool, the same for the same seed."""

import numpy as np
import pytest

from mtshare_ros.simulator.things.textures import FAMILIES, make_texture, smooth_noise


@pytest.mark.parametrize("pool", ["A", "B"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_texture_is_an_image_that_is_not_flat(family, pool):
    for seed in range(4):
        texture = make_texture(np.random.default_rng(seed), family, pool, 64)
        assert texture.shape == (64, 64, 3) and texture.dtype == np.uint8
        assert texture.std() > 0.5
    again = make_texture(np.random.default_rng(3), family, pool, 64)
    np.testing.assert_array_equal(texture, again)


def test_pools_share_no_way_to_make_a_texture():
    for pools in FAMILIES.values():
        assert not set(pools["A"]) & set(pools["B"])


def test_noise_tiles_and_stays_within_its_range():
    noise = smooth_noise(np.random.default_rng(0), 64, (4, 8))
    assert noise.shape == (64, 64) and 0 <= noise.min() and noise.max() <= 1
    inside = np.abs(np.diff(noise, axis=0)).max()
    assert np.abs(noise[0] - noise[-1]).max() <= 1.5 * inside


@pytest.mark.parametrize("family", FAMILIES)
def test_a_texture_is_near_white_so_that_the_colour_of_its_part_shows(family):
    for pool in ("A", "B"):
        for seed in range(4):
            texture = make_texture(np.random.default_rng(seed), family, pool, 64)
            # The light tone is above 0.88 of white in every channel, and much of it is light.
            assert texture.reshape(-1, 3).max(axis=0).min() > 0.8 * 255
            assert texture.mean() > 90
