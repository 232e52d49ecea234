"""Which tokens are computed, frame by frame."""

import logging

import numpy as np
import pytest

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.perception.selection import DENSE, Selection
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.perception.tokens import low_pass
from mtshare_ros.perception.urgency import POLICIES, Look
from support.hand_made import WIDE

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


def test_a_policy_sees_what_each_token_was_computed_from_and_how_long_ago():
    looks = []

    def spy(look: Look):
        looks.append(look)
        return np.where(np.arange(40) == len(looks), 99.0, 0.0).astype(np.float32)

    chosen = Selection(WIDE, (), {"spy": spy}, StreamSettings(policy="spy", max_age=10**6))
    frames = [np.full((64, 160, 3), 10 * n, np.uint8) for n in range(5)]
    computed = np.zeros(40, int)
    for number, image in enumerate(frames):
        cells = low_pass(image, WIDE)
        dirty = chosen.choose(image, cells, None)
        if number:
            look = looks[-1]
            assert look.age.tolist() == (number - computed).tolist()
            shown = look.reference[::4, ::4, 0].ravel()
            assert shown.tolist() == (10 * computed).tolist()
            assert look.spec is WIDE and look.image is image
            assert dirty[number]
        chosen.commit(cells, dirty)
        computed[dirty] = number
    assert chosen.frame == 5


def test_without_anything_urgent_the_most_urgent_token_is_computed():
    quiet = {"quiet": lambda look: np.linspace(0, 1, 40, dtype=np.float32)[::-1].copy()}
    chosen = Selection(WIDE, (), quiet, StreamSettings(policy="quiet", max_age=10**6))
    cells = np.zeros((16, 40, 3), np.uint8)
    image = np.zeros((64, 160, 3), np.uint8)
    for _ in range(45):  # until the last token's turn is over
        dirty = chosen.choose(image, cells, None)
        chosen.commit(cells, dirty)
    assert np.flatnonzero(chosen.choose(image, cells, None)).tolist() == [0]


def test_other_settings_hold_from_the_next_frame_on_and_keep_what_was_computed():
    chosen = selection(max_age=1000, change_threshold=1e9)
    step(chosen, scene())
    step(chosen, scene())
    chosen.settings = StreamSettings(max_age=4, change_threshold=1e9)
    counts = [int(step(chosen, scene()).sum()) for _ in range(4)]
    assert counts == [12] * 4 and chosen.frame == 6
    chosen.settings = StreamSettings(policy=DENSE)
    assert step(chosen, scene()).all()


def test_a_budget_that_the_age_bound_raises_is_said_in_the_log(caplog):
    with caplog.at_level(logging.WARNING):
        selection(max_age=4, max_dirty_fraction=0.25)
        assert not caplog.records
        selection(max_age=4, max_dirty_fraction=0.2)
    assert "max_dirty_fraction 0.200 is raised to 0.250: max_age 4" in caplog.text


def test_what_is_noted_of_a_frame_is_not_changed_by_the_next_one():
    chosen = selection(max_age=1000)
    image = scene()
    cells = low_pass(image, SPEC)
    chosen.commit(cells, chosen.choose(image, cells, None))
    cells[:] = 0  # the caller's memory
    assert not step(chosen, scene()).sum() > 1
