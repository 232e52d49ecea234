"""Which intrinsics an image has, and the rays of its pixels."""

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtshare_ros.perception.camera.calibration import (
    FOCAL_LENGTHS,
    WISHES,
    Calibration,
    CalibrationError,
    Region,
    base_topic,
    intrinsics,
)

K = (400.0, 0.0, 310.0, 0.0, 420.0, 250.0, 0.0, 0.0, 1.0)
P = (380.0, 0.0, 300.0, -38.0, 0.0, 390.0, 230.0, 3.9, 0.0, 0.0, 1.0, 0.0)
LENS = Calibration(640, 480, K, P, (-0.3, 0.1, 0.001, -0.002, 0.0))
ZERO_K, ZERO_P = (0.0,) * 9, (0.0,) * 12


def chosen(calibration=LENS, topic="/camera/image_raw", wish="auto", size=(640, 480)):
    return intrinsics(calibration, *size, topic, wish)


@pytest.mark.parametrize(
    ("topic", "source"),
    [
        ("/camera/image_raw", "K"),
        ("/camera/image_color", "K"),
        ("/camera/image_mono", "K"),
        ("/camera/image_raw/compressed", "K"),
        ("/camera/image_color/theora", "K"),
        ("/camera/image_rect", "P"),
        ("/camera/image_rect_color", "P"),
        ("/camera/image", "P"),
        ("/image", "P"),
        ("/image_raw/image", "P"),
        ("/camera/my_image_raw", "P"),
        ("/camera/image_raw/other", "P"),
        ("image_raw", "K"),
    ],
)
def test_the_topics_name_says_whether_its_images_are_raw(topic, source):
    found = chosen(topic=topic)
    assert found.source == source
    assert found.fx == {"K": 400.0, "P": 380.0}[source]


def test_a_wish_is_stronger_than_the_topics_name():
    assert chosen(topic="/image_raw", wish="p").source == "P"
    assert chosen(topic="/image_rect", wish="k").source == "K"


def test_where_one_matrix_is_all_zero_the_other_is_taken_unless_one_is_wished_for():
    assert chosen(replace(LENS, k=ZERO_K), "/image_raw").source == "P"
    assert chosen(replace(LENS, p=ZERO_P), "/image_rect").source == "K"
    with pytest.raises(CalibrationError, match="has K with fx 0, fy 0"):
        chosen(replace(LENS, k=ZERO_K), wish="k")
    with pytest.raises(CalibrationError, match="has P with fx 0, fy 0"):
        chosen(replace(LENS, k=ZERO_K, p=ZERO_P), "/image_raw")


def test_all_numbers_come_from_the_matrix_that_was_chosen():
    k, p = chosen(), chosen(topic="/image_rect")
    assert (k.fx, k.fy, k.cx, k.cy, k.tx, k.ty) == (400.0, 420.0, 310.0, 250.0, 0.0, 0.0)
    assert (p.fx, p.fy, p.cx, p.cy, p.tx, p.ty) == (380.0, 390.0, 300.0, 230.0, -38.0, 3.9)
    assert k.d == LENS.d and k.distorted and p.d == () and not p.distorted
    assert k.focal_length == 400 / 640 and str(k) == "fx 400.0 (K)" and str(p) == "fx 380.0 (P)"


def test_a_region_of_interest_moves_the_principal_point_and_binning_divides_everything():
    part = replace(LENS, region=Region(100, 40, 320, 200), binning=(2, 4))
    k, p = chosen(part, size=(160, 50)), chosen(part, "/image_rect", size=(160, 50))
    assert (k.fx, k.fy, k.cx, k.cy) == (200.0, 105.0, (310 - 100) / 2, (250 - 40) / 4)
    assert (p.fx, p.fy, p.cx, p.cy) == (190.0, 97.5, (300 - 100) / 2, (230 - 40) / 4)
    assert (p.tx, p.ty) == (-19.0, 3.9 / 4)
    assert k.focal_length == 200 / 160


