"""A split of a data set: files are read when asked for, at the image's size."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mtshare_ros.datasets.image_sets.image_set import (
    DatasetError,
    ImageSet,
    find_file,
    read_names,
)
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


@pytest.mark.parametrize(
    ("truth", "fits"),
    [
        ((64, 48), True),
        ((32, 24), True),
        ((128, 96), True),
        ((20, 15), True),
        ((63, 48), True),
        ((31, 23), True),
        ((48, 64), False),
        ((60, 40), False),
        ((64, 44), False),
        ((1, 1), False),
        ((2, 2), False),
    ],
)
def test_truth_can_be_a_resized_one_and_no_turned_or_cut_one(
    tmp_path: Path, truth: tuple[int, int], fits: bool
) -> None:
    write_pascal(tmp_path)
    path = tmp_path / "semseg" / "VOC12" / "2008_000003.png"
    save(path, np.full(truth[::-1], 3, np.uint8))
    sample = open_images("pascal_context", tmp_path, "train").stored(0)
    if fits:
        assert (sample["segmentation"] == np.full((48, 64), 3)).all()
        return
    with pytest.raises(DatasetError, match=f"{path}: {truth[0]}x{truth[1]}, but .* 64x48"):
        sample["segmentation"]


def test_images_are_chosen_by_a_list_of_names(tmp_path: Path) -> None:
    opened = open_images("pascal_context", write_pascal(tmp_path), "train")
    (tmp_path / "few.txt").write_text("2008_000007\n")
    assert opened.only(tmp_path / "few.txt").names == ("2008_000007",)
    (tmp_path / "few.txt").write_text("2008_000007.JPG\n")
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
    path.write_bytes(b"\x89PNG\0\0")
    with pytest.raises(DatasetError, match="train.txt: no text"):
        read_names(path)
    with pytest.raises(DatasetError, match="can't be read; expected one name a line"):
        read_names(tmp_path)


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"my room 1\r\n  b\t\r\n\r\n", ("my room 1", "b")),
        (b"\xef\xbb\xbfa\nb", ("a", "b")),
        ("\ufeffd\u00fcne 1\n".encode("utf-16-le"), ("d\u00fcne 1",)),
        ("\ufeffa\nb".encode("utf-16-be"), ("a", "b")),
        (b"a\rb\r", ("a", "b")),
        (b"caf\xe9\n", ("caf\udce9",)),
    ],
)
def test_a_name_is_a_line_whatever_editor_wrote_it(
    tmp_path: Path, data: bytes, names: tuple[str, ...]
) -> None:
    (tmp_path / "train.txt").write_bytes(data)
    assert read_names(tmp_path / "train.txt") == names


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.png", "a"),
        ("a.PNG", "a"),
        ("a.Jpg", "a"),
        ("a b.JPEG", "a b"),
        ("a.png", "a.png"),
        ("a.jpg.png", "a.jpg"),
        ("a.1.png", "a.1"),
        ("caf\udce9 '\".jpg", "caf\udce9 '\""),
    ],
)
def test_a_file_is_found_by_name_with_its_ending_in_any_case(
    tmp_path: Path, file: str, name: str
) -> None:
    (tmp_path / file).touch()
    assert find_file(tmp_path, name, (".jpg", ".jpeg", ".png")) == tmp_path / file


@pytest.mark.parametrize("name", ["b", "a\0", "n" * 300, "a/b", ""])
def test_a_name_without_a_file_is_named_with_what_was_expected(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(DatasetError, match="not found; expected .jpg or .png"):
        find_file(tmp_path, name, (".jpg", ".png"))


def test_truth_is_resized_by_the_middles_of_its_pixels_and_read_once(tmp_path: Path) -> None:
    write_pascal(tmp_path)
    columns = np.tile(np.arange(20, dtype=np.uint8), (15, 1))
    save(tmp_path / "semseg" / "VOC12" / "2008_000003.png", columns)
    opened = open_images("pascal_context", tmp_path, "train")
    sample = opened.stored(0)
    found = sample["segmentation"]
    assert found[0].tolist() == [int((x + 0.5) * 20 / 64) for x in range(64)]
    assert sample["segmentation"] is found
    assert opened.relative_focal_length() is None and opened.clip_length == 1


def test_a_listed_name_may_look_like_that_of_a_file(tmp_path: Path) -> None:
    opened = ImageSet("a set", tmp_path, ("a.png", "b"), {}, {})
    (tmp_path / "few.txt").write_text("a.png\nb.png\n")
    assert opened.only(tmp_path / "few.txt").names == ("a.png", "b")
    assert opened.max_distance == 0.011


def test_a_line_of_a_thousand_letters_is_the_longest_name(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("n" * 1000)
    assert read_names(path) == ("n" * 1000,)
    path.write_text("a\n" + "n" * 1001)
    with pytest.raises(DatasetError, match="train.txt: a line of 1001 letters; expected one name"):
        read_names(path)


def test_a_file_that_comes_later_is_found(tmp_path: Path) -> None:
    os.utime(tmp_path, (1000, 1000))
    with pytest.raises(DatasetError, match="a.png: not found$"):
        find_file(tmp_path, "a", (".png",))
    (tmp_path / "a.PNG").touch()
    assert find_file(tmp_path, "a", (".png",)) == tmp_path / "a.PNG"
