"""The taste of a room: which textures and variants it draws from."""

import numpy as np
import pytest

from mtshare_ros.simulator.things import style as style_module
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


def test_textures_come_from_the_pool_that_is_asked_for(monkeypatch):
    asked = []

    def make(rng, family, pool, side):
        asked.append((family, pool, side))
        return np.zeros((side, side, 3), np.uint8)

    monkeypatch.setattr(style_module, "make_texture", make)
    for pool, expected in (("A", {"A"}), ("B", {"B"}), ("mix", {"A", "B"})):
        asked.clear()
        for seed in range(12):
            style(pool, seed).textured("wood", (1, 1, 1))
        assert {pool for _, pool, _ in asked} == expected
        assert {(family, side) for family, _, side in asked} == {("wood", TEXTURE_SIDE)}


def test_a_look_is_as_it_was_asked_for():
    look = style("A").textured("floor", (0.1, 0.2, 0.3), shine=0.4, repeat=1.7)
    assert (look.rgb, look.texture, look.shine, look.repeat) == ((0.1, 0.2, 0.3), 0, 0.4, 1.7)
    plain = style("A").plain((0.1, 0.2, 0.3), 0.4, emission=0.5)
    assert (plain.texture, plain.shine, plain.emission) == (None, 0.4, 0.5)
