"""Pictures of a moment: what is in the panels, and the ages above them."""

import cv2
import numpy as np
import pytest

from mtshare_ros.evaluation.pictures.map_pictures import map_picture
from mtshare_ros.evaluation.video import mosaic as module
from mtshare_ros.evaluation.video.live import Answer, Moment
from mtshare_ros.evaluation.video.mosaic import Mosaic
from mtshare_ros.evaluation.video.sources import Shot
from mtshare_ros.tasks import TASKS
from support.video_files import scene

NAMES = ("depth", "segmentation", "normals")
CHOSEN = [TASKS[name] for name in NAMES]
MS = 1_000_000


def answer(stamp):
    depth = np.full((96, 128), 2.0, np.float32)
    depth[:, 64:] = 4.0
    depth[:10] = np.nan
    labels = np.zeros((96, 128), np.uint8)
    labels[48:] = 1
    normals = np.zeros((96, 128, 3), np.float32)
    normals[..., 2] = -1.0
    maps = {"depth": depth, "segmentation": labels, "normals": normals}
    stamps = {"depth": stamp - 100 * MS, "segmentation": stamp, "normals": stamp}
    return Answer(0.0, stamp, maps, stamps, 1.0)


def moment(late_ms=0):
    stamp = 5_000 * MS
    shot = Shot(scene(1), stamp, 0.0)
    return Moment(shot, 1.5, answer(stamp - late_ms * MS))


@pytest.fixture
def texts(monkeypatch):
    """What is written into pictures."""
    written = []
    draw = cv2.putText

    def put(picture, text, *more):
        written.append(text)
        return draw(picture, text, *more)

    monkeypatch.setattr(module.cv2, "putText", put)
    return written


def test_panels_hold_the_image_and_the_coloured_maps():
    mosaic = Mosaic(CHOSEN, (128, 96), 518)
    now = moment()
    picture = mosaic.picture(now)
    assert picture.shape[1::-1] == mosaic.size == (518, 110)
    assert np.array_equal(picture[mosaic.place(0)], now.shot.image)
    for number, task in list(enumerate(CHOSEN, 1))[1:]:
        expected = map_picture(task, now.answer.maps[task.name], 0.0)
        assert np.array_equal(picture[mosaic.place(number)], expected)
    depth = picture[mosaic.place(1)]
    assert not depth[:10].any()
    # Towards yellow near, towards violet far.
    near, far = depth[50, 10].astype(int), depth[50, 100].astype(int)
    assert near[1] > far[1] + 50 and near[2] < far[2]


def test_a_colour_means_one_distance_in_all_pictures():
    mosaic = Mosaic(CHOSEN, (128, 96), 518)
    first = mosaic.picture(moment())[mosaic.place(1)]
    other = moment()
    other.answer.maps["depth"][:] = 4.0
    second = mosaic.picture(other)[mosaic.place(1)]
    assert np.array_equal(second[50, 10], first[50, 100])


def test_ages_stand_above_the_panels(texts):
    mosaic = Mosaic(CHOSEN, (128, 96), 518)
    mosaic.picture(moment(late_ms=40))
    assert texts == [
        "camera, 1.50 s",
        "depth, 140 ms old",
        "segmentation, 40 ms old",
        "normals, 40 ms old",
    ]


def test_what_is_written_is_outside_of_the_panels():
    mosaic = Mosaic(CHOSEN, (128, 96), 1280)
    picture = mosaic.picture(moment())
    bars = picture.copy()
    for number in range(4):
        bars[mosaic.place(number)] = 0
    assert (bars > 100).sum() > 500
    assert not bars[-2:].any()


def test_before_the_first_output_panels_are_empty_and_say_so(texts):
    mosaic = Mosaic(CHOSEN, (128, 96), 518)
    picture = mosaic.picture(Moment(Shot(scene(0), 0, 0.0), 0.0, None))
    assert texts[1:] == [f"{name}: none yet" for name in NAMES]
    assert not any(picture[mosaic.place(number)].any() for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("columns", "width", "size"), [(2, 258, (258, 238)), (None, 101, (262, 62)), (1, 65, (66, 0))]
)
def test_sizes_are_even_and_hold_all_panels(columns, width, size):
    mosaic = Mosaic(CHOSEN, (128, 96), width, columns)
    assert mosaic.size[0] == size[0]
    assert not any(side % 2 for side in mosaic.size)
    places = [mosaic.place(number) for number in range(4)]
    assert max(rows.stop for rows, _ in places) <= mosaic.size[1]
    assert max(columns.stop for _, columns in places) <= mosaic.size[0]
    covered = np.zeros(mosaic.size[::-1], int)
    for place in places:
        covered[place] += 1
    assert covered.max() == 1
