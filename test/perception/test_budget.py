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
