"""One picture of a frame."""

import cv2

from mtshare_ros.evaluation.report.overview import write_overview
from support.report_files import ALL_TASKS, outcome


def test_the_overview_shows_frame_predictions_and_truth(tmp_path):
    path = tmp_path / "overview.png"
    write_overview(path, outcome(1), ALL_TASKS)
    picture = cv2.imread(str(path))
    assert picture.shape[1] > 1000
    assert picture.std() > 20
