"""A folder of one's own: what `dataset.yaml` says is how its files are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from mtshare_ros.datasets.image_sets.folder_set import (
    Description,
    TaskFolder,
    open_folder,
    write_description,
)
from mtshare_ros.datasets.image_sets.image_set import DatasetError
from support.trees import put, save

SIZE = (32, 24)
SAID: dict[str, Any] = {
    "images": "photos",
    "focal_length": 0.75,
    "tasks": {
        "depth": {
            "kind": "depth",
            "folder": "range",
            "metres": 0.001,
            "range": [0.5, 6.0],
            "confidence": {"folder": "sure", "least": 0.5},
        },
        "ground": {"kind": "segmentation", "folder": "ground", "classes": ["path", "grass"]},
        "normals": {"kind": "normals", "folder": "normals", "axes": "x -y -z"},
        "people": {"kind": "saliency", "folder": "people"},
    },
}


def write(root: Path, **changes: Any) -> Path:
    """Write a set of two images; the first keys of ``changes`` replace those of ``SAID``."""
    height, width = SIZE[1], SIZE[0]
    for name in ("a", "b"):
        save(root / "photos" / f"{name}.png", np.full((height, width, 3), (200, 0, 50), np.uint8))
        depth = np.full((height, width), 1500, np.uint16)
        depth[0, 0] = 0
        save(root / "range" / f"{name}.png", depth)
        sure = np.full((height, width), 128, np.uint8)
        sure[1, 1] = 127
        save(root / "sure" / f"{name}.png", sure)
        labels = np.ones((height, width), np.uint8)
        labels[2, 2] = 255
        save(root / "ground" / f"{name}.png", labels)
        put(
            root / "normals" / f"{name}.npy",
            np.tile(np.float32([0, 0.6, 0.8]), (height, width, 1)),
        )
        people = np.zeros((height, width), np.float32)
        people[3, 3], people[4, 4] = 0.7, np.nan
        put(root / "people" / f"{name}.npy", people)
    (root / "train.txt").write_text("a\n")
    (root / "val.txt").write_text("b\n")
    (root / "dataset.yaml").write_text(yaml.safe_dump({**SAID, **changes}))
    return root


def test_each_file_is_read_as_the_description_says(tmp_path: Path) -> None:
    opened = open_folder(write(tmp_path), "train")
    assert opened.names == ("a",) and list(opened.tasks) == list(SAID["tasks"])
    assert opened.focal_length == 0.75 * SIZE[0] and opened.relative_focal_length() == 0.75
    assert opened.tasks["depth"].value_range == (0.5, 6.0)
    assert [c.name for c in opened.tasks["ground"].classes] == ["path", "grass"]
    assert opened.tasks["people"].kind == "saliency"
    sample = opened.stored(0)
    assert sample["rgb"][0, 0].tolist() == [200, 0, 50]
    assert np.isnan(sample["depth"][0, 0]) and np.isnan(sample["depth"][1, 1])  # none; not sure
    assert np.nanmax(sample["depth"]) == np.nanmin(sample["depth"]) == np.float32(1.5)
    assert sample["ground"][2, 2] == 255 and sample["ground"][0, 0] == 1
    assert np.allclose(sample["normals"], [0, -0.6, -0.8])
    assert sample["people"][3, 3] == 1 and sample["people"][0, 0] == 0
    assert np.isnan(sample["people"][4, 4])


def test_splits_can_have_other_names(tmp_path: Path) -> None:
    root = write(tmp_path, splits={"train": "b.txt"})
    (root / "b.txt").write_text("b\na\n")
    assert open_folder(root, "train").names == ("b", "a")
    assert open_folder(root, "val").names == ("b",)


def changed(task: str, **values: Any) -> dict[str, Any]:
    return {"tasks": {task: {**SAID["tasks"][task], **values}}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"focal": 1.0}, "focal"),
        ({"tasks": {}}, "tasks"),
        ({"focal_length": -1}, "focal_length"),
        (changed("ground", classes=[]), "expected with segmentation, only"),
        (changed("depth", classes=["x"]), "expected with segmentation, only"),
        (changed("depth", range=[2, 1]), "nearest first"),
        (changed("normals", axes="x y"), "expected each of x, y, z"),
        (changed("depth", kind="heat"), "kind"),
        ({"tasks": {"My task": SAID["tasks"]["people"]}}, "'My task': expected a name of"),
    ],
)
def test_a_wrong_description_is_refused_by_file_and_key(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(DatasetError, match=said) as raised:
        open_folder(write(tmp_path, **changes), "train")
    assert "dataset.yaml" in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "values", "task", "said"),
    [
        ("ground/a.png", np.full((24, 32), 2, np.uint8), "ground", "class id 2; expected 0 to 1"),
        ("sure/a.png", np.zeros((3, 4), np.uint8), "depth", "the size of its truth"),
        ("sure/a.png", None, "depth", "sure/a.png: not found"),
        ("range/a.png", None, "depth", "range/a: not found; expected .png or .npy"),
        ("range/a.png", np.zeros((24, 32, 3), np.uint8), "depth", "depth .H, W. in metres"),
    ],
)
def test_a_broken_file_is_named(
    tmp_path: Path, path: str, values: Any, task: str, said: str
) -> None:
    opened = open_folder(write(tmp_path), "train")
    (tmp_path / path).unlink()
    if values is not None:
        save(tmp_path / path, values)
    with pytest.raises(DatasetError, match=said):
        opened.stored(0)[task]


def test_axes_are_said_in_the_description_only(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="dataset.yaml, under the task"):
        open_folder(write(tmp_path), "train", "x y z")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (changed("ground", classes=[f"c{n}" for n in range(256)]), "256 classes, expected up to"),
        (changed("depth", range=[0, 1]), "two depths above 0, nearest first"),
        (changed("depth", range=[2, 2]), "two depths above 0, nearest first"),
        (changed("depth", confidence={"folder": "sure", "least": 1.5}), "least"),
        ({"focal_length": 1000}, "focal_length"),
        ({"tasks": {"rgb": SAID["tasks"]["people"]}}, "task 'rgb'"),
        ({"tasks": {"image": SAID["tasks"]["people"]}}, "task 'image'"),
        ({"tasks": {"People": SAID["tasks"]["people"]}}, "task 'People'"),
    ],
)
def test_a_description_at_the_edge_of_what_is_possible_is_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump({**SAID, **changes}))
    with pytest.raises(DatasetError, match=said):
        open_folder(tmp_path, "train")


def test_a_description_is_written_in_its_own_order_without_what_is_said_anyway(
    tmp_path: Path,
) -> None:
    task = TaskFolder(kind="saliency", folder="z")
    write_description(tmp_path, Description(images="images", tasks={"z": task, "a": task}))
    assert (tmp_path / "dataset.yaml").read_text() == (
        "tasks:\n  z:\n    kind: saliency\n    folder: z\n"
        "  a:\n    kind: saliency\n    folder: z\n"
    )


def test_depth_is_held_against_the_range_of_its_task(tmp_path: Path) -> None:
    said = {"kind": "depth", "folder": "range", "range": [1, 2000]}
    opened = open_folder(write(tmp_path, tasks={"far": said}), "train")
    assert np.nanmax(opened.stored(0)["far"]) == 1500
    assert open_folder(write(tmp_path / "b"), "train").tasks["people"].value_range == (0, 255)


def test_truth_of_little_confidence_is_ignored_in_each_kind_s_way(tmp_path: Path) -> None:
    sure = {"folder": "sure", "least": 0.2}
    tasks = {name: {**SAID["tasks"][name], "confidence": sure} for name in ("ground", "normals")}
    write(tmp_path, tasks=tasks)
    for folder, end in (("photos", "png"), ("ground", "png"), ("normals", "npy")):
        path = tmp_path / folder / f"a.{end}"
        (path.parent / "x").mkdir()
        path.rename(path.parent / "x" / path.name)
    (tmp_path / "train.txt").write_text("x/a\n")
    confidence = np.full((24, 32), 51, np.uint8)
    confidence[5, 6] = 50
    save(tmp_path / "sure" / "x" / "a.png", confidence)
    sample = open_folder(tmp_path, "train").stored(0)
    assert sample["ground"][5, 6] == 255 and (sample["ground"] == 255).sum() == 2
    assert not sample["normals"][5, 6].any() and sample["normals"].any(-1).sum() == 24 * 32 - 1
    save(tmp_path / "sure" / "x" / "a.png", np.ones((24, 32), np.uint8))
    with pytest.raises(DatasetError, match="a.png: 8 bits, and no value above 1"):
        open_folder(tmp_path, "train").stored(0)["ground"]


def test_files_may_be_stored_in_other_ways(tmp_path: Path) -> None:
    tasks = {name: SAID["tasks"][name] for name in ("ground", "normals", "people")}
    tasks["edges"] = {"kind": "boundary", "folder": "edges"}
    write(tmp_path, tasks=tasks)
    (tmp_path / "photos" / "a.png").unlink()
    Image.new("RGB", SIZE).save(tmp_path / "photos" / "a.jpeg")
    (tmp_path / "ground" / "a.png").unlink()
    put(tmp_path / "ground" / "a.npy", np.ones((24, 32), np.bool_))
    (tmp_path / "normals" / "a.npy").unlink()
    picture = Image.new("P", SIZE)
    picture.putpalette([128, 128, 255])
    picture.save(tmp_path / "normals" / "a.png")
    (tmp_path / "people" / "a.npy").unlink()
    put(tmp_path / "people" / "b.npy", np.full((24, 32), 0.5))
    (tmp_path / "people" / "b.npy").rename(tmp_path / "people" / "a.NPY")
    save(tmp_path / "edges" / "a.png", np.full((24, 32, 3), 255, np.uint8))
    sample = open_folder(tmp_path, "train").stored(0)
    assert sample["rgb"].shape == (24, 32, 3) and (sample["ground"] == 1).all()
    assert np.allclose(sample["normals"], [0, 0, -1], atol=0.01)
    # A half is not more than a half.
    assert (sample["people"] == 0).all() and (sample["edges"] == 1).all()
