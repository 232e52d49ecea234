"""Maps, errors and recomputed tokens in colours."""

import cv2
import numpy as np

from mtshare_ros.evaluation.pictures import map_pictures
from mtshare_ros.tasks import TASKS, UNLABELLED
from support.report_files import ALL_TASKS


def test_the_coldest_colour_is_that_of_the_farthest_depth_of_all_maps():
    near, far = np.full((2, 2), 1.5, np.float32), np.full((2, 2), 7.5, np.float32)
    far[0] = np.nan
    other = np.full((2, 2), 90.0, np.float32)
    maps = [{"depth": near, "normals": other}, {}, {"depth": far}]
    assert map_pictures.far_depth(ALL_TASKS, maps) == 8.0
    assert map_pictures.far_depth(ALL_TASKS, [{"depth": np.full((2, 2), np.nan)}]) == 10.0


def test_errors_are_dark_where_right_bright_where_wrong_and_grey_without_truth():
    truth = np.array([[1, 1, UNLABELLED]], np.uint8)
    prediction = np.array([[1, 2, 1]], np.uint8)
    right, wrong, unknown = map_pictures.error_picture(TASKS["segmentation"], prediction, truth)[0]
    assert right.sum() < 20 and wrong.sum() > 500
    assert tuple(unknown) == map_pictures.NO_TRUTH
    depth = map_pictures.error_picture(
        TASKS["depth"], np.array([[1.0, 9.0, np.nan]]), np.array([[1.0, 1.0, 1.0]])
    )[0]
    assert depth[0].sum() < 20 and depth[1].sum() > 500 and depth[2].sum() > 500


def test_each_kind_of_task_has_a_legend():
    tasks = TASKS.values()
    assert map_pictures.with_legend(tasks, "metres") == ["depth"]
    assert map_pictures.with_legend(tasks, "classes") == ["segmentation"]
    assert map_pictures.with_legend(tasks, "directions") == ["normals"]
    assert map_pictures.with_legend(tasks, "probability") == ["boundary", "saliency"]


def test_recomputed_tokens_are_orange_on_a_grey_frame():
    rgb = np.zeros((4, 8, 3), np.uint8)
    rgb[..., 0] = 200
    shown = map_pictures.dirty_picture(rgb, np.array([[True, False]]))
    clean = shown[:, 4:]
    assert (clean == clean[..., :1]).all()
    red, green, blue = shown[0, 0].astype(int)
    assert red > green > blue and (shown[:, :4] == shown[0, 0]).all()


INFERNO = cv2.cvtColor(
    cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_INFERNO),
    cv2.COLOR_BGR2RGB,
)[0]
"""The colour of each level, from dark over violet to yellow."""


def levels(picture):
    """Return the level of each pixel; -1 is the grey of no truth."""
    found = []
    for pixel in picture.reshape(-1, 3):
        same = np.flatnonzero((pixel == INFERNO).all(-1))
        found.append(int(same[0]) if len(same) else -1)
        assert len(same) or tuple(pixel) == map_pictures.NO_TRUTH
    return found


def test_half_of_the_depth_and_sixty_degrees_are_as_bright_as_it_gets():
    truth = np.array([[4.0, 4.0, 4.0, 0.0, -1.0, np.nan]])
    depth = np.array([[4.4, 3.0, 6.0, 1.0, 1.0, 1.0]])
    found = map_pictures.error_picture(TASKS["depth"], depth, truth)
    assert levels(found) == [51, 128, 255, -1, -1, -1]
    # No prediction is as wrong as can be.
    nothing = map_pictures.error_picture(TASKS["depth"], np.full((1, 6), np.nan), truth)
    assert levels(nothing) == [255] * 3 + [-1] * 3

    def turned(degrees):
        return [0, np.sin(np.radians(degrees)), -np.cos(np.radians(degrees))]

    normals = np.array([[turned(0), turned(30), turned(60), turned(90), turned(9), turned(9)]])
    truth = np.array([[turned(0)] * 4 + [[0, 0, 0], [np.nan] * 3]])
    found = levels(map_pictures.error_picture(TASKS["normals"], normals, truth))
    assert found[0] <= 1 and abs(found[1] - 128) <= 1 and found[2:] == [255, 255, -1, -1]


def test_a_probability_is_compared_and_shown_as_a_share_of_one():
    prediction = np.array([[0, 255, 51, 7]], np.uint8)
    truth = np.array([[0.0, 1.0, 1.0, np.nan]], np.float32)
    found = map_pictures.error_picture(TASKS["boundary"], prediction, truth)
    assert levels(found) == [0, 0, 204, -1]
    assert levels(map_pictures.map_picture(TASKS["boundary"], prediction, 0.0)) == [0, 255, 51, 7]
    shown = map_pictures.map_picture(TASKS["saliency"], truth, 0.0)
    assert levels(shown) == [0, 255, 255, 0]


def test_maps_without_a_value_have_a_colour_all_the_same():
    normals = np.array([[[1, 0, -1], [np.nan] * 3]], np.float32)
    shown = map_pictures.map_picture(TASKS["normals"], normals, 0.0)
    assert shown.tolist() == [[[255, 128, 0], [128, 128, 128]]]


def test_the_coldest_colour_is_that_of_the_depth_that_is_asked_for():
    depth = np.array([[0.0, 2.0, 4.0, 9.0, np.nan]], np.float32)
    near, middle, *far = map_pictures.map_picture(TASKS["depth"], depth, 4.0)[0].tolist()
    assert far[0] == far[1] != far[2] == [0, 0, 0]
    assert near != middle and middle[1] > max(middle[0], middle[2])  # green


def test_one_pixel_in_a_hundred_does_not_shift_the_colours():
    depth = np.full(1000, 3.0)
    depth[:5] = 90.0
    assert map_pictures.far_depth(ALL_TASKS, [{"depth": depth}]) == 3.0
    depth[:50] = 7.5
    assert map_pictures.far_depth(ALL_TASKS, [{"depth": depth}]) == 8.0


def test_tokens_lie_where_they_are_in_the_image():
    rgb = np.full((6, 8, 3), 100, np.uint8)
    dirty = np.array([[False, True, False], [False, False, False]])
    shown = map_pictures.dirty_picture(rgb, dirty)
    orange = shown[..., 0] > shown[..., 2]
    assert orange[:3, 3:5].all() and orange.sum() <= 9 and not orange[3:].any()
