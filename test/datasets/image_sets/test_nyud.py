"""NYUD-v2: labels, units and ignored values, in both layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtshare_ros.datasets.image_sets.axes import parse_axes
from mtshare_ros.datasets.image_sets.image_set import DatasetError
from mtshare_ros.datasets.image_sets.nyud import open_nyud
from mtshare_ros.datasets.lines import outlines
from support.trees import put, save, scene, write_nyud

UP_AND_BACK = parse_axes("x -y -z")  # a right-handed frame with y up
LAYOUTS = [False, True]


@pytest.mark.parametrize("png", LAYOUTS)
def test_nyud_is_read_with_its_units_and_ignored_values(tmp_path: Path, png: bool) -> None:
    opened = open_nyud(write_nyud(tmp_path, png, UP_AND_BACK), "train")
    assert opened.names == ("0001", "0002")
    assert len(open_nyud(tmp_path, "val")) == 1
    assert ("NYUDv2" if png else "NYUD_MT") in opened.title and "x -y -z" in opened.title
    view, sample = scene(1), opened.stored(1)
    assert sample["rgb"].dtype == np.uint8
    assert np.abs(sample["rgb"].astype(int) - view["rgb"]).mean() < (0.1 if png else 12)
    expected = view["plane"].astype(np.uint8)
    expected[0, 0], expected[1, 1] = 255, 39
    assert np.array_equal(sample["segmentation"], expected)
    assert np.isnan(sample["depth"][0, 0])
    assert np.array_equal(sample["depth"][1:], view["depth"][1:])
    assert not sample["normals"][0, 0].any()
    error = np.abs(sample["normals"] - view["normals"])
    error[0, 0] = 0
    assert error.max() < (0.01 if png else 1e-6)
    assert np.array_equal(sample["boundary"], view["edge"])


def test_published_scores_of_nyud_are_against_the_outlines_of_its_lines(tmp_path: Path) -> None:
    opened = open_nyud(write_nyud(tmp_path, png=True), "train")
    assert opened.max_distance == 0.011
    lines = opened.stored(0)["boundary"]
    assert np.array_equal(opened.to_score(0)["boundary"], outlines(lines > 0.5))
    assert opened.to_score(0)["boundary"].sum() > 1.5 * lines.sum() > 0


@pytest.mark.parametrize(
    ("task", "path", "content", "said"),
    [
        ("depth", "depth/0001.npy", np.full((40, 448), 2500.0), "look like millimetres"),
        ("depth", "depth/0001.npy", b"junk", "can't be read"),
        ("depth", "depth/0001.npy", None, "0001.npy: not found"),
        ("normals", "normals/0001.npy", np.full((40, 448, 3), 200.0), "components from -1 to 1"),
        ("normals", "normals/0001.npy", np.zeros((40, 448)), r"expected normals \(H, W, 3\)"),
        ("boundary", "edge/0001.npy", np.full((40, 448), 255.0), "255 to 255; expected 0 to 1"),
        ("segmentation", "segmentation/0001.png", np.full((40, 448), 41, np.uint8), "class id 41"),
        ("segmentation", "segmentation/0001.png", np.zeros((9, 9, 3), np.uint8), "one channel"),
        ("segmentation", "segmentation/0001.png", b"junk", "can't be decoded"),
        ("rgb", "images/0001.jpg", b"junk", "can't be decoded .*; expected a picture"),
    ],
)
def test_a_broken_file_is_named(
    tmp_path: Path, task: str, path: str, content: object, said: str
) -> None:
    opened = open_nyud(write_nyud(tmp_path, png=False), "train", "x y z")
    broken = tmp_path / path
    broken.unlink()
    if isinstance(content, bytes):
        broken.write_bytes(content)
    elif isinstance(content, np.ndarray):
        (put if broken.suffix == ".npy" else save)(broken, content)
    with pytest.raises(DatasetError, match=said) as raised:
        opened.stored(0)[task]
    assert str(broken) in str(raised.value)
