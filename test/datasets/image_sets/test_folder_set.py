"""A folder of one's own: what `dataset.yaml` says is how its files are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mtshare_ros.datasets.image_sets.folder_set import open_folder
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
