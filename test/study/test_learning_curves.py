"""Learning curves out of a run's logs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtshare_ros.study.learning_curves import read_curves, smoothed


def test_a_curve_starts_where_the_base_ended(study_trained: list[Path]) -> None:
    (curve,) = read_curves(study_trained[0], "units_normals")
    assert curve.task == "depth" and list(curve.steps) == list(range(31, 41))
    assert curve.loss[0] == pytest.approx(1.0) and 0.1 < curve.loss[-1] < 0.5
    assert read_curves(study_trained[0], "single_depth") == []
    assert smoothed(np.full(5, 3.0)) == pytest.approx(np.full(5, 3.0))
