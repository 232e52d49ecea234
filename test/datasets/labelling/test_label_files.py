"""Labels as files, and read again as a data set."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mtshare_ros.datasets.image_sets.folder_set import (
    Description,
    open_folder,
    write_description,
)
from mtshare_ros.datasets.labelling.kind_labels import Labels
from mtshare_ros.datasets.labelling.label_files import (
    normals_folder,
    task_folder,
    write_image,
    write_labels,
    write_splits,
)
from mtshare_ros.datasets.labelling.teacher_settings import load_teacher_settings
from support.teacher_files import depth_teacher


def test_an_image_that_can_not_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError) as raised:
        write_image(tmp_path, "a", np.zeros((24, 32, 3), np.uint8))
    assert raised.value.filename == str(tmp_path / "images" / "a.jpg")


def test_what_is_written_is_read_and_what_is_not_certain_is_ignored(tmp_path: Path) -> None:
    root = tmp_path / "set"
    root.mkdir()
    certain = np.ones((24, 32), np.float32)
    certain[1, 1] = 0.2
    depth = np.full((24, 32), 1.234, np.float32)
    normals = np.tile(np.array([0, 0, -1], np.float32), (24, 32, 1))
    write_image(root, "a", np.full((24, 32, 3), 90, np.uint8))
    write_labels(root, "depth", "depth", "a", Labels(depth, certain))
    write_labels(root, "normals", "normals", "a", Labels(normals, certain))
    write_splits(root, train=["a"], validation=["a"])
    settings = load_teacher_settings(depth_teacher(tmp_path))
    folders = {"depth": task_folder("depth", settings), "normals": normals_folder()}
    write_description(root, Description(focal_length=0.9, tasks=folders))
    for split in ("train", "val"):
        sample = open_folder(root, split).stored(0)
        assert np.isnan(sample["depth"][1, 1]) and not sample["normals"][1, 1].any()
        assert np.allclose(sample["depth"][2], 1.234, atol=5e-4)
        assert np.allclose(sample["normals"][2], [0, 0, -1], atol=0.01)


def test_an_image_keeps_its_colours_and_is_of_good_quality(tmp_path: Path) -> None:
    rgb = np.zeros((24, 32, 3), np.uint8)
    rgb[:] = (200, 40, 90)
    write_image(tmp_path, "a", rgb)
    other = io.BytesIO()
    Image.fromarray(rgb).save(other, "JPEG", quality=95)
    with Image.open(tmp_path / "images" / "a.jpg") as image, Image.open(other) as expected:
        assert np.abs(np.asarray(image).astype(int) - rgb).max() <= 3
        assert image.quantization == expected.quantization  # type: ignore[attr-defined]


def test_confidence_is_rounded_and_the_description_says_units_and_limits(tmp_path: Path) -> None:
    sure = np.full((16, 16), 0.501, np.float32)
    write_labels(tmp_path, "depth", "depth", "a", Labels(np.full((16, 16), 1.5), sure))
    with Image.open(tmp_path / "confidence" / "depth" / "a.png") as image:
        assert (np.asarray(image) == 128).all()
    with Image.open(tmp_path / "depth" / "a.png") as image:
        assert (np.asarray(image) == 1500).all()
    settings = load_teacher_settings(depth_teacher(tmp_path))
    said = task_folder("depth", settings)
    assert (said.metres, said.range) == (0.001, settings.output.range)
    farther = settings.model_copy(
        update={"output": settings.output.model_copy(update={"range": (0.5, 7.0)})}
    )
    assert task_folder("depth", farther).range == (0.5, 7.0)
    assert said.confidence is not None and said.confidence.least == settings.least_confidence
    assert normals_folder().confidence.least == 0.5  # type: ignore[union-attr]
