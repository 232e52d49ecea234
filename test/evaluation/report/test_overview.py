"""One picture of a frame."""

import errno
from dataclasses import replace

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from mtshare_ros.evaluation.pictures.map_pictures import map_picture
from mtshare_ros.evaluation.report.overview import write_overview
from mtshare_ros.tasks import TASKS
from support.report_files import ALL_TASKS, outcome


def test_the_overview_shows_frame_predictions_and_truth(tmp_path):
    path = tmp_path / "overview.png"
    write_overview(path, outcome(1), ALL_TASKS)
    picture = cv2.imread(str(path))
    assert picture.shape[1] > 1000
    assert picture.std() > 20


def shown_by(monkeypatch, tmp_path, example):
    """Return (title, picture) of each place of the overview; None where there is none."""
    drawn = []
    save = Figure.savefig

    def keep(figure, *arguments, **options):
        drawn.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    write_overview(tmp_path / "overview.png", example, ALL_TASKS)
    return [
        (axis.get_title(), axis.images[0].get_array() if axis.images else None)
        for axis in drawn[0].axes
    ]


def test_truth_is_below_its_prediction_in_the_same_colours(tmp_path, monkeypatch):
    frame = outcome(1)
    far = np.full_like(frame.truths["depth"], 30.0)
    frame = replace(frame, truths={**frame.truths, "depth": far})
    places = shown_by(monkeypatch, tmp_path, frame)
    titles = [title for title, _ in places]
    assert titles == [
        "camera", "normals", "depth", "segmentation",
        "recomputed tokens, 25 %", "truth", "truth", "truth",
    ]  # fmt: skip
    assert np.array_equal(places[0][1], frame.rgb)
    # The coldest colour is that of the farthest depth, which is in the truth.
    for place, maps in ((2, frame.predictions), (6, frame.truths)):
        assert np.array_equal(places[place][1], map_picture(TASKS["depth"], maps["depth"], 30.0))


def test_a_place_without_truth_or_tokens_is_empty(tmp_path, monkeypatch):
    frame = outcome(1)
    bare = replace(frame, dirty=None, truths={"depth": frame.truths["depth"]})
    below = shown_by(monkeypatch, tmp_path, bare)[4:]
    assert [picture is None for _, picture in below] == [True, True, False, True]
    assert [title for title, _ in below] == ["", "", "truth", ""]


def test_a_full_disk_is_reported_with_the_name_of_the_file(tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(OSError, match=r"No space left.*overview\.png"):
        write_overview(tmp_path / "overview.png", outcome(1), ALL_TASKS)
