"""PASCAL-Context: labels, units and ignored values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from mtshare_ros.datasets.image_sets.image_set import DatasetError
from mtshare_ros.datasets.image_sets.matlab_files import matlab
from mtshare_ros.datasets.image_sets.pascal_context import open_pascal_context, read_parts
from support.trees import person, save, write_parts, write_pascal


@pytest.mark.parametrize("name", ["PASCAL_MT", "PASCALContext"])
def test_pascal_context_is_read_with_its_quirks(tmp_path: Path, name: str) -> None:
    opened = open_pascal_context(write_pascal(tmp_path / name), "train")
    assert opened.names == ("2008_000003", "2008_000007") and opened.max_distance == 0.0075
    first, second = opened.stored(0), opened.stored(1)
    body = np.zeros((48, 64), bool)
    body[:30, :20] = True
    assert first["segmentation"][0, :3].tolist() == [255, 20, 15]
    parts = first["human_parts"]
    assert (parts[:10, :20] == 1).all() and (parts[10:30, :20] == 4).all()
    assert not parts[~body].any()  # another class's "head" is no person's
    assert (second["human_parts"] == 255).all() and second["human_parts"].shape == (48, 64)
    assert np.array_equal(first["saliency"], body)
    assert np.allclose(first["normals"][:30], [0.6, 0, -0.8], atol=0.01)
    assert not first["normals"][30:].any()  # sky
    lines = first["boundary"]
    assert lines[5, 15:25].sum() == 1 and set(np.unique(lines)) == {0, 1}
    scored = opened.to_score(0)["boundary"]
    assert scored[5, 19] == 1 and scored[29, 40] == 1 and scored.sum() == 30 + 64 - 1


def test_the_mask_of_voc_is_preferred_to_that_of_pascal_context(tmp_path: Path) -> None:
    write_pascal(tmp_path)
    assert open_pascal_context(tmp_path, "val").stored(0)["segmentation"][0, 1] == 20
    save(tmp_path / "semseg" / "VOC12" / "2008_000009.png", np.full((48, 64), 7, np.uint8))
    assert (open_pascal_context(tmp_path, "val").stored(0)["segmentation"] == 7).all()


@pytest.mark.parametrize("name", ["human_parts", "pascal-context/trainval"])
def test_a_broken_matlab_file_is_named(tmp_path: Path, name: str) -> None:
    opened = open_pascal_context(write_pascal(tmp_path), "train")
    broken = tmp_path / name / "2008_000003.mat"
    task = "human_parts" if name == "human_parts" else "boundary"
    broken.write_bytes(b"junk")
    with pytest.raises(DatasetError, match=f"{broken}: can't be read"):
        opened.stored(0)[task]
    scipy.io.savemat(broken, {"other": 1})
    with pytest.raises(DatasetError, match=f"{broken}: no variable"):
        opened.stored(0)[task]


def test_a_person_without_parts_leaves_the_whole_image_unlabelled(tmp_path: Path) -> None:
    opened = open_pascal_context(write_pascal(tmp_path), "val")
    parts = opened.stored(0)["human_parts"]
    assert parts.shape == (48, 64) and (parts == 255).all()


def test_axes_ids_sizes_and_lines_are_those_of_the_files(tmp_path: Path) -> None:
    opened = open_pascal_context(write_pascal(tmp_path), "train", "x -y z")
    assert np.allclose(opened.stored(0)["normals"][0, 0], [0.6, 0, 0.8], atol=0.01)
    save(tmp_path / "semseg" / "VOC12" / "2008_000003.png", np.full((48, 64), 21, np.uint8))
    with pytest.raises(DatasetError, match="class id 21; expected 0 to 20, and 255"):
        opened.stored(0)["segmentation"]
    save(tmp_path / "normals_distill" / "2008_000003.png", np.full((24, 32, 3), 255, np.uint8))
    with pytest.raises(DatasetError, match="vectors of length"):
        opened.stored(0)["normals"]
    right = np.tile(np.array([255, 128, 128], np.uint8), (24, 32, 1))
    save(tmp_path / "normals_distill" / "2008_000003.png", right)
    with pytest.raises(DatasetError, match=r"expected the size of its LabelMap, \(48, 64\)"):
        opened.stored(0)["normals"]
    # Two classes whose ids are the same in 8 bits.
    labels = np.full((48, 64), 100, np.uint16)
    labels[:, 30:] = 356
    place = tmp_path / "pascal-context" / "trainval" / "2008_000003.mat"
    scipy.io.savemat(place, {"LabelMap": labels})
    lines = opened.stored(0)["boundary"]
    assert lines[10].sum() == 1 and lines[10, 29:31].sum() == 1


def test_parts_have_their_published_classes_and_unknown_ones_none(tmp_path: Path) -> None:
    def area(row: int) -> np.ndarray:
        found = np.zeros((10, 12), bool)
        found[row] = True
        return found

    names = ["lebrow", "torso", "ruarm", "rhand", "luleg", "lfoot", "tail"]
    first = person(area(0), {name: area(row) for row, name in enumerate(names)})
    second = person(area(8), {"neck": area(8)})
    path = tmp_path / "x.mat"
    write_parts(path, "x", [first, second])
    found = read_parts(matlab(path, "anno"))
    assert found[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 0, 0, 2, 0]
    write_parts(path, "x", [person(area(0), {"tail": area(0)})])
    assert read_parts(matlab(path, "anno")).tolist() == [[255]]
    write_parts(path, "x", [person(np.zeros((2, 3, 4)), {"neck": np.ones((2, 3, 4))})])
    with pytest.raises(ValueError, match="mask of shape"):
        read_parts(matlab(path, "anno"))


def test_an_annotation_of_another_form_is_refused_by_its_file(tmp_path: Path) -> None:
    opened = open_pascal_context(write_pascal(tmp_path), "train")
    broken = tmp_path / "human_parts" / "2008_000003.mat"
    scipy.io.savemat(broken, {"anno": 1})
    with pytest.raises(DatasetError, match=f"{broken}: .*expected objects with a class, a mask"):
        opened.stored(0)["human_parts"]


def test_normals_are_stored_as_right_down_and_towards_the_camera(tmp_path: Path) -> None:
    opened = open_pascal_context(write_pascal(tmp_path), "train")
    down = np.rint((np.array([0.0, 0.6, 0.8]) + 1) * 127.5).astype(np.uint8)
    save(tmp_path / "normals_distill" / "2008_000003.png", np.tile(down, (48, 64, 1)))
    assert np.allclose(opened.stored(0)["normals"][0, 0], [0, 0.6, -0.8], atol=0.01)
