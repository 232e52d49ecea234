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


def test_boxes_are_as_high_as_they_say():
    for seed in range(10):
        box = made(storage.box, seed)
        body = box.parts[0]
        assert body.pos[2] + body.size[2] == box.height and body.size[:2] == box.half


def test_a_cabinet_carries_things_on_its_top():
    for seed in range(20):
        cabinet = made(storage.cabinet, seed)
        body = cabinet.parts[0]
        if cabinet.support is not None:
            assert abs(body.pos[2] + body.size[2] - cabinet.support) < 1e-9
