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


def test_a_tables_top_is_where_small_things_stand():
    for seed in range(20):
        table = made(seating.table, seed)
        top = table.parts[0]
        thickness = top.size[1] if top.shape == "cylinder" else top.size[2]
        assert abs(top.pos[2] + thickness - table.support) < 0.02
        # A round top is as deep as it is wide, and so is its footprint.
        assert table.half == (top.size[0], top.size[0] if top.shape == "cylinder" else top.size[1])


def test_the_long_part_of_a_corner_sofa_is_within_its_footprint():
    corners = 0
    for seed in range(40):
        sofa = made(seating.sofa, seed)
        boxes = [part for part in sofa.parts if part.shape == "box"]
        reach = max(part.pos[1] + part.size[1] for part in boxes)
        assert reach <= sofa.half[1] + 0.05
        corners += reach > 0.6
    assert corners > 5
