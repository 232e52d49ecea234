"""Kinds of data sets: by name, and recognised by what a folder holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtshare_ros.datasets.image_sets.image_set import DatasetError
from mtshare_ros.datasets.image_sets.kinds import OPENERS, open_images, recognise, tasks_of
from mtshare_ros.tasks import TASKS
from support.trees import write_nyud, write_pascal


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


def test_each_published_kind_has_tasks_of_its_own(tmp_path: Path) -> None:
    assert set(OPENERS) == {"nyud", "pascal_context", "folder"}
    assert tasks_of("rooms") is TASKS and tasks_of("folder") is None
    pascal = tasks_of("pascal_context")
    assert pascal is not None and "human_parts" in pascal
    assert recognise(write_pascal(tmp_path)) == "pascal_context"


def test_a_kind_has_all_its_marks_and_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a" / "images").mkdir(parents=True)
    assert recognise(tmp_path / "a") is None
    write_nyud(tmp_path / ".hidden", png=False, count=2)
    with pytest.raises(DatasetError) as raised:
        open_images("folder", tmp_path, "val")
    assert "looks like" not in str(raised.value)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "meta.json").touch()
    with pytest.raises(DatasetError, match=f"{tmp_path}/b looks like rendered rooms: pass rooms"):
        open_images("folder", tmp_path, "val")
    assert list(tasks_of("nyud") or ()) == ["segmentation", "depth", "normals", "boundary"]
    with pytest.raises(DatasetError, match="'x y': expected each of"):
        open_images("nyud", tmp_path / ".hidden", "train", "x y")
