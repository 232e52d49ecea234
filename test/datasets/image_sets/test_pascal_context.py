"""PASCAL-Context: labels, units and ignored values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtshare_ros.datasets.image_sets.image_set import DatasetError
from mtshare_ros.datasets.image_sets.pascal_context import open_pascal_context
from support.trees import save, write_pascal


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
    import scipy.io

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
