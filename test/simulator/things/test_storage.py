"""Cabinets, shelves and boxes."""

import numpy as np

from mtshare_ros.simulator.things import storage
from mtshare_ros.simulator.things.style import Style


def made(builder, seed, **options):
    return builder(Style(np.random.default_rng(seed), "mix"), **options)


def test_a_shelf_is_filled_but_never_with_more_than_can_be_drawn():
    for seed in range(10):
        parts = made(storage.shelf, seed).parts
        assert 4 < len(parts) < 60


def test_small_boxes_fit_on_a_table():
    for seed in range(10):
        small, large = made(storage.box, seed, small=True), made(storage.box, seed)
        assert max(small.half) <= 0.14 < 2 * max(large.half) and small.movable and large.movable


def test_only_low_cabinets_carry_things():
    for seed in range(20):
        cabinet = made(storage.cabinet, seed)
        assert cabinet.support is None or cabinet.support <= 1.2
