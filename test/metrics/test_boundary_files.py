"""odsF of folders of files, without a network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import scipy.io

from mtshare_ros.datasets.lines import outlines
from mtshare_ros.errors import UserError
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


def test_the_best_threshold_its_precision_and_its_recall_are_those_worked_out_by_hand(tmp_path):
    # A sure line that is there and a weak one that is not; two of three lines are not found.
    # Both lines: 2 * 1 / (2 + 3) = 0.4. The sure one alone: 2 * 1 / (1 + 3) = 0.5.
    cv2.imwrite(str(tmp_path / "pred.png"), np.maximum(line(30), line(10) // 255 * 102))
    cv2.imwrite(str(tmp_path / "true.png"), line(30) | line(45) | line(60))
    near, far = score_folders(tmp_path / "pred.png", tmp_path / "true.png", [0.01, 0.2], workers=1)
    assert (near.max_distance, near.images, near.precision) == (0.01, 1, 1.0)
    assert near.ods_f == pytest.approx(0.5, abs=0.03)
    assert near.recall == pytest.approx(1 / 3, abs=0.03)
    assert 0.4 <= near.threshold <= 0.41
    assert far.max_distance == 0.2 and far.ods_f >= near.ods_f


def broken_png(predictions, truths):
    (predictions / "0.png").write_bytes(b"no picture")


def missing(predictions, truths):
    (predictions / "1.png").unlink()


def other_size(predictions, truths):
    cv2.imwrite(str(truths / "1.png"), line(30, (50, 64)))


def colour(predictions, truths):
    image = np.zeros((48, 64, 3), np.uint8)
    image[..., 0] = 9
    cv2.imwrite(str(predictions / "1.png"), image)


def twice(predictions, truths):
    np.save(truths / "1.npy", line(30))


def zeros_and_ones(predictions, truths):
    cv2.imwrite(str(predictions / "1.png"), line(30) // 255)


def eight_bits_in_sixteen(predictions, truths):
    cv2.imwrite(str(predictions / "1.png"), line(30).astype(np.uint16))


def cut(predictions, truths):
    path = truths / "1.png"
    path.write_bytes(path.read_bytes()[:-30])


def pickled(predictions, truths):
    (truths / "1.png").unlink()
    np.save(truths / "1.npy", np.array([{}], object), allow_pickle=True)


def a_folder(predictions, truths):
    (truths / "1.png").unlink()
    (truths / "1.png").mkdir()


def empty(predictions, truths):
    for number in range(2):
        cv2.imwrite(str(truths / f"{number}.png"), np.zeros((48, 64), np.uint8))


@pytest.mark.parametrize(
    ("breaking", "said"),
    [
        (broken_png, "pred/0.png: can't be decoded"),
        (missing, "pred: no file 1 .1 of 2 missing"),
        (other_size, "64x48, but .*truth/1.png: 64x50"),
        (colour, r"pred/1.png: \(48, 64, 3\)"),
        (twice, "1.npy and .*1.png: expected one of them"),
        (zeros_and_ones, "1.png: 8 bits, and no value above 1; expected values up to 255"),
        (eight_bits_in_sixteen, "1.png: 16 bits, and no value above 255; .*up to 65535"),
        (cut, "truth/1.png: can't be decoded"),
        (pickled, "truth/1.npy: can't be read"),
        (a_folder, "truth/1.png: can't be read .Is a directory"),
        (empty, "no boundary in 2 images"),
    ],
)
def test_what_can_not_be_scored_is_named(folders, breaking, said):
    breaking(*folders)
    with pytest.raises(UserError, match=said):
        score_folders(*folders, [0.01], workers=1)


def test_endings_count_in_any_case_and_hidden_files_do_not(folders):
    predictions, truths = folders
    for folder in folders:
        (folder / "1.png").rename(folder / "a b.PNG")
        for hidden in (".DS_Store", "._0.png", ".hidden.png"):
            (folder / hidden).write_bytes(b"of a system")
    (score,) = score_folders(predictions, truths, [0.01], workers=1)
    assert score.images == 2


@pytest.mark.parametrize(
    "names", [b"\xef\xbb\xbfa b\r\n\r\n", "a b\n".encode("utf-16"), b"  a b.png \t\n"]
)
def test_a_listed_name_may_have_blanks(folders, tmp_path, names):
    for folder in folders:
        (folder / "1.png").rename(folder / "a b.png")
    (tmp_path / "names.txt").write_bytes(names)
    (score,) = score_folders(*folders, [0.01], names=tmp_path / "names.txt", workers=1)
    assert score.images == 1


def test_palettes_transparency_and_sixteen_bits_are_read_as_by_the_other_commands(tmp_path):
    from PIL import Image

    grey = line(30)
    (tmp_path / "pred").mkdir()
    (tmp_path / "truth").mkdir()
    palette = Image.fromarray((grey > 0).astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 255, 255, 255])
    palette.save(tmp_path / "pred" / "p.png")
    Image.fromarray(np.dstack([grey, np.full_like(grey, 9)]), "LA").save(tmp_path / "pred/a.png")
    cv2.imwrite(str(tmp_path / "pred" / "w.png"), grey.astype(np.uint16) * 257)
    for name in "paw":
        cv2.imwrite(str(tmp_path / "truth" / f"{name}.png"), grey)
    (score,) = score_folders(tmp_path / "pred", tmp_path / "truth", [0.01], workers=1)
    assert score.ods_f == 1.0 and score.images == 3
