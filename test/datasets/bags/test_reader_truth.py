"""Truth in a bag: it goes to its own image or to none."""

import numpy as np
import pytest

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.datasets.bags.pairing import LONGEST_WAIT
from mtshare_ros.datasets.bags.reader import ClipReader
from support.bag_files import STEP, clip_frame, image, put


def truth_messages(stamp_of_image, stamp_of_truth):
    """Return images, each followed by the truth of the one before, as late publishers do it."""
    messages, late = [], []
    for index in range(6):
        frame = clip_frame(index)
        made = image(frame.rgb, "rgb8", stamp_of_image(index))
        messages.append(("/camera/image", topics.RAW_TYPE, made))
        messages += late
        labels = image(frame.labels, "mono8", stamp_of_truth(index))
        late = [("/ground_truth/labels", topics.RAW_TYPE, labels)]
    return messages + late


@pytest.mark.parametrize("offset", [0, 10**6, -333, 16 * 10**6])
def test_truth_that_is_stamped_a_little_off_is_that_of_its_image(tmp_path, offset):
    stamp = lambda index: 10**9 + index * STEP  # noqa: E731
    put(tmp_path / "bag", truth_messages(stamp, lambda index: stamp(index) + offset))
    reader = ClipReader(tmp_path / "bag")
    frames = list(reader)
    assert len(frames) == 6 and reader.warnings == ()
    for index, frame in enumerate(frames):
        assert np.array_equal(frame.labels, clip_frame(index).labels)
    assert reader.pairings[topics.LABELS].largest_offset == abs(offset)


@pytest.mark.parametrize("offset", [0, 5])
def test_images_without_stamps_never_get_the_truth_of_another(tmp_path, offset):
    put(tmp_path / "bag", truth_messages(lambda _: 0, lambda _: offset))
    reader = ClipReader(tmp_path / "bag")
    frames = list(reader)
    assert len(frames) == 6 and not any(frame.labels is not None for frame in frames)
    (warning,) = reader.warnings
    assert "/ground_truth/labels: none of 6 messages of truth used" in warning


def test_truth_of_another_time_is_named(tmp_path):
    stamp = lambda index: 10**9 + index * STEP  # noqa: E731
    put(tmp_path / "bag", truth_messages(stamp, lambda index: stamp(index) + 10**9))
    (warning,) = ClipReader(tmp_path / "bag").warnings
    assert "/ground_truth/labels: none of 6 messages of truth used: 6 are 833.333 ms" in warning


@pytest.mark.parametrize(("later", "used"), [(LONGEST_WAIT, True), (LONGEST_WAIT + 1, False)])
def test_truth_is_waited_for_as_long_as_it_is_promised(tmp_path, later, used):
    messages = [
        ("/camera/image", topics.RAW_TYPE, image(clip_frame(0).rgb, "rgb8", index * STEP))
        for index in range(LONGEST_WAIT + 3)
    ]
    labels = ("/ground_truth/labels", topics.RAW_TYPE, image(clip_frame(0).labels, "mono8"))
    messages.insert(1 + later, labels)
    put(tmp_path / "bag", messages)
    reader = ClipReader(tmp_path / "bag")
    assert (next(iter(reader)).labels is not None) is used
    assert len(reader.warnings) == (not used)


@pytest.mark.parametrize("truth_first", [True, False])
@pytest.mark.parametrize("encoding", ["mono8", "rgb8"])
def test_an_image_is_given_as_soon_as_all_of_its_truth_has_come(tmp_path, truth_first, encoding):
    messages = []
    for index in range(4):
        frame = clip_frame(index)
        labels = np.minimum(frame.labels, 14 + (index == 3))
        kind = "mono8" if index != 1 else encoding  # Or one that can't be read.
        pair = [
            ("/ground_truth/labels", topics.RAW_TYPE, image(labels, kind, index)),
            ("/camera/image", topics.RAW_TYPE, image(frame.rgb, "rgb8", index)),
        ]
        messages += pair if truth_first else pair[::-1]
    put(tmp_path / "bag", messages)
    frames, given = iter(ClipReader(tmp_path / "bag", classes=15)), []
    # The last labels are of another class, which ends the reading where they are met.
    with pytest.raises(BagError, match="/ground_truth/labels: class id 15: the task has 0 to 14"):
        for frame in frames:
            given.append((frame.stamp, frame.labels is not None))
    assert given == [(0, True), (1, encoding == "mono8"), (2, True)]


def test_truth_that_comes_before_its_image_waits_for_it(tmp_path):
    messages = []
    for index in range(6):
        labels = image(clip_frame(index).labels, "mono8", index)
        messages.append(("/ground_truth/labels", topics.RAW_TYPE, labels))
    for index in range(6):
        made = image(clip_frame(index).rgb, "rgb8", index)
        messages.append(("/camera/image", topics.RAW_TYPE, made))
    put(tmp_path / "bag", messages)
    for index, frame in enumerate(ClipReader(tmp_path / "bag")):
        assert np.array_equal(frame.labels, clip_frame(index).labels)


def test_the_truth_of_a_bad_image_goes_with_it_and_bad_truth_leaves_the_image(tmp_path):
    messages = []
    for index in range(6):
        frame = clip_frame(index)
        labels = image(frame.labels, "mono8" if index != 4 else "rgb8", index)
        changes = {"step": 5} if index == 2 else {}
        made = image(frame.rgb, "rgb8", index, **changes)
        pair = [
            ("/ground_truth/labels", topics.RAW_TYPE, labels),
            ("/camera/image", topics.RAW_TYPE, made),
        ]
        messages += pair if index % 2 else pair[::-1]
    put(tmp_path / "bag", messages)
    reader = ClipReader(tmp_path / "bag")
    frames = list(reader)
    assert [frame.stamp for frame in frames] == [0, 1, 3, 4, 5]
    assert [frame.stamp for frame in frames if frame.labels is None] == [4]
    for frame in frames:
        if frame.labels is not None:
            assert np.array_equal(frame.labels, clip_frame(frame.stamp).labels)
    assert len(reader.warnings) == 2


@pytest.mark.parametrize("wrong", [2, 6])
def test_truth_of_another_shape_than_its_image_is_not_used(tmp_path, wrong):
    messages = []
    for index in range(6):
        frame = clip_frame(index)
        labels = frame.labels[:16] if index < wrong else frame.labels[::2, ::2]
        messages += [
            ("/camera/image", topics.RAW_TYPE, image(frame.rgb, "rgb8", index)),
            ("/ground_truth/labels", topics.RAW_TYPE, image(labels, "mono8", index)),
        ]
    put(tmp_path / "bag", messages)
    reader = ClipReader(tmp_path / "bag")
    said = "48x16, but its image is 48x32; expected the same aspect ratio"
    if wrong == 6:
        with pytest.raises(BagError, match=f"/ground_truth/labels: {said} .6 of 6 messages"):
            list(reader)
        return
    assert [frame.stamp for frame in reader if frame.labels is not None] == [2, 3, 4, 5]
    assert said in reader.warnings[0] and "2 of 6 messages can't be used" in reader.warnings[0]
