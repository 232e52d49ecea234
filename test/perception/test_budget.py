"""Which tokens are dirty, within a bounded age and a budget."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtshare_ros.perception.budget import (
    Budget,
    fill_up,
    frame_budget,
    refresh_slots,
    select_tokens,
    smallest_fraction,
    whole_sizes,
)

ALL = Budget(tokens=12, dense_from=12)


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


def test_what_is_filled_up_is_the_most_urgent_then_the_oldest() -> None:
    urgency, age = np.zeros(12, np.float32), np.arange(12)
    urgency[[3, 11]] = 5, 9
    dirty = np.zeros(12, bool)
    dirty[[0, 11]] = True
    assert np.flatnonzero(fill_up(dirty, urgency, age, 5)).tolist() == [0, 3, 9, 10, 11]


def test_the_age_bound_raises_a_budget_that_is_too_small() -> None:
    assert frame_budget(300, 0.0, 30).tokens == 10
    assert frame_budget(300, 0.25, 30).tokens == 75
    assert frame_budget(300, 1.0, 30).tokens == 300


def test_a_deadline_lowers_a_budget_and_the_age_bound_goes_before_it() -> None:
    assert frame_budget(300, 0.25, 30, room=40).tokens == 40
    assert frame_budget(300, 0.25, 30, room=90).tokens == 75
    assert frame_budget(300, 0.25, 30, room=0).tokens == 10
    assert frame_budget(300, 0.25, 30, room=-50).tokens == 10
    assert frame_budget(300, 1.0, 1, room=5).tokens == 300


def test_a_fraction_of_whole_tokens_is_not_rounded_down() -> None:
    assert [frame_budget(100, n / 100, 1000).tokens for n in range(1, 101)] == list(range(1, 101))
    assert frame_budget(48, 0.999, 1000).tokens == 47


def test_everything_is_recomputed_from_nine_tenths_on() -> None:
    assert frame_budget(300, 1.0, 30).dense_from == 270
    assert frame_budget(48, 1.0, 30).dense_from == 44
    change = np.r_[np.full(44, 9.0), np.zeros(4)].astype(np.float32)
    none = np.zeros(48, bool)
    assert select_tokens(change, none, 6.0, frame_budget(48, 1.0, 30)).all()
    change[0] = 0
    assert select_tokens(change, none, 6.0, frame_budget(48, 1.0, 30)).sum() == 43


def test_the_smallest_fraction_is_what_keeps_the_age_bound() -> None:
    assert smallest_fraction(300, 30) == 10 / 300
    assert smallest_fraction(300, 7) == 43 / 300
    assert smallest_fraction(48, 1000) == 1 / 48


def test_a_whole_size_is_within_the_budget_or_the_least_that_holds_what_is_due() -> None:
    def size(tokens: int, least: int) -> int:
        return whole_sizes(Budget(tokens, 44), (6, 12, 48), least).tokens

    assert [size(tokens, 0) for tokens in (6, 11, 12, 47, 48)] == [6, 6, 12, 12, 48]
    assert [size(tokens, 0) for tokens in (1, 5)] == [6, 6]
    assert [size(11, least) for least in (6, 7, 12, 13)] == [6, 12, 12, 48]
    assert whole_sizes(Budget(11, 44), (6, 12, 48), 0).dense_from == 44


def test_an_urgency_at_the_threshold_is_not_dirty() -> None:
    change = np.array([6.0, np.nextafter(np.float32(6), np.float32(7))] * 6, np.float32)
    assert select_tokens(change, np.zeros(12, bool), 6.0, ALL).tolist() == [False, True] * 6


def test_of_equally_urgent_tokens_the_first_come_first() -> None:
    change = np.full(12, 9.0, np.float32)
    dirty = select_tokens(change, np.zeros(12, bool), 6.0, Budget(5, 12))
    assert np.flatnonzero(dirty).tolist() == [0, 1, 2, 3, 4]


def test_what_is_due_in_a_frame_is_scattered_over_the_image() -> None:
    slots = refresh_slots(48, 8).reshape(6, 8)
    assert all(len(set(column)) > 1 for column in slots.T)
    assert all(len(set(row)) > 1 for row in slots)
    assert (refresh_slots(48, 8).reshape(6, 8) == slots).all()


def test_a_size_that_is_full_is_not_filled_up() -> None:
    dirty = np.arange(12) < 5
    urgency, age = np.ones(12, np.float32), np.ones(12, int)
    assert np.array_equal(fill_up(dirty, urgency, age, 5), dirty)
    assert fill_up(dirty, urgency, age, 12).all() and dirty.sum() == 5
