"""Settings of teachers: what is refused, by file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mtshare_ros.datasets.labelling.teacher_settings import (
    TeacherError,
    TeacherInput,
    TeacherOutput,
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
        ({"input": {"size": [32, 8193]}}, "input size .32, 8193.: expected 1 to 8192"),
        ({"input": {"size": [32, 24], "scale": 0}}, "scale"),
        ({"output": {"means": "metres", "scale": 0}}, "scale"),
        ({"output": {"means": "metres", "range": [0, 1]}}, "expected two depths, nearest first"),
        ({"output": {"means": "metres", "range": [2, 2]}}, "expected two depths, nearest first"),
        ({"least_confidence": -0.1}, "least_confidence"),
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
        ({"a": [65536]}, "id 65536; expected less than 65536"),
        ({f"c{n}": [n] for n in range(256)}, "256 classes, expected up to 255"),
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


def test_what_is_just_within_its_bound_is_taken(tmp_path: Path) -> None:
    model = class_teacher(tmp_path)
    path = model.with_suffix(".yaml")
    written = yaml.safe_load(path.read_text())
    classes = {f"c{n}": [n] for n in range(254)} | {"last": [65535]}
    written |= {"classes": classes, "least_confidence": 0}
    written["input"] |= {"size": [8192, 1]}
    path.write_text(yaml.safe_dump(written))
    settings = load_teacher_settings(model)
    assert len(settings.classes) == 255 and settings.classes["last"] == (65535,)
    assert settings.input.size == (8192, 1) and settings.least_confidence == 0


def test_what_is_not_said_has_its_default() -> None:
    given = TeacherInput(size=(32, 24))
    assert (given.scale, given.layout, given.colour) == (1 / 255, "nchw", "rgb")
    assert (given.mean, given.std) == ((0, 0, 0), (1, 1, 1))
    gives = TeacherOutput(means="metres")
    assert (gives.scale, gives.layout, gives.axes) == (1.0, "nchw", "x y z")
    assert gives.range == (0.1, 20.0)


def test_missing_files_are_named(tmp_path: Path) -> None:
    model = tmp_path / "depth.onnx"
    with pytest.raises(TeacherError, match="depth.onnx: not found; expected an ONNX file"):
        load_teacher_settings(model)
    model.write_bytes(b"")
    with pytest.raises(TeacherError, match="depth.yaml: not found; expected what depth.onnx"):
        load_teacher_settings(model)


def test_each_task_has_its_file_whose_name_may_hold_an_equals_sign() -> None:
    found = parse_teachers(["depth=a/X.onnx", "labels=b=c.onnx"])
    assert found == {"depth": Path("a/X.onnx"), "labels": Path("b=c.onnx")}
