"""Figures of every frame in bounded memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtshare_ros.evaluation.series import Series


def test_entries_of_a_series_are_means_of_as_few_frames_as_fit() -> None:
    series = Series(4)
    for index in range(11):
        series.add({"a": float(index), **({"b": 1.0} if index == 10 else {})})
    assert series.frames == 11 and series.frames_per_entry == 4
    assert list(series.starts) == [0, 4, 8]
    assert series.values("a") == pytest.approx([1.5, 5.5, 9.0])
    # A figure that some frames don't have is the mean of those that do.
    assert series.result()["figures"]["b"] == [None, None, 1.0]
    # As a part of a whole it counts nothing in the others; the last entry has three frames.
    assert series.shares("b") == pytest.approx([0, 0, 1 / 3])
    assert series.shares("a") == pytest.approx([1.5, 5.5, 9.0])
    assert not series.shares("c").any()


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 300), st.sampled_from([2, 4, 10]))
def test_a_series_keeps_the_mean_of_the_run(frames: int, capacity: int) -> None:
    series = Series(capacity)
    rng = np.random.default_rng(frames)
    values = rng.normal(size=frames)
    for value in values:
        series.add({"a": value})
    assert len(series.starts) <= capacity
    starts = [*series.starts, frames]
    weights = np.diff(starts)
    assert np.average(series.values("a"), weights=weights) == pytest.approx(values.mean())


def test_figures_have_six_digits_and_come_in_their_order() -> None:
    series = Series(4)
    series.add({"b": 1 / 3, "a": 123456.789})
    assert series.names == ["b", "a"]
    assert series.result() == {
        "frames_per_entry": 1, "figures": {"b": [0.333333], "a": [123457.0]}
    }  # fmt: skip
    assert np.isnan(series.values("c")).all() and "c" not in series