@pytest.mark.parametrize(
    ("region", "binning", "size"),
    [
        (Region(), (1, 1), (640, 480)),
        (Region(0, 0, 640, 480), (1, 1), (640, 480)),
        (Region(), (2, 2), (320, 240)),
        (Region(5, 7, 333, 221), (1, 1), (333, 221)),
        (Region(5, 7, 333, 221), (2, 3), (166, 73)),
    ],
)
def test_an_image_is_of_the_regions_size_by_the_binning_with_a_pixel_of_slack(
    region, binning, size
):
    calibration = replace(LENS, region=region, binning=binning)
    for across, down in ((0, 0), (1, -1), (-1, 1)):
        found = chosen(calibration, size=(size[0] + across, size[1] + down))
        assert (found.width, found.height) == (size[0] + across, size[1] + down)
    for across, down in ((2, 0), (-2, 0), (0, 2), (0, -2)):
        with pytest.raises(CalibrationError, match="expected one of the images, which are"):
            chosen(calibration, size=(size[0] + across, size[1] + down))


def test_the_error_of_another_size_says_all_that_makes_the_size():
    part = replace(LENS, region=Region(0, 0, 320, 240), binning=(2, 1))
    with pytest.raises(CalibrationError) as caught:
        chosen(part, size=(640, 480))
    assert str(caught.value) == (
        "camera_info is of 640x480, ROI 320x240, binning 2x1; expected one of the images, which"
        " are 640x480"
    )


def with_focal_lengths(fx, fy):
    return replace(LENS, k=(fx, 0.0, 320.0, 0.0, fy, 240.0, 0.0, 0.0, 1.0))


@pytest.mark.parametrize(
    "focal", [(1.0, 1.0), (63.0, 400.0), (400.0, 47.0), (19300.0, 400.0), (400.0, 14500.0)]
)
def test_a_focal_length_beyond_any_lens_is_refused(focal):
    with pytest.raises(CalibrationError, match=r"has K with f[xy] [\d.]+ for \d+ pixels"):
        chosen(with_focal_lengths(*focal))


def test_the_extreme_focal_lengths_are_taken():
    least, most = FOCAL_LENGTHS
    assert chosen(with_focal_lengths(least * 640, most * 480)).fx == 64.0
    assert chosen(with_focal_lengths(most * 640, least * 480)).fy == 48.0
    with pytest.raises(CalibrationError, match="K with fy 47 for 480 pixels; .* 48 to 14400$"):
        chosen(with_focal_lengths(400.0, 47.0))


@pytest.mark.parametrize("focal", [(-400.0, 400.0), (400.0, -400.0), (400.0, 0.0)])
def test_a_focal_length_that_is_not_positive_is_no_calibrated_cameras(focal):
    with pytest.raises(CalibrationError, match="expected a calibrated camera's"):
        chosen(with_focal_lengths(*focal))


@pytest.mark.parametrize("place", [0, 2, 4, 5])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(place, value):
    k = tuple(value if number == place else each for number, each in enumerate(K))
    with pytest.raises(CalibrationError, match="expected a calibrated camera's"):
        chosen(replace(LENS, k=k))


def test_a_distortion_that_is_no_number_is_refused_where_it_counts():
    broken = replace(LENS, d=(float("nan"), 0.0, 0.0, 0.0, 0.0))
    with pytest.raises(CalibrationError, match="D that is not finite"):
        chosen(broken)
    assert chosen(broken, "/image_rect").source == "P"


def test_resized_images_have_scaled_intrinsics_and_the_same_distortion():
    found = chosen(topic="/image_rect").at_size(320, 120)
    assert (found.fx, found.cx, found.tx) == (190.0, 150.0, -19.0)
    assert (found.fy, found.cy, found.ty) == (97.5, 57.5, 0.975)
    assert (found.width, found.height, found.source) == (320, 120, "P")
    assert chosen().at_size(320, 120).d == LENS.d


