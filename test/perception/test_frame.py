"""A camera's image becomes the network's input."""

from __future__ import annotations

import numpy as np
import pytest

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.perception.frame import check_image, depth_scale, normalise, resize

SPEC = InputSpec(32, 16, (10.0, 20.0, 30.0), 0.5, 16, 4, 0.8)


def test_an_image_is_stretched_and_normalised() -> None:
    image = np.full((64, 48, 3), (10, 30, 50), np.uint8)
    planes = normalise(resize(image, SPEC), SPEC)
    assert planes.shape == (1, 3, 16, 32) and planes.dtype == np.float32
    assert planes[0, :, 0, 0].tolist() == [0.0, 5.0, 10.0]


def test_depth_scales_with_the_focal_length_per_width() -> None:
    assert depth_scale(SPEC, None) == 1.0
    assert depth_scale(SPEC, 1.6) == pytest.approx(2.0)


@pytest.mark.parametrize("shape", [(15, 64, 3), (64, 15, 3), (64, 64), (64, 64, 4), (3, 64, 64)])
def test_what_is_no_image_or_too_small_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="image: found"):
        check_image(np.zeros(shape, np.uint8))
    check_image(np.zeros((16, 16, 3), np.uint8))


def test_an_image_of_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(16, 16, 3\) float32, expected \(H, W, 3\) uint8"):
        check_image(np.zeros((16, 16, 3), np.float32))  # type: ignore[arg-type]


def test_an_image_that_shrinks_is_averaged_over_its_pixels() -> None:
    image = np.zeros((64, 128, 3), np.uint8)
    image[:, ::4] = 200  # one column of four
    assert (resize(image, SPEC) == 50).all()


def test_an_image_that_grows_or_is_the_model_s_size_keeps_its_sides_apart() -> None:
    image = np.zeros((8, 16, 3), np.uint8)
    image[:, 8:] = 100
    large = resize(image, SPEC)
    assert large.shape == (16, 32, 3)
    assert (large[:, :14] == 0).all() and (large[:, 18:] == 100).all()
    assert 0 < large[0, 15, 0] < large[0, 16, 0] < 100
    assert resize(large, SPEC) is large


def test_a_camera_that_sees_wider_than_training_s_has_things_nearer() -> None:
    assert depth_scale(SPEC, 0.4) == pytest.approx(0.5)
    assert depth_scale(SPEC, SPEC.focal_length) == 1.0
