"""Files of truth: read to arrays, and named when they hold something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtshare_ros.datasets.image_sets import truth_files
from mtshare_ros.datasets.image_sets.image_set import DatasetError
from mtshare_ros.datasets.image_sets.kinds import open_images
from support.trees import save, write_pascal


def test_a_palette_holds_ids_and_not_colours(tmp_path: Path) -> None:
    from PIL import Image

    write_pascal(tmp_path)
    ids = np.full((48, 64), 9, np.uint8)
    image = Image.fromarray(ids, "P")
    image.putpalette([value for value in range(256) for _ in range(3)][::-1])
    image.save(tmp_path / "semseg" / "VOC12" / "2008_000003.png")
    found = open_images("pascal_context", tmp_path, "train").stored(0)["segmentation"]
    assert np.array_equal(found, ids)


def test_a_grey_image_is_spread_over_the_channels(tmp_path: Path) -> None:
    save(tmp_path / "grey.png", np.full((2, 3), 7, np.uint8))
    assert truth_files.colour(tmp_path / "grey.png").tolist() == [[[7, 7, 7]] * 3] * 2
    save(tmp_path / "deep.png", np.full((2, 3), 700, np.uint16))
    with pytest.raises(DatasetError, match="deep.png: .*uint16; expected 8 bits per channel"):
        truth_files.colour(tmp_path / "deep.png")


def test_depth_is_in_metres_and_zero_is_invalid() -> None:
    depth = truth_files.metres(Path("d.npy"), np.array([[0, 2, np.inf], [1, 1, -1]]))
    expected = [[np.nan, 2, np.nan], [1, 1, np.nan]]
    assert np.array_equal(depth, expected, equal_nan=True)
    with pytest.raises(DatasetError, match="d.npy: depth up to 2500; .*millimetres"):
        truth_files.metres(Path("d.npy"), np.full((2, 2), 2500))


def test_normals_are_unit_vectors_whatever_they_are_stored_as() -> None:
    stored = np.array([[[0, 0, 2.0], [0, 0.01, 0]]]) / 2
    vectors = truth_files.unit_vectors(Path("n.npy"), stored)
    assert vectors.tolist() == [[[0, 0, 1], [0, 0, 0]]]
    picture = np.array([[[128, 128, 255]]], np.uint8)
    turned = truth_files.unit_vectors(Path("n.png"), picture, np.diag([1, 1, -1]))
    assert np.allclose(turned, [0, 0, -1], atol=0.01)
