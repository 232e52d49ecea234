"""Chairs, sofas, beds and tables: what stands on them, and where their backs are."""

import numpy as np

from mtshare_ros.simulator.things import seating
from mtshare_ros.simulator.things.style import Style


def made(builder, seed):
    return builder(Style(np.random.default_rng(seed), "mix"))


def test_a_table_carries_small_things_at_its_height():
    for seed in range(10):
        table = made(seating.table, seed)
        assert table.support is not None and 0.3 < table.support <= table.height + 1e-6


def test_a_chair_has_its_back_at_the_back():
    for seed in range(10):
        thing = made(seating.chair, seed)
        tall = [part for part in thing.parts if part.pos[2] > 0.65 * thing.height]
        assert tall and np.mean([part.pos[1] for part in tall]) < 0


def test_a_bed_is_as_long_as_a_person():
    assert all(made(seating.bed, seed).half[1] > 0.95 for seed in range(5))
