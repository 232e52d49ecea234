"""Which tokens are dirty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtshare_ros.manifest import InputSpec
from mtshare_ros.perception.budget import frame_budget
from mtshare_ros.perception.tokens import (
    Budget,
    commit_reference,
    is_cut,
    low_pass,
    refresh_slots,
    select_tokens,
    token_change,
)

SPEC = InputSpec(64, 48, (0.0, 0.0, 0.0), 1.0, 16, 4, 0.8)
ALL = Budget(tokens=12, dense_from=12)


def _image(value: int = 100) -> np.ndarray:
    return np.full((48, 64, 3), value, np.uint8)


def test_only_the_token_whose_pixels_changed_has_a_change() -> None:
    image = _image()
    image[16:32, 32:48] += 40  # row 1, column 2
    change = token_change(low_pass(image, SPEC), low_pass(_image(), SPEC), SPEC)
    assert change.argmax() == 6 and change[6] == pytest.approx(40, abs=1)
    assert np.delete(change, 6).max() == 0


def test_a_small_spot_inside_a_token_counts_in_full() -> None:
    image = _image()
    image[0:4, 0:4] += 40
    change = token_change(low_pass(image, SPEC), low_pass(_image(), SPEC), SPEC)
    assert change[0] == pytest.approx(40, abs=1)


def test_the_reference_follows_dirty_tokens_only() -> None:
    old, new = low_pass(_image(), SPEC), low_pass(_image(200), SPEC)
    dirty = np.zeros(12, bool)
    dirty[5] = True
    change = token_change(new, commit_reference(old, new, dirty, SPEC), SPEC)
    assert change[5] == 0 and (np.delete(change, 5) == 100).all()


@given(st.integers(1, 400), st.integers(1, 60))
def test_refresh_slots_bound_age_and_work(tokens: int, max_age: int) -> None:
    slots = refresh_slots(tokens, max_age)
    counts = np.bincount(slots, minlength=max_age)
    assert slots.max() < max_age  # every token is due once in max_age frames
    assert counts.max() <= -(-tokens // max_age)  # and no frame bears more than its share


@given(st.data())
def test_selection_keeps_the_budget_and_never_leaves_out_what_is_due(data: st.DataObject) -> None:
    change = np.array(data.draw(st.lists(st.floats(0, 99), min_size=12, max_size=12)), np.float32)
    due = np.array(data.draw(st.lists(st.booleans(), min_size=12, max_size=12)))
    budget = data.draw(st.integers(0, 12))
    dirty = select_tokens(change, due, 6.0, Budget(budget, 13))
    assert dirty[due].all()
    assert dirty.sum() <= max(budget, due.sum())
    left = ~dirty & (change > 6.0)
    taken = dirty & ~due
    if left.any() and taken.any():
        assert change[taken].min() >= change[left].max()


def test_without_pressure_everything_that_changed_is_dirty() -> None:
    change = np.array([0, 7, 0, 9] * 3, np.float32)
    dirty = select_tokens(change, np.zeros(12, bool), 6.0, ALL)
    assert (dirty == (change > 6)).all()


def test_above_the_break_even_everything_is_recomputed_if_the_budget_allows() -> None:
    change = np.array([9] * 11 + [0], np.float32)
    none = np.zeros(12, bool)
    assert select_tokens(change, none, 6.0, Budget(12, 11)).all()
    assert select_tokens(change, none, 6.0, Budget(11, 11)).sum() == 11


def test_the_age_bound_raises_a_budget_that_is_too_small() -> None:
    assert frame_budget(300, 0.0, 30).tokens == 10
    assert frame_budget(300, 0.25, 30).tokens == 75
    assert frame_budget(300, 1.0, 30).tokens == 300


def _scene(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def test_another_scene_is_a_cut_and_a_brightness_step_is_not() -> None:
    scene = (_scene(0) // 2).astype(np.uint8)
    assert is_cut(_scene(1), scene)
    assert not is_cut(scene + 60, scene)
    assert not is_cut(scene, scene)


def test_noise_in_the_dark_is_no_cut() -> None:
    assert not is_cut(_scene(0) // 64, _scene(1) // 64)
