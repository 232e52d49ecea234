"""A split of a data set: files are read when asked for, at the image's size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtshare_ros.datasets.image_sets.image_set import DatasetError, read_names
from mtshare_ros.datasets.image_sets.kinds import open_images
from support.trees import save, write_nyud, write_pascal


def test_a_file_is_read_only_when_it_is_asked_for(tmp_path: Path) -> None:
    opened = open_images("nyud", write_nyud(tmp_path, png=True), "train", "x y z")
    for path in tmp_path.glob("depth/*"):
        path.unlink()
    sample = opened.stored(0)
    assert "depth" in sample and "saliency" not in sample and len(sample) == 5
    assert sample["boundary"].any()
    with pytest.raises(DatasetError, match="not found"):
        sample["depth"]


def test_truth_of_another_size_is_brought_to_the_image_without_new_values(tmp_path: Path) -> None:
    write_pascal(tmp_path)
    half = np.zeros((24, 32), np.uint8)
    half[:, 16:] = 20
    save(tmp_path / "semseg" / "VOC12" / "2008_000003.png", half)
    found = open_images("pascal_context", tmp_path, "train").stored(0)["segmentation"]
    assert found.shape == (48, 64)
    assert (found[:, :32] == 0).all() and (found[:, 32:] == 20).all()


def test_images_are_chosen_by_a_list_of_names(tmp_path: Path) -> None:
    opened = open_images("pascal_context", write_pascal(tmp_path), "train")
    (tmp_path / "few.txt").write_text("2008_000007\n")
    assert opened.only(tmp_path / "few.txt").names == ("2008_000007",)
    (tmp_path / "few.txt").write_text("2008_000009\n")
    with pytest.raises(DatasetError, match="few.txt: '2008_000009' is not an image"):
        opened.only(tmp_path / "few.txt")


def test_a_list_without_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("b\na\n")
    assert read_names(path) == ("b", "a")
    path.write_text("\n")
    with pytest.raises(DatasetError, match="train.txt: empty"):
        read_names(path)
