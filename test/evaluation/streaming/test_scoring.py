"""Streaming accuracy of a case that is worked out on paper."""

import numpy as np
import pytest

from mtshare_ros.evaluation.streaming.contenders import Answer
from mtshare_ros.evaluation.streaming.scoring import Streaming, known_truths
from mtshare_ros.tasks import TASKS

DEPTH = [TASKS["depth"]]
SHAPE = (4, 8)


def metres(value):
    """Return maps that are the same distance everywhere."""
    return {"depth": np.full(SHAPE, value, np.float32)}


def test_three_frames_by_hand():
    """At 0.0, 0.1 and 0.2 s it is 1, 2 and 4 m; the run answers late, the ideal at once."""
    known = np.ones(SHAPE, bool)
    known[:, :2] = False
    streaming = Streaming(["run", "ideal"], DEPTH)
    truths = (1.0, 2.0, 4.0)
    late = {1: Answer(0, 0.05, metres(1.0)), 2: Answer(1, 0.16, metres(3.0), 0.1, known)}
    for number, truth in enumerate(truths):
        streaming.frame(number, 0.1 * number, metres(truth))
        streaming.answer("ideal", Answer(number, 0.1 * number, metres(truth)))
        if number in late:
            streaming.answer("run", late[number])
        # The first frame has no answer of the run yet: it counts for neither.
        assert (streaming.moment(number) is None) == (number == 0)
    found = streaming.result()
    assert found["moments"] == 2 and found["answered"] == pytest.approx(2 / 3)
    # |1 - 2| / 2 and |3 - 4| / 4, and on three quarters of the pixels of the latter.
    assert found["depth"]["abs_rel"] == pytest.approx((0.5 + 0.25) / 2)
    served = (0.5 + 0.75 * 0.25) / 1.75
    assert found["served"]["depth"]["abs_rel"] == pytest.approx(served)
    # Of their own frames: |1 - 1| / 1 and |3 - 2| / 2.
    assert found["stamped"]["depth"]["abs_rel"] == pytest.approx(0.25)
    assert found["coverage"] == pytest.approx((1 + 0.75) / 2)
    # A frame of 0.0 s at 0.1 s; one of 0.1 s, of a key 0.1 s older, at 0.2 s.
    assert found["age_ms"]["mean"] == pytest.approx(150.0)
    assert found["age_ms"]["p95"] == pytest.approx(195.0)
    ideal = streaming.scores["ideal"].result()
    assert ideal["depth"]["abs_rel"] == 0.0 and ideal["age_ms"]["mean"] == 0.0
    assert ideal["answered"] == 3


def test_of_truth_only_known_pixels_count_at_any_size():
    truths = {"depth": np.ones((4, 4), np.float32), "normals": np.ones((4, 4, 3), np.float32)}
    tasks = [TASKS["depth"], TASKS["normals"]]
    known = np.array([[True, False], [True, True]])
    found = known_truths(truths, known, tasks)
    assert np.isnan(found["depth"][:2, 2:]).all() and np.isnan(found["normals"][:2, 2:]).all()
    assert np.isfinite(found["depth"]).sum() == 12
    assert known_truths(truths, None, tasks)["depth"] is truths["depth"]
