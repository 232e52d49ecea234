"""What a run needs of a frame."""

import numpy as np

from mtshare_ros.evaluation.frames import InputFrame


def test_a_frame_stands_alone_and_all_of_it_is_scored_unless_it_says_otherwise():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    frame = InputFrame(image, 0, {})
    assert not frame.follows and frame.focal_length is None and frame.pool == ""
    assert np.array_equal(image[frame.region], image)
