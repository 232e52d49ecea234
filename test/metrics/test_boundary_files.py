"""odsF of folders of files, without a network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import scipy.io

from mtshare_ros.datasets.lines import outlines
from mtshare_ros.errors import OptionError
from mtshare_ros.metrics.boundary_files import read_lines, score_folders
from mtshare_ros.metrics.boundary_matching import count_boundaries
from support.line_drawings import line, write_folders


@pytest.fixture
def folders(tmp_path):
    return write_folders(tmp_path)


def test_floats_label_maps_and_a_list_of_names_are_read(tmp_path, folders):
    predictions, truths = folders
    (predictions / "0.png").unlink()
    (truths / "0.png").unlink()
    labels = np.ones((48, 64), np.uint16)
    labels[:, 40:] = 300  # 300 and 1 differ by more than 8 bits hold
    np.save(predictions / "0.npy", outlines(labels).astype(np.float32))
    scipy.io.savemat(truths / "0.mat", {"LabelMap": labels})
    (tmp_path / "names.txt").write_text("0\n")
    (score,) = score_folders(predictions, truths, [0.01], names=tmp_path / "names.txt", workers=1)
    assert score.ods_f == 1.0 and score.images == 1


def test_outlines_lie_left_of_and_above_a_change():
    labels = np.array([[1, 1, 2], [1, 1, 2], [3, 3, 3]])
    assert outlines(labels).astype(int).tolist() == [[0, 1, 0], [1, 1, 1], [0, 0, 0]]


def test_a_line_drawing_is_taken_as_it_is_or_outlined(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), line(30) // 255)  # 0 and 1
    assert np.array_equal(read_lines(path, outline=False), line(30) > 0)
    outlined = read_lines(path, outline=True)
    assert outlined[20, 29] and outlined[20, 30] and not outlined[20, 31]


def test_several_tolerances_at_once_are_those_one_by_one():
    rng = np.random.default_rng(0)
    probability = cv2.GaussianBlur(rng.integers(0, 256, (40, 50)).astype(np.uint8), (0, 0), 2)
    truth = (rng.random((40, 50)) < 0.1).astype(np.float32)
    both = count_boundaries(probability, truth, [0.01, 0.05])
    for counts, distance in zip(both, (0.01, 0.05), strict=True):
        (alone,) = count_boundaries(probability, truth, [distance])
        assert np.array_equal(counts.matched, alone.matched)
        assert np.array_equal(counts.predicted, alone.predicted)
    assert both[0].matched.sum() < both[1].matched.sum()


def broken_png(predictions, truths):
    (predictions / "0.png").write_bytes(b"no picture")


def missing(predictions, truths):
    (predictions / "1.png").unlink()


def other_size(predictions, truths):
    cv2.imwrite(str(truths / "1.png"), line(30, (50, 64)))


def colour(predictions, truths):
    cv2.imwrite(str(predictions / "1.png"), np.zeros((48, 64, 3), np.uint8))


def twice(predictions, truths):
    np.save(truths / "1.npy", line(30))


def empty(predictions, truths):
    for number in range(2):
        cv2.imwrite(str(truths / f"{number}.png"), np.zeros((48, 64), np.uint8))


@pytest.mark.parametrize(
    ("breaking", "said"),
    [
        (broken_png, "pred/0.png: can't be read"),
        (missing, "pred: no file 1 .1 of 2 missing"),
        (other_size, "64x48, but .*truth/1.png: 64x50"),
        (colour, r"pred/1.png: \(48, 64, 3\)"),
        (twice, "1.npy and .*1.png: expected one of them"),
        (empty, "no boundary in 2 images"),
    ],
)
def test_what_can_not_be_scored_is_named(folders, breaking, said):
    breaking(*folders)
    with pytest.raises(OptionError, match=said):
        score_folders(*folders, [0.01], workers=1)
