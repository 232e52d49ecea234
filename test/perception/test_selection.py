"""Which tokens are computed, frame by frame."""

import numpy as np
import pytest

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.perception.selection import DENSE, Selection
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.perception.tokens import low_pass
from mtshare_ros.perception.urgency import POLICIES

SPEC = InputSpec(128, 96, (0.0, 0.0, 0.0), 1.0, 16, 4, 0.8)


def selection(sizes=(), **settings):
    return Selection(SPEC, sizes, POLICIES, StreamSettings(**settings))


def step(chosen, image, room=None):
    cells = low_pass(image, SPEC)
    dirty = chosen.choose(image, cells, room)
    chosen.commit(cells, dirty)
    return dirty


def scene(bright=None):
    image = np.full((96, 128, 3), 90, np.uint8)
    if bright is not None:
        row, column = divmod(bright, 8)
        image[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 200
    return image


def test_the_first_frame_computes_everything_and_so_does_a_reset():
    chosen = selection()
    assert step(chosen, scene()).all()
    assert not step(chosen, scene()).all()
    chosen.reset()
    assert step(chosen, scene()).all()


def test_what_changed_is_computed():
    chosen = selection()
    step(chosen, scene())
    assert step(chosen, scene(bright=19))[19]


def test_dense_is_always_everything():
    chosen = selection(policy=DENSE)
    assert all(step(chosen, scene()).all() for _ in range(3))


def test_in_a_still_scene_every_token_is_computed_once_within_its_age():
    chosen = selection(max_age=8)
    step(chosen, scene())
    counts = np.sum([step(chosen, scene()) for _ in range(8)], axis=0)
    assert (counts >= 1).all() and counts.sum() < 2 * SPEC.tokens


def test_a_frame_always_has_a_token_and_keeps_the_sizes_of_the_engine():
    sizes = (6, 12, SPEC.tokens)
    chosen = selection(sizes, max_age=1000)
    step(chosen, scene())
    for number in range(12):
        assert int(step(chosen, scene(bright=number)).sum()) in sizes


def test_a_deadline_bounds_what_is_computed():
    chosen = selection(max_age=1000)
    step(chosen, scene())
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    assert 1 <= step(chosen, noise, room=5).sum() <= 5


def test_an_unknown_policy_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"policy: 'magic', expected one of dense, tokens"):
        selection(policy="magic")
