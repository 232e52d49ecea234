"""Maps, errors and recomputed tokens in colours."""

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
