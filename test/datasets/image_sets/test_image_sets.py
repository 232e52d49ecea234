"""Readers of published data sets: labels, units, ignored values, and what a wrong file is."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from mtshare_ros.datasets.image_sets.axes import find_axes, normals_from_depth, parse_axes
from mtshare_ros.datasets.image_sets.image_set import DatasetError
from mtshare_ros.datasets.image_sets.kinds import open_images
from mtshare_ros.datasets.lines import outlines
from support.trees import FOCAL, put, save, scene, write_nyud, write_pascal

UP_AND_BACK = parse_axes("x -y -z")  # a right-handed frame with y up
LAYOUTS = [False, True]


@pytest.mark.parametrize("png", LAYOUTS)
def test_nyud_is_read_with_its_units_and_ignored_values(tmp_path: Path, png: bool) -> None:
    opened = open_images("nyud", write_nyud(tmp_path, png, UP_AND_BACK), "train")
    assert opened.names == ("0001", "0002")
    assert len(open_images("nyud", tmp_path, "val")) == 1
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


def test_a_file_is_read_only_when_it_is_asked_for(tmp_path: Path) -> None:
    opened = open_images("nyud", write_nyud(tmp_path, png=True), "train", "x y z")
    for path in tmp_path.glob("depth/*"):
        path.unlink()
    sample = opened.stored(0)
    assert "depth" in sample and "saliency" not in sample and len(sample) == 5
    assert sample["boundary"].any()
    with pytest.raises(DatasetError, match="not found"):
        sample["depth"]


def test_published_scores_of_nyud_are_against_the_outlines_of_its_lines(tmp_path: Path) -> None:
    opened = open_images("nyud", write_nyud(tmp_path, png=True), "train")
    assert opened.max_distance == 0.011
    lines = opened.stored(0)["boundary"]
    assert np.array_equal(opened.to_score(0)["boundary"], outlines(lines > 0.5))
    assert opened.to_score(0)["boundary"].sum() > 1.5 * lines.sum() > 0


@pytest.mark.parametrize(
    ("order", "signs"), list(product(permutations("xyz"), product((1, -1), repeat=3)))
)
def test_normal_axes_are_found_from_depth(order: tuple[str, ...], signs: tuple[int, ...]) -> None:
    text = " ".join(a if s > 0 else f"-{a}" for a, s in zip(order, signs, strict=True))
    views = [scene(seed) for seed in range(2)]
    stored = [(v["depth"], v["normals"] @ parse_axes(text)) for v in views]
    assert find_axes(stored, FOCAL, "here") == text


def test_normals_from_depth_are_those_of_the_planes() -> None:
    view = scene(0)
    found = normals_from_depth(view["depth"], FOCAL)
    valid = found.any(-1)
    assert valid.mean() > 0.85 and not valid[0].any()
    cosine = (found * view["normals"]).sum(-1)[valid]
    assert np.median(cosine) > 0.9999 and (cosine > 0.99).mean() > 0.95


def test_axes_that_depth_does_not_tell_are_refused() -> None:
    flat = np.full((20, 30), 2.0)
    wall = np.tile(np.array([0.0, 0.0, -1.0]), (20, 30, 1))
    with pytest.raises(DatasetError, match="here: the normals' axes can't be told.*name them"):
        find_axes([(flat, wall)], FOCAL, "here")
    with pytest.raises(DatasetError, match="'x y': expected each of x, y, z once"):
        parse_axes("x y")


@pytest.mark.parametrize("name", ["PASCAL_MT", "PASCALContext"])
def test_pascal_context_is_read_with_its_quirks(tmp_path: Path, name: str) -> None:
    opened = open_images("pascal_context", write_pascal(tmp_path / name), "train")
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
    assert open_images("pascal_context", tmp_path, "val").stored(0)["segmentation"][0, 1] == 20
    save(tmp_path / "semseg" / "VOC12" / "2008_000009.png", np.full((48, 64), 7, np.uint8))
    assert (open_images("pascal_context", tmp_path, "val").stored(0)["segmentation"] == 7).all()


def test_a_palette_holds_ids_and_not_colours(tmp_path: Path) -> None:
    from PIL import Image

    write_pascal(tmp_path)
    ids = np.full((48, 64), 9, np.uint8)
    image = Image.fromarray(ids, "P")
    image.putpalette([value for value in range(256) for _ in range(3)][::-1])
    image.save(tmp_path / "semseg" / "VOC12" / "2008_000003.png")
    found = open_images("pascal_context", tmp_path, "train").stored(0)["segmentation"]
    assert np.array_equal(found, ids)


def test_truth_of_another_size_is_brought_to_the_image_without_new_values(tmp_path: Path) -> None:
    write_pascal(tmp_path)
    half = np.zeros((24, 32), np.uint8)
    half[:, 16:] = 20
    save(tmp_path / "semseg" / "VOC12" / "2008_000003.png", half)
    found = open_images("pascal_context", tmp_path, "train").stored(0)["segmentation"]
    assert found.shape == (48, 64)
    assert (found[:, :32] == 0).all() and (found[:, 32:] == 20).all()


@pytest.mark.parametrize(
    ("task", "path", "content", "said"),
    [
        ("depth", "depth/0001.npy", np.full((40, 448), 2500.0), "look like millimetres"),
        ("depth", "depth/0001.npy", b"junk", "can't be read"),
        ("depth", "depth/0001.npy", None, "not found; expected an array"),
        ("normals", "normals/0001.npy", np.full((40, 448, 3), 200.0), "components from -1 to 1"),
        ("normals", "normals/0001.npy", np.zeros((40, 448)), r"expected normals \(H, W, 3\)"),
        ("boundary", "edge/0001.npy", np.full((40, 448), 255.0), "255 to 255; expected 0 to 1"),
        ("segmentation", "segmentation/0001.png", np.full((40, 448), 41, np.uint8), "class id 41"),
        ("segmentation", "segmentation/0001.png", np.zeros((9, 9, 3), np.uint8), "one channel"),
        ("segmentation", "segmentation/0001.png", b"junk", "can't be decoded"),
        ("rgb", "images/0001.jpg", b"junk", "can't be decoded; expected a picture"),
    ],
)
def test_a_broken_file_is_named(
    tmp_path: Path, task: str, path: str, content: object, said: str
) -> None:
    opened = open_images("nyud", write_nyud(tmp_path, png=False), "train", "x y z")
    broken = tmp_path / path
    broken.unlink()
    if isinstance(content, bytes):
        broken.write_bytes(content)
    elif isinstance(content, np.ndarray):
        (put if broken.suffix == ".npy" else save)(broken, content)
    with pytest.raises(DatasetError, match=said) as raised:
        opened.stored(0)[task]
    assert str(broken) in str(raised.value)


@pytest.mark.parametrize("name", ["human_parts", "pascal-context/trainval"])
def test_a_broken_matlab_file_is_named(tmp_path: Path, name: str) -> None:
    import scipy.io

    opened = open_images("pascal_context", write_pascal(tmp_path), "train")
    broken = tmp_path / name / "2008_000003.mat"
    task = "human_parts" if name == "human_parts" else "boundary"
    broken.write_bytes(b"junk")
    with pytest.raises(DatasetError, match=f"{broken}: can't be read"):
        opened.stored(0)[task]
    scipy.io.savemat(broken, {"other": 1})
    with pytest.raises(DatasetError, match=f"{broken}: no variable"):
        opened.stored(0)[task]


def test_a_wrong_layout_is_recognised(tmp_path: Path) -> None:
    write_nyud(tmp_path / "nyud", png=False)
    write_pascal(tmp_path / "pascal")
    with pytest.raises(
        DatasetError, match="no gt_sets; expected NYUD-v2.*looks like PASCAL.*pass"
    ):
        open_images("nyud", tmp_path / "pascal", "val")
    with pytest.raises(DatasetError, match="looks like NYUD-v2.*pass nyud$"):
        open_images("pascal_context", tmp_path / "nyud", "val")
    with pytest.raises(DatasetError, match=f"{tmp_path}/nyud looks like NYUD-v2"):
        open_images("folder", tmp_path, "val")
    with pytest.raises(DatasetError, match="nothing does not exist"):
        open_images("nyud", tmp_path / "nothing", "val")
    with pytest.raises(DatasetError, match="test.txt: can't be read"):
        open_images("nyud", tmp_path / "nyud", "test")


def test_images_are_chosen_by_a_list_of_names(tmp_path: Path) -> None:
    opened = open_images("pascal_context", write_pascal(tmp_path), "train")
    (tmp_path / "few.txt").write_text("2008_000007\n")
    assert opened.only(tmp_path / "few.txt").names == ("2008_000007",)
    (tmp_path / "few.txt").write_text("2008_000009\n")
    with pytest.raises(DatasetError, match="few.txt: '2008_000009' is not an image"):
        opened.only(tmp_path / "few.txt")