def test_rays_of_a_rectified_image_are_those_of_a_pinhole():
    found = chosen(topic="/image_rect")
    rays = found.rays()
    assert rays.shape == (480, 640, 2) and rays.dtype == np.float32
    assert rays[100, 50] == pytest.approx(((50 - 300) / 380, (100 - 230) / 390), abs=1e-6)


FISHEYE = replace(LENS, model="equidistant", d=(0.05, -0.01, 0.002, 0.0))
WIDE = replace(
    LENS, model="rational_polynomial", d=(-0.2, 0.1, 0.001, -0.001, -0.01, 0.02, 0.01, 0.0)
)


@pytest.mark.parametrize("calibration", [LENS, WIDE, FISHEYE])
def test_rays_of_a_raw_image_come_back_to_their_pixels_through_the_lens(calibration):
    found = chosen(calibration)
    rays = found.rays()
    assert np.isfinite(rays).all()
    points = np.dstack([rays, np.ones(rays.shape[:2], np.float32)])[::40, ::40].astype(float)
    project = cv2.fisheye.projectPoints if found.model == "equidistant" else cv2.projectPoints
    matrix = np.array(K).reshape(3, 3)
    arguments = (np.zeros(3), np.zeros(3), matrix, np.array(found.d))
    pixels = project(points.reshape(-1, 1, 3), *arguments)[0].reshape(-1, 2)
    rows, columns = np.indices((480, 640))
    expected = np.stack([columns, rows], -1)[::40, ::40].reshape(-1, 2)
    assert np.abs(pixels - expected).max() < 0.05


def test_rays_of_a_smaller_output_are_those_of_the_pixels_between():
    rays, half = chosen().rays(), chosen().at_size(320, 240).rays()
    assert half == pytest.approx(rays[::2, ::2], abs=1e-4)


def test_a_pixel_that_no_ray_reaches_is_invalid():
    quarter = (100.0, 0.0, 77.5, 0.0, 105.0, 62.5, 0.0, 0.0, 1.0)
    strong = Calibration(160, 120, quarter, P, (-0.9, 0.3, 0.0, 0.0, 0.0))
    rays = chosen(strong, size=(160, 120)).rays()
    assert np.isnan(rays[0, 0]).all() and np.isfinite(rays[62, 77]).all()
    assert (np.isnan(rays[..., 0]) == np.isnan(rays[..., 1])).all()
    wide = (25.0, 0.0, 80.0, 0.0, 25.0, 60.0, 0.0, 0.0, 1.0)
    behind = replace(FISHEYE, width=160, height=120, k=wide)
    assert np.isnan(chosen(behind, size=(160, 120)).rays()[60, 0]).all()


def test_rays_go_to_the_angle_where_the_lens_turns_back_and_no_further():
    """With k1 = -0.3 a ray at r comes through at r - 0.3 r^3: largest where r^2 is 1 / 0.9."""
    k = (100.0, 0.0, 80.0, 0.0, 100.0, 60.0, 0.0, 0.0, 1.0)
    lens = Calibration(160, 120, k, ZERO_P, (-0.3, 0.0, 0.0, 0.0, 0.0))
    rays = np.linalg.norm(chosen(lens, size=(160, 120)).rays(), axis=-1)
    rows, columns = np.indices(rays.shape)
    radius = np.hypot(columns - 80, rows - 60) / 100
    inside, outside = radius < 0.7, radius > 0.71  # The largest is 0.7027.
    assert np.isfinite(rays[inside]).all() and np.isnan(rays[outside]).all()
    steps = np.linspace(0, 0.9**-0.5, 10001)
    expected = np.interp(radius, steps - 0.3 * steps**3, steps)
    assert rays[radius < 0.65] == pytest.approx(expected[radius < 0.65], abs=5e-4)


