"""Times of stages: mean and percentiles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtshare_ros.evaluation.latency import PRECISION, Latency


def test_latency_by_hand():
    latency = Latency()
    for value in range(1, 102):
        latency.update({"stem": 1.0, "total": float(value)})
    total = latency.result()["total"]
    expected = {"mean": 51.0, "p50": 51.0, "p95": 96.0, "p99": 100.0, "max": 101.0}
    assert total == pytest.approx(expected, rel=PRECISION / 2)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_percentiles_are_those_of_numpy(times):
    latency = Latency()
    for value in times:
        latency.update({"total": value})
    found = latency.result()["total"]
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    expected = {"mean": np.mean(times), "p50": p50, "p95": p95, "p99": p99, "max": max(times)}
    assert found == pytest.approx(expected, rel=PRECISION, abs=1e-4)


def test_a_time_beyond_all_others_and_one_below_the_clock_count_as_they_are():
    latency = Latency()
    for value in (3e7, 1e-6, 2e7):
        latency.update({"total": value})
    found = latency.result()["total"]
    assert found["max"] == 3e7 and found["mean"] == pytest.approx(5e7 / 3)
    # Percentiles go as far as the last bin, at 1e7 ms.
    assert found["p50"] == pytest.approx(1e7, rel=PRECISION)
    short = Latency()
    short.update({"total": 1e-6})
    assert short.result()["total"] == dict.fromkeys(("p50", "p95", "p99"), 0.0) | {
        "mean": 1e-6, "max": 1e-6
    }  # fmt: skip


def test_no_percentile_is_above_the_largest_time():
    # The middle of a bin is above about half of the times in it.
    for value in np.linspace(2.0, 2.01, 12):
        latency = Latency()
        latency.update({"total": value})
        found = latency.result()["total"]
        assert found["p99"] <= found["max"] == value


def test_a_time_that_is_no_number_shows_in_the_mean():
    latency = Latency()
    for value in (1.0, float("inf"), float("nan")):
        latency.update({"total": value})
    assert np.isnan(latency.result()["total"]["mean"])
