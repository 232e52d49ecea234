"""Teachers: what goes into a network and what comes out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mtshare_ros.datasets.labelling.teachers import Teacher
from support.teacher_files import (
    frame,
    write_teacher,
)


def test_what_a_teacher_is_not_sure_of_is_ignored(tmp_path: Path) -> None:
    said = {
        "kind": "segmentation",
        "output": {"means": "logits"},
        "classes": {"low": [0], "high": [1]},
        "least_confidence": 0.9,
    }
    path = write_teacher(tmp_path / "t.onnx", [[-20, 0, 0], [20, 0, 0]], [10, -10], said)
    ramp = np.zeros((48, 64, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 255, 64)
    labels = Teacher("things", path)(ramp)
    sure = labels.confidence[20]
    assert sure[5] > 0.99 and sure[-5] > 0.99 and sure[31:33].max() < 0.6
    assert (labels.values[20, :30] == 0).all() and (labels.values[20, 34:] == 1).all()


def test_depth_is_unsure_where_the_mirrored_image_gets_another() -> None:
    class Slanted(Teacher):
        def __init__(self) -> None:
            self.settings: Any = type("S", (), {"kind": "depth"})

        def _label(self, rgb: Any) -> Any:
            depth = np.full(rgb.shape[:2], 2.0, np.float32)
            depth[:, 0] = 4.0  # wherever the left border is
            return depth, np.ones(rgb.shape[:2], np.float32)

    labels = Slanted()(np.zeros((4, 6, 3), np.uint8))
    assert labels.confidence[0].tolist() == [0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("means", "weights", "bias", "expected"),
    [
        ("metres", [[0, 0, 0]], [2.5], 2.5),
        ("log_metres", [[0, 0, 0]], [np.log(4.0)], 4.0),
        ("inverse_metres", [[0, 0, 0]], [0.25], 4.0),
        ("metres", [[0, 0, 0]], [50.0], np.nan),  # farther than is believed
        ("inverse_metres", [[0, 0, 0]], [0.0], np.nan),
    ],
)
def test_depth_is_in_metres_whatever_the_teacher_says_it_in(
    tmp_path: Path, means: str, weights: Any, bias: Any, expected: float
) -> None:
    said = {"kind": "depth", "output": {"means": means}}
    teacher = Teacher("depth", write_teacher(tmp_path / "t.onnx", weights, bias, said))
    found = teacher(frame(0, 0).rgb).values
    assert np.allclose(found, expected, equal_nan=True) and found.dtype == np.float32


def test_the_input_is_scaled_and_ordered_as_the_yaml_says(tmp_path: Path) -> None:
    path = write_teacher(
        tmp_path / "t.onnx",
        [[0, 0, 1]],
        [10],
        {"kind": "depth", "output": {"means": "metres", "scale": 0.5}},
    )
    values = yaml.safe_load(path.with_suffix(".yaml").read_text())
    values["input"] |= {"colour": "bgr", "scale": 0.1, "mean": [9, 9, 2.0], "std": [1, 1, 4.0]}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(values))
    rgb = np.tile(np.array([100, 0, 0], np.uint8), (48, 64, 1))
    # The third channel of bgr is red: ((100 * 0.1 - 2) / 4 + 10) * 0.5.
    assert np.allclose(Teacher("depth", path)(rgb).values, 6.0)


def test_normals_of_a_teacher_are_turned(tmp_path: Path) -> None:
    said = {"kind": "normals", "output": {"means": "vectors", "axes": "x -y -z"}}
    path = write_teacher(tmp_path / "n.onnx", np.zeros((3, 3)), [0.0, 3.0, 4.0], said)
    labels = Teacher("normals", path)(frame(0, 0).rgb)
    assert np.allclose(labels.values, [0, -0.6, -0.8], atol=1e-6)
    assert labels.confidence.min() == pytest.approx(1, abs=1e-2)