@pytest.mark.parametrize(
    ("model", "d", "known"),
    [
        ("plumb_bob", (0.1,) * 4, True),
        ("rational_polynomial", (0.1,) * 12, True),
        ("rational_polynomial", (0.1,) * 14, True),
        ("rational_polynomial", (0.1,) * 5, False),
        ("plumb_bob", (0.1,) * 5, True),
        ("plumb_bob", (0.1,) * 3, False),
        ("rational_polynomial", (0.1,) * 8, True),
        ("equidistant", (0.1,) * 4, True),
        ("equidistant", (0.1,) * 5, False),
        ("kannala", (0.1,) * 4, False),
        ("kannala", (0.0,) * 4, True),
        ("", (), True),
    ],
)
def test_a_distortion_is_undone_where_its_model_is_known(model, d, known):
    found = chosen(replace(LENS, model=model, d=d))
    assert found.undistorts == known
    if not known:
        assert found.rays()[0, 0] == pytest.approx(((0 - 310) / 400, (0 - 250) / 420))


def test_a_message_of_any_library_is_read():
    roi = SimpleNamespace(x_offset=1, y_offset=2, width=3, height=4, do_rectify=False)
    message = SimpleNamespace(
        width=640,
        height=480,
        k=np.array(K),
        p=list(P),
        d=np.array(LENS.d),
        distortion_model="plumb_bob",
        roi=roi,
        binning_x=0,
        binning_y=2,
    )
    expected = replace(LENS, region=Region(1, 2, 3, 4), binning=(1, 2))
    assert Calibration.of(message) == expected


def test_a_transports_name_is_no_part_of_the_topic():
    assert base_topic("/camera/image_raw/compressed") == "/camera/image_raw"
    assert base_topic("camera/image/compressedDepth") == "camera/image"
    assert base_topic("/camera/compressed") == "/camera"
    assert base_topic("/camera/image") == "/camera/image"
    assert base_topic("compressed") == "compressed" and base_topic("/theora") == "/theora"


@pytest.mark.parametrize(("place", "axis", "side"), [(2, "x", 640), (5, "y", 480)])
def test_a_principal_point_far_away_is_a_mistake(place, axis, side):
    for centre, fits in ((30 * side, True), (-30 * side, True), (31 * side, False), (2e40, False)):
        k = [500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0]
        k[place] = float(centre)
        calibration = Calibration(640, 480, tuple(k), (0.0,) * 12)
        if fits:
            assert intrinsics(calibration, 640, 480, "/image_raw").cx in (320.0, centre)
        else:
            with pytest.raises(CalibrationError, match=f"K with c{axis} .* for {side} pixels"):
                intrinsics(calibration, 640, 480, "/image_raw")


numbers = st.floats() | st.floats(-2000.0, 2000.0)
sizes = st.integers(0, 2**32 - 1) | st.sampled_from([640, 480])


@settings(max_examples=200, deadline=None)
@given(
    k=st.lists(numbers, min_size=9, max_size=9),
    p=st.lists(numbers, min_size=12, max_size=12),
    width=sizes,
    height=sizes,
    offset=sizes,
    binning=st.integers(1, 5),
    wish=st.sampled_from(WISHES),
)
def test_any_calibration_is_refused_or_gives_numbers(k, p, width, height, offset, binning, wish):
    region = Region(offset, 0, width, height) if offset % 2 else Region()
    calibration = Calibration(
        width, height, tuple(k), tuple(p), region=region, binning=(binning, binning)
    )
    try:
        found = intrinsics(calibration, 640, 480, "/image_raw", wish)
    except CalibrationError as error:
        assert len(str(error)) < 300 and "\n" not in str(error)
    else:
        assert FOCAL_LENGTHS[0] <= found.focal_length <= FOCAL_LENGTHS[1]
        assert np.isfinite(found.at_size(160, 120).rays()).all()
