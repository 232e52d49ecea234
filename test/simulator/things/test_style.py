"""The taste of a room: which textures and variants it draws from."""

import numpy as np
import pytest

from mtshare_ros.simulator.things.style import MATERIALS_PER_FAMILY, TEXTURE_SIDE, Style


def style(pool, seed=0):
    return Style(np.random.default_rng(seed), pool)


def test_what_is_held_out_is_never_shown_in_training_and_always_in_pool_b():
    assert not any(style("A", seed).held_out() for seed in range(50))
    assert all(style("B", seed).held_out() for seed in range(50))
    assert 10 < sum(style("mix", seed).held_out() for seed in range(50)) < 40


def test_variants_of_training_are_the_seen_ones():
    def drawn(pool):
        variants = ([lambda: 1, lambda: 2], [lambda: 3])
        return {style(pool, seed).variant(*variants) for seed in range(40)}

    assert drawn("A") == {1, 2}
    assert 3 in drawn("B")


def test_a_room_has_few_textures_of_a_family():
    room = style("mix")
    looks = [room.textured("wood", (1, 1, 1)) for _ in range(60)]
    assert len({look.texture for look in looks}) == len(room.textures) <= MATERIALS_PER_FAMILY
    assert {texture.shape for texture in room.textures} == {(TEXTURE_SIDE, TEXTURE_SIDE, 3)}


@pytest.mark.parametrize("draw", ["wood", "fabric", "paint", "metal"])
def test_colours_are_colours(draw):
    for seed in range(20):
        look = getattr(style("A", seed), draw)()
        assert all(0 <= channel <= 1 for channel in look.rgb) and 0 <= look.shine <= 1
