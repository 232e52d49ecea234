"""Seeds: which rooms train, validate, test and measure."""

from __future__ import annotations

import pytest

from mtshare_ros.datasets.seeds import SPLITS, related_seed, split_of, textures_of


def test_every_seed_has_one_split() -> None:
    for name, seeds in SPLITS.items():
        assert split_of(seeds.start) == split_of(seeds.stop - 1) == name
    assert split_of(900_000) == "reserved"
    with pytest.raises(ValueError, match="seed -1"):
        split_of(-1)


def test_rooms_that_are_never_trained_on_have_textures_that_training_did_not_see() -> None:
    assert textures_of(5) == textures_of(100_005) == "A"
    assert textures_of(200_005) == "mix" and textures_of(5, "B") == "B"
    with pytest.raises(ValueError, match="textures 'C'"):
        textures_of(5, "C")


def test_a_related_room_is_of_the_same_split() -> None:
    for seed in (99_999, 199_999, 300_000):
        assert related_seed(seed, 0) == seed
        related = {related_seed(seed, number) for number in range(1, 50)}
        assert len(related) == 49 and {split_of(s) for s in related} == {split_of(seed)}


def test_a_related_seed_is_7919_further_and_begins_again_at_the_split_s_end() -> None:
    assert related_seed(0, 1) == 7_919
    assert related_seed(99_999, 1) == 7_918
    assert related_seed(299_999, 2) == 215_837
    assert related_seed(899_999, 1) == 407_918
    assert related_seed(900_000, 1) == 907_919
