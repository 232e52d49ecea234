"""MATLAB files: read as SciPy reads them, and never what would end the process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from mtshare_ros.datasets.image_sets.image_set import DatasetError
from mtshare_ros.datasets.image_sets.matlab_files import label_map, matlab
from support.mutations import mutated
from support.trees import person, write_parts

BODY = np.zeros((20, 30), np.uint8)
BODY[3:9, 4:8] = 1


def write(folder: Path, compressed: bool) -> Path:
    write_parts(folder / "plain.mat", "x", [person(BODY, {"hair": BODY}), person(BODY, {})])
    variables = {"anno": scipy.io.loadmat(folder / "plain.mat")["anno"], "z": np.array(1 + 2j)}
    scipy.io.savemat(folder / "x.mat", variables, do_compression=compressed)
    return folder / "x.mat"


@pytest.mark.parametrize("compressed", [False, True])
def test_structs_cells_texts_and_numbers_are_those_that_were_written(
    tmp_path: Path, compressed: bool
) -> None:
    path = write(tmp_path, compressed)
    parts = matlab(path, "anno")[0][0][1][0]
    assert parts[0][1][0][0] == 15 and np.array_equal(parts[0][2], BODY)
    assert str(parts[0][3][0][0][0][0]) == "hair" and len(parts[1][3]) == 0
    assert matlab(path, "z") == 1 + 2j
    with pytest.raises(DatasetError, match="x.mat: no variable 'other'"):
        matlab(path, "other")


@pytest.mark.parametrize("compressed", [False, True])
def test_what_claims_more_than_there_is_never_reaches_scipy(
    tmp_path: Path, compressed: bool
) -> None:
    path = write(tmp_path, compressed)
    for content in mutated(path.read_bytes(), seed=3, count=150):
        path.write_bytes(content)
        try:
            matlab(path, "anno")
        except DatasetError as error:
            assert "x.mat" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("values", [np.zeros((2, 3, 4)), np.zeros((0, 3)), np.array(["text"])])
def test_a_label_map_is_a_plane_of_numbers(tmp_path: Path, values: Any) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"LabelMap": values})
    with pytest.raises(DatasetError, match=r"x.mat: .*expected a LabelMap \(H, W\)"):
        label_map(tmp_path / "x.mat")
    scipy.io.savemat(tmp_path / "x.mat", {"LabelMap": np.full((4, 5), 300, np.uint16)})
    assert (label_map(tmp_path / "x.mat") == 300).all()
