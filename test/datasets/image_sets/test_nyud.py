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


def test_axes_that_are_named_are_taken_and_edges_of_bytes_are_0_and_1(tmp_path: Path) -> None:
    opened = open_nyud(write_nyud(tmp_path, png=False), "train", "y -z x")
    assert "normals y -z x" in opened.title and opened.focal_length == 518.86
    x, y, z = np.moveaxis(scene(0)["normals"], -1, 0)
    found = opened.stored(0)["normals"][1:]
    assert np.allclose(found, np.stack([y, -z, x], axis=-1)[1:], atol=1e-6)
    edge = scene(0)["edge"]
    put(tmp_path / "edge" / "0001.npy", edge)
    assert np.array_equal(opened.stored(0)["boundary"], edge)
    # A half is not more than a half.
    put(tmp_path / "edge" / "0001.npy", np.full((40, 448), 0.5))
    assert not opened.stored(0)["boundary"].any()


def test_a_tree_of_both_layouts_or_of_resized_images_is_refused(tmp_path: Path) -> None:
    write_nyud(tmp_path, png=False)
    save(tmp_path / "segmentation" / "0001.png", np.full((40, 448), 255, np.uint8))
    assert (open_nyud(tmp_path, "train", "x y z").stored(0)["segmentation"] == 255).all()
    for width in (424, 641):
        save(tmp_path / "images" / "0001.jpg", np.zeros((40, width, 3), np.uint8))
        with pytest.raises(DatasetError, match=f"images {width} wide; expected 425 to 640"):
            open_nyud(tmp_path, "train")
    save(tmp_path / "images" / "0001.png", np.zeros((40, 448, 3), np.uint8))
    with pytest.raises(DatasetError, match="0001: found .jpg and .png; expected .jpg"):
        open_nyud(tmp_path, "train")


def test_axes_are_found_from_twelve_images_of_the_whole_list(tmp_path: Path) -> None:
    write_nyud(tmp_path, png=False)
    # Of 25 names, every second one is looked at, and twelve at most.
    names = ["0001" if index % 2 == 0 and index < 24 else "none" for index in range(25)]
    (tmp_path / "gt_sets" / "train.txt").write_text("\n".join(names))
    assert "normals x y z" in open_nyud(tmp_path, "train").title
