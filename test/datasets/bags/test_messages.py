"""Image messages to arrays in the units of a clip's frames, and back."""

from types import SimpleNamespace

import numpy as np
import pytest

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.messages import array_of, header_of, raw_image, stamp_of
from support.bag_files import clip_frame, image


@pytest.mark.parametrize("stamp", [0, 999_999_999, 1_700_000_000_123_456_789])
def test_a_header_gives_back_its_stamp(stamp):
    assert stamp_of(SimpleNamespace(header=header_of(stamp))) == stamp


@pytest.mark.parametrize(
    ("topic", "field", "encoding"),
    [
        (topics.IMAGE, "rgb", "rgb8"),
        (topics.DEPTH, "depth", "32FC1"),
        (topics.LABELS, "labels", "mono8"),
        (topics.NORMALS, "normals", "32FC3"),
    ],
)
def test_a_raw_image_gives_back_its_array(topic, field, encoding):
    values = getattr(clip_frame(0), field)
    found = array_of(raw_image(values, encoding, 5), topic, raw=True)
    np.testing.assert_allclose(found, values, atol=1e-6)
    assert found.dtype == values.dtype


def test_what_a_topic_can_not_hold_is_refused():
    frame = clip_frame(0)
    with pytest.raises(ValueError, match="encoding 'rgb8': expected one of 32FC1, 16UC1, mono16"):
        array_of(raw_image(frame.rgb, "rgb8", 0), topics.DEPTH, raw=True)
    with pytest.raises(ValueError, match="class id 15: the task has 0 to 3, and 255"):
        array_of(raw_image(frame.labels, "mono8", 0), topics.LABELS, raw=True, classes=4)
    with pytest.raises(ValueError, match="an image of 48x8: expected 16x16 or more"):
        array_of(image(frame.rgb[:8], "rgb8"), topics.IMAGE, raw=True)
