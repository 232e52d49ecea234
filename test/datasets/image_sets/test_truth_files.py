"""Files of truth: read to arrays, and named when they hold something else."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.datasets.image_sets import truth_files
from mtshare_ros.datasets.image_sets.image_set import DatasetError
from support.trees import put


def test_depth_is_in_metres_and_zero_is_invalid() -> None:
    depth = truth_files.metres(Path("d.npy"), np.array([[0, 2, np.inf], [1, 1, -1]]))
    expected = [[np.nan, 2, np.nan], [1, 1, np.nan]]
    assert np.array_equal(depth, expected, equal_nan=True)
    with pytest.raises(DatasetError, match="d.npy: depth up to 2500 m; .*millimetres"):
        truth_files.metres(Path("d.npy"), np.full((2, 2), 2500))


def test_normals_are_unit_vectors_whatever_they_are_stored_as() -> None:
    stored = np.array([[[0, 0, 2.0], [0, 0.01, 0]]]) / 2
    vectors = truth_files.unit_vectors(Path("n.npy"), stored)
    assert vectors.tolist() == [[[0, 0, 1], [0, 0, 0]]]
    picture = np.array([[[128, 128, 255]]], np.uint8)
    turned = truth_files.unit_vectors(Path("n.png"), picture, np.diag([1, 1, -1]))
    assert np.allclose(turned, [0, 0, -1], atol=0.01)


FILE = Path("truth.png")


@pytest.mark.parametrize(
    ("values", "unit", "said"),
    [
        (np.full((4, 4), 200, np.uint8), 0.01, "8 bits, up to 200; expected 16 bits"),
        (np.full((4, 4), 2000, np.uint16), 1.0, "up to 2000 m; expected metres and 0.2 to 10 m"),
        (np.full((4, 4), 2.0, np.float32), 0.001, "depth of 0.002 m .* expected 0.001 m a unit"),
        (np.full((4, 4), 2, np.uint16), 0.001, "depth of 0.002 m .*0.2 to 10 m"),
        (np.full((4, 4), 150.0), 1.0, "up to 150 m"),
        (np.ones((4, 4), np.bool_), 1.0, "depth .H, W. in metres"),
        (np.ones((4, 4, 3)), 1.0, "depth .H, W. in metres"),
    ],
)
def test_depth_of_another_unit_is_refused_with_what_was_found_and_expected(
    values: Any, unit: float, said: str
) -> None:
    with pytest.raises(DatasetError, match=f"truth.png: .*{said}"):
        truth_files.metres(FILE, values, unit, (0.2, 10.0))


def test_depth_beyond_what_is_learned_is_still_truth() -> None:
    far = truth_files.metres(FILE, np.full((4, 4), 12.0), 1.0, (0.2, 10.0))
    assert (far == 12).all()
    outdoors = truth_files.metres(FILE, np.full((4, 4), 800.0), 1.0, (1.0, 1000.0))
    assert (outdoors == 800).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 127, 128, 255]], np.uint8), [[0, 127 / 255, 128 / 255, 1]]),
        (np.array([[0.0, 0.25, np.nan]]), [[0, 0.25, np.nan]]),
        (np.array([[True, False]]), [[1, 0]]),
        (np.array([[0, 1]]), [[0, 1]]),
    ],
)
def test_shares_are_bytes_or_numbers_up_to_one(values: Any, expected: Any) -> None:
    assert np.allclose(truth_files.shares(FILE, values), expected, equal_nan=True)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([[0, 1]], np.uint8), "no value above 1; expected values up to 255"),
        (np.array([[0.0, 1.5]]), "0 to 1.5; expected 0 to 1"),
        (np.array([[-0.5, 1.0]]), "-0.5 to 1; expected 0 to 1"),
        (np.array([[0, 255]]), "0 to 255; expected 0 to 1"),
        (np.zeros((2, 2, 3)), "one channel"),
    ],
)
def test_shares_out_of_range_are_refused_with_both_numbers(values: Any, said: str) -> None:
    with pytest.raises(DatasetError, match=f"truth.png: .*{said}"):
        truth_files.shares(FILE, values)


@pytest.mark.parametrize(
    "values",
    [
        np.full((2, 2, 3), (0.5, 0.5, 1.0), np.float32),  # (n + 1) / 2 of forward
        np.full((2, 2, 3), (0, 0, 127), np.uint8),  # 127 n, no offset
        np.full((2, 2, 3), 0.3, np.float32),
    ],
)
def test_normals_that_are_not_of_unit_length_are_refused(values: Any) -> None:
    with pytest.raises(DatasetError, match="truth.png: vectors of length .*expected normals of l"):
        truth_files.unit_vectors(FILE, values)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk",
        b"\x93NUMPY\x01\x00\x10\x00{'descr': (((((  ",
        b"PK\x03\x04",
        b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }".ljust(117)
        + b"\n",
    ],
)
def test_an_array_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="a.npy: can't be read.*expected an array"):
        truth_files.array(path)


def test_an_array_of_objects_texts_or_nothing_is_refused(tmp_path: Path) -> None:
    for values in (np.array([{}], object), np.array(["a"]), np.zeros((0, 3)), np.zeros(2, "c16")):
        np.save(tmp_path / "a.npy", values, allow_pickle=True)
        with pytest.raises(DatasetError, match="a.npy: can't be read"):
            truth_files.array(tmp_path / "a.npy")
    with pytest.raises(DatasetError, match="can't be read .Is a directory"):
        truth_files.array(tmp_path)


def test_an_array_comes_in_the_machines_order_of_bytes(tmp_path: Path) -> None:
    put(tmp_path / "a.npy", np.arange(6, dtype=">f4").reshape(2, 3))
    values = truth_files.array(tmp_path / "a.npy")
    assert values.dtype == np.float32 and values[1].tolist() == [3, 4, 5]


def test_a_pickle_is_not_opened_and_a_name_with_a_zero_byte_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(pickle.dumps(np.ones(3)))
    with pytest.raises(DatasetError, match="a.npy: can't be read"):
        truth_files.array(path)
    with pytest.raises(DatasetError, match="can't be read .*expected a picture"):
        truth_files.file_bytes(Path("a\0b"), "a picture")


@pytest.mark.parametrize(("first", "said"), [(0, "0 to 3, and 255"), (1, "1 to 4, and 0")])
def test_ids_are_refused_with_those_there_are_and_what_is_unlabelled(
    first: int, said: str
) -> None:
    ids = np.array([[0, first + 3, 255]], np.uint8)
    truth_files.checked_ids(FILE, ids, 4, first)
    with pytest.raises(DatasetError, match=f"class id {first + 4}; expected {said} for unlab"):
        truth_files.checked_ids(FILE, ids + np.array([0, 1, 0], np.uint8), 4, first)


@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 3, 1)])
def test_a_plane_may_have_a_third_axis_of_one(shape: tuple[int, ...]) -> None:
    values = np.arange(1, 7) / 8
    expected = values.reshape(2, 3)
    assert np.array_equal(truth_files.metres(FILE, values.reshape(shape)), expected)
    assert np.array_equal(truth_files.shares(FILE, values.reshape(shape)), expected)


def test_depth_may_be_nowhere_and_is_near_only_below_a_tenth_of_the_range() -> None:
    assert np.isnan(truth_files.metres(FILE, np.zeros((2, 2)))).all()
    near = truth_files.metres(FILE, np.full((2, 2), 0.05), 1.0, (0.2, 10.0))
    assert np.allclose(near, 0.05)
    with pytest.raises(DatasetError, match="depth of 0.01 m in the middle"):
        truth_files.metres(FILE, np.full((2, 2), 0.01), 1.0, (0.2, 10.0))
    with pytest.raises(DatasetError, match="depth of 8 bits, up to 2"):
        truth_files.metres(FILE, np.full((2, 2), 2, np.int8))


def test_shares_may_be_nowhere_and_are_never_infinite() -> None:
    assert np.isnan(truth_files.shares(FILE, np.full((2, 2), np.nan))).all()
    assert not truth_files.shares(FILE, np.zeros((2, 2), np.uint8)).any()
    with pytest.raises(DatasetError, match="0 to inf; expected 0 to 1"):
        truth_files.shares(FILE, np.array([[0, np.inf]]))


def test_normals_that_are_a_little_off_are_taken_and_turned() -> None:
    with pytest.raises(DatasetError, match=r"expected normals \(H, W, 3\)"):
        truth_files.unit_vectors(FILE, np.zeros((2, 2, 4)))
    with pytest.raises(DatasetError, match="float64 from -5 to 0; expected components from -1"):
        truth_files.unit_vectors(FILE, np.full((1, 1, 3), (-5.0, 0, 0)))
    assert not truth_files.unit_vectors(FILE, np.full((2, 2, 3), np.nan)).any()
    picture = np.array([[[255, 128, 128]]], np.uint8)
    assert np.allclose(truth_files.unit_vectors(FILE, picture), [1, 1 / 255, 1 / 255], atol=1e-4)
    # The mean length counts: one short vector among many is no other convention.
    many = np.full((1, 100, 3), (0, 0, 1.005))
    many[0, 7], many[0, 8] = (0.5, 0, 0), (0.05, 0, 0)
    found = truth_files.unit_vectors(FILE, many, np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]))
    assert np.allclose(found[0, [0, 7, 8]], [[0, 1, 0], [0, 0, 1], [0, 0, 0]])
