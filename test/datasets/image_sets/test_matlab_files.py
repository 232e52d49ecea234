"""MATLAB files: read as SciPy reads them, and never what would end the process."""

from __future__ import annotations

import struct
import zlib
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


DOUBLES = struct.pack("<2d", 1, 2)


def element(kind: int, content: bytes, order: str = "<", claimed: int = 0) -> bytes:
    head = struct.pack(f"{order}II", kind, claimed or len(content))
    return head + content + bytes(-len(content) % 8)


def variable(
    values: bytes, kind: int = 6, shape: tuple[int, ...] = (1, 2), order: str = "<", flags: int = 8
) -> bytes:
    """Return an array named abc: class 1 is of cells, 2 a struct, 6 of floats."""
    sides = struct.pack(f"{order}{len(shape)}i", *shape)
    head = element(6, struct.pack(f"{order}I", kind) + bytes(flags - 4), order)
    name = element(1, b"abc", order)
    return element(14, head + element(5, sides, order) + name + values, order)


def cells(depth: int) -> bytes:
    inner = cells(depth - 1) if depth else variable(element(9, DOUBLES))
    return variable(inner, 1, (1, 1))


def file_of(content: bytes, order: str = "<") -> bytes:
    return b" " * 124 + (b"\x00\x01IM" if order == "<" else b"\x01\x00MI") + content


GOOD = variable(element(9, DOUBLES))


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_order_of_bytes_is_read(tmp_path: Path, order: str) -> None:
    values = element(9, struct.pack(f"{order}2d", 1, 2), order)
    (tmp_path / "x.mat").write_bytes(file_of(variable(values, order=order), order))
    assert matlab(tmp_path / "x.mat", "abc").tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (element(14, GOOD[8:], claimed=999), "999 bytes of a variable, .* are there"),
        (element(9, DOUBLES), "an element of type 9 instead of a variable"),
        (cells(25), "variables too deep inside of one another"),
        (variable(element(9, DOUBLES), shape=(-1, 2)), r"an array of shape \(-1, 2\)"),
        (variable(element(9, DOUBLES), shape=(2,)), r"an array of shape \(2,\)"),
        (
            variable(element(5, bytes(4)) + element(1, b"name"), 2),
            "names of 0 letters in 4 bytes",
        ),
        (variable(element(9, DOUBLES[:8])), "8 bytes of type 9 for 2 numbers"),
        (variable(element(9, DOUBLES + DOUBLES)), "32 bytes of type 9 for 2 numbers"),
        (variable(element(9, DOUBLES) * 2), "more elements than an array has"),
        (variable(struct.pack("<I", 5 << 16 | 1) + bytes(4)), "5 bytes in a tag of 4"),
        (variable(element(9, DOUBLES, claimed=24)), "24 bytes of an element, 16 are there"),
        (variable(element(9, DOUBLES), flags=16), "an element of type 6 and 16 bytes"),
    ],
)
def test_a_structure_that_can_not_be_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(file_of(content))
    with pytest.raises(DatasetError, match=rf"x.mat: can't be read \({said}"):
        matlab(path, "abc")


def test_a_compressed_variable_is_whole_and_nothing_follows_in_it(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"

    def written(body: bytes) -> Path:
        path.write_bytes(file_of(struct.pack("<II", 15, len(body)) + body))
        return path

    assert matlab(written(zlib.compress(GOOD)), "abc").tolist() == [[1, 2]]
    with pytest.raises(DatasetError, match="a compressed variable without its end"):
        matlab(written(zlib.compress(GOOD)[:-6]), "abc")
    size = len(GOOD) - 8
    with pytest.raises(DatasetError, match=f"{size} bytes of a variable, {size + 8} are there"):
        matlab(written(zlib.compress(GOOD + bytes(8))), "abc")


def test_a_label_map_of_cells_is_none(tmp_path: Path) -> None:
    listed = np.empty((2, 2), object)
    listed[:] = "text"
    scipy.io.savemat(tmp_path / "x.mat", {"LabelMap": listed})
    with pytest.raises(DatasetError, match=r"expected a LabelMap \(H, W\)"):
        label_map(tmp_path / "x.mat")
