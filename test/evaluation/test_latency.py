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
