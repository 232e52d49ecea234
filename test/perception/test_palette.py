"""Pictures of predictions for people."""

import numpy as np

from mtshare_ros.perception import palette
from mtshare_ros.tasks import UNLABELLED


def test_labels_have_the_colours_of_their_classes_and_others_are_black():
    table = palette.label_table([(1, 2, 3), (4, 5, 6)])
    picture = palette.colour_labels(np.array([[0, 1, UNLABELLED]], np.uint8), table)
    assert picture.tolist() == [[[1, 2, 3], [4, 5, 6], [0, 0, 0]]]


def test_a_colour_of_depth_is_the_same_distance_in_every_frame():
    near = palette.colour_depth(np.array([[1.0, 5.0, np.nan]], np.float32), 10.0)
    other = palette.colour_depth(np.array([[5.0, 9.0, 12.0]], np.float32), 10.0)
    assert (near[0, 1] == other[0, 0]).all() and (near[0, 2] == 0).all()
    assert len({tuple(pixel) for pixel in (near[0, 0], near[0, 1], other[0, 1])}) == 3


def test_normals_are_shown_component_by_component():
    picture = palette.colour_normals(np.array([[[0, 0, -1], [1, 0, 0]]], np.float32))
    assert picture.tolist() == [[[128, 128, 0], [255, 128, 128]]]


def test_probability_goes_from_black_to_bright():
    picture = palette.colour_probability(np.array([[0, 128, 255]], np.uint8))
    brightness = picture.sum(axis=-1)[0]
    assert brightness[0] < 20 < brightness[1] < brightness[2]


def test_an_overlay_leaves_what_is_unlabelled_as_it_is():
    image = np.full((4, 8, 3), 100, np.uint8)
    labels = np.array([[0, UNLABELLED], [0, UNLABELLED]], np.uint8)
    shown = palette.overlay(image, labels, palette.label_table([(200, 0, 0)]))
    assert shown.shape == (2, 2, 3)
    assert (shown[:, 1] == 100).all() and np.abs(shown[:, 0] - [150, 50, 50]).max() <= 1


def test_images_with_padded_rows_are_taken():
    padded = np.zeros((6, 10, 3), np.uint8)[:, :8]
    assert palette.at_size(padded, (3, 4)).shape == (3, 4, 3)


def test_what_is_near_is_red_and_what_is_far_is_blue():
    red, _, blue = np.moveaxis(
        palette.colour_depth(np.array([[1.0, 9.0, 99.0]], np.float32), 10.0)[0].astype(int), -1, 0
    )
    assert red[0] > blue[0] and blue[1] > red[1] and red[2] < 80
