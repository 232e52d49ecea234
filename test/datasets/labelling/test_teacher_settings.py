"""Settings of teachers: what is refused, by file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mtshare_ros.datasets.labelling.teacher_settings import (
    TeacherError,
    load_teacher_settings,
    parse_teachers,
)
from support.teacher_files import (
    class_teacher,
    depth_teacher,
)


@pytest.mark.parametrize("texts", [["depth"], ["depth="], ["=x"], ["De=x"], ["a=x", "a=y"]])
def test_teachers_are_named_by_task(texts: list[str]) -> None:
    with pytest.raises(TeacherError, match="--teacher"):
        parse_teachers(texts)


def test_settings_are_read_beside_the_model(tmp_path: Path) -> None:
    settings = load_teacher_settings(class_teacher(tmp_path))
    assert settings.kind == "segmentation" and settings.least_confidence == 0.5
    assert list(settings.classes) == ["dark", "bright"] and settings.classes["bright"] == (3, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "heat"}, "kind: .*'heat', expected one of depth"),
        ({"classes": {"a": [0]}}, "expected with kind segmentation, and only there"),
        ({"output": {"means": "metres", "range": [2, 1]}}, "expected two depths, nearest first"),
        ({"output": {"means": "logits"}}, "'logits': expected one of metres"),
        ({"output": {"means": "metres", "axes": "x x y"}}, "each of x, y, z once"),
        ({"least_confidence": 2}, "least_confidence"),
        ({"input": {"size": [0, 24]}}, "input size .0, 24.: expected 1 to 8192"),
        ({"input": {"size": [32, 24], "std": [1, 0, 1]}}, "expected numbers above 0"),
        ({"input": {"size": [32, 24], "mean": [1, float("nan"), 1]}}, "finite number"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    model = depth_teacher(tmp_path)
    path = model.with_suffix(".yaml")
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **change}))
    with pytest.raises(TeacherError, match=rf"depth\.yaml: .*{message}"):
        load_teacher_settings(model)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"a": [0], "b": [0]}, "expected each once"),
        ({"a": []}, "expected an id or more of each"),
        ({"a": [-1]}, "from 0 up"),
        ({"a": [10**12]}, "id 1000000000000; expected less than 65536"),
    ],
)
def test_classes_that_do_not_fit_are_refused(
    tmp_path: Path, classes: dict[str, Any], message: str
) -> None:
    model = class_teacher(tmp_path)
    path = model.with_suffix(".yaml")
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "classes": classes}))
    with pytest.raises(TeacherError, match=message):
        load_teacher_settings(model)
