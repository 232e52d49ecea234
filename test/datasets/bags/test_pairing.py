"""Truth and images, brought together by their stamps."""

import pytest

from mtshare_ros.datasets.bags.pairing import LONGEST_WAIT, ImageStamps, Stamped

PERIOD = 33_333_333
IMAGES = [5 * 10**9 + n * PERIOD for n in range(6)]


def pair(truth, images=IMAGES, before=None):
    """Return the pairing of truth that comes right after its image in the bag."""
    places = range(1, len(truth) + 1) if before is None else before
    stamped = [Stamped(stamp, place) for stamp, place in zip(truth, places, strict=True)]
    return ImageStamps("camera/image", images).pair("ground_truth/depth", stamped)


ALL = {n: n for n in range(6)}


@pytest.mark.parametrize("offset", [0, 10**6, -(10**6), PERIOD // 2 - 1])
def test_the_nearest_image_within_half_a_period_has_the_truth(offset):
    found = pair([stamp + offset for stamp in IMAGES])
    assert dict(found.image_of) == ALL and found.largest_offset == abs(offset)
    assert (found.messages, found.problem) == (6, "")


def test_truth_further_away_belongs_to_no_image():
    found = pair([stamp + 17 * 10**6 for stamp in IMAGES[5:]])
    assert not found.image_of
    assert found.problem == (
        "/ground_truth/depth: none of 1 messages of truth used: 1 are 17.000 ms or more from every"
        " image; expected less than half the images' period, 16.667 ms"
    )


def test_truth_in_the_middle_between_two_images_belongs_to_neither():
    assert not pair([500], [0, 1000]).image_of
    assert dict(pair([499], [0, 1000]).image_of) == {0: 0}


def test_images_that_are_not_recorded_by_stamp_keep_their_number():
    images = [IMAGES[2], None, IMAGES[0], IMAGES[1]]
    found = pair([stamp + 1000 for stamp in IMAGES[:3]], images)
    assert dict(found.image_of) == {0: 2, 1: 3, 2: 0} and not found.problem


def test_the_period_is_that_of_the_stamps_that_differ():
    images = [*[0] * 6, *IMAGES[:3]]
    assert dict(pair([IMAGES[1] + 1000], images, [8]).image_of) == {0: 7}


def test_a_median_is_not_moved_by_frames_that_are_missing():
    images = [n * 10**8 for n in (0, 1, 2, 3, 50, 90)]
    found = pair([stamp + 60 * 10**6 for stamp in images], images)
    # Of images in a row the next one is nearer, of lone ones none is near enough.
    assert dict(found.image_of) == {0: 1, 1: 2, 2: 3}


def test_each_image_has_one_truth_and_each_truth_one_image():
    found = pair([IMAGES[0] + 3, IMAGES[0] + 1, IMAGES[0] + 2])
    assert dict(found.image_of) == {1: 0}
    found = pair([IMAGES[1] - 5, IMAGES[1] + 5], before=[1, 2])
    assert dict(found.image_of) == {0: 1} and found.largest_offset == 5
    often = [stamp + k * PERIOD // 4 for stamp in IMAGES for k in range(4)]
    found = pair(often, before=[1 + n // 4 for n in range(24)])
    assert dict(found.image_of) == {4 * n: n for n in range(6)} and found.problem == ""


@pytest.mark.parametrize("truth", [[0] * 6, IMAGES])
def test_images_that_share_their_stamp_have_no_truth(truth):
    found = pair(truth, [0] * 6)
    assert not found.image_of and "none of 6 messages of truth used" in found.problem
    found = pair([0] * 6, [0] * 6)
    assert (
        "6 of 6 images on /camera/image share their stamp with another, such as 0.000000000 s"
        in found.problem
    )


def test_only_those_images_are_refused_that_can_not_be_told_apart():
    images = [*IMAGES[:5], IMAGES[4]]
    found = pair(images, images)
    assert dict(found.image_of) == {n: n for n in range(4)}
    assert "only 4 of 6 messages of truth used: 2 of 6 images on" in found.problem


def test_the_first_of_several_shared_stamps_is_named():
    found = pair(IMAGES, [IMAGES[n] for n in (2, 0, 0, 1, 2, 2)])
    assert dict(found.image_of) == {1: 3}
    assert found.problem == (
        "/ground_truth/depth: only 1 of 6 messages of truth used: 5 of 6 images on /camera/image"
        " share their stamp with another, such as 5.000000000 s"
    )


def test_a_reason_is_given_where_less_than_half_of_the_truth_has_an_image():
    far = [stamp + 17 * 10**6 + 10**5 * n for n, stamp in enumerate(IMAGES[5:] * 3)]
    assert pair([*IMAGES[:3], *far]).problem == ""
    assert pair([*IMAGES[:2], *far, far[-1] + 1]).problem == (
        "/ground_truth/depth: only 2 of 6 messages of truth used: 4 are 17.000 ms or more from"
        " every image; expected less than half the images' period, 16.667 ms"
    )


def test_truth_that_shares_its_stamp_is_not_used_either():
    found = pair([IMAGES[0]] * 3)
    assert not found.image_of
    assert "3 of its messages share their stamp with another" in found.problem


@pytest.mark.parametrize(
    ("image", "images_before", "used"),
    [
        (0, LONGEST_WAIT + 1, True),
        (0, LONGEST_WAIT + 2, False),
        (LONGEST_WAIT - 1, 0, True),
        (LONGEST_WAIT, 0, False),
    ],
)
def test_truth_may_be_some_images_late_or_early(image, images_before, used):
    images = [n * PERIOD for n in range(100)]
    found = pair([images[image]], images, [images_before])
    assert dict(found.image_of) == ({0: image} if used else {})
    assert ("1 come more than 15 images from their image" in found.problem) is not used


def test_stamps_that_can_not_be_read_belong_to_nothing():
    found = pair([None, IMAGES[1]], [IMAGES[0], None])
    assert not found.image_of and found.messages == 2
    assert pair(IMAGES[:1], [None]).problem.endswith("no image has a stamp that can be read")
    assert pair([]).problem == "" and pair([]).messages == 0
    assert pair([None], [None]).problem.endswith("no image has a stamp that can be read")
