"""What a frame gave."""

import numpy as np

from mtshare_ros.perception.predictions import Predictions

DIRTY = np.zeros((6, 8), bool)


def test_the_size_is_width_and_height_of_any_map_and_none_without_one():
    maps = {"depth": np.zeros((96, 128), np.float32), "normals": np.zeros((96, 128, 3))}
    found = Predictions(7, maps, {}, DIRTY)
    assert found.size() == (128, 96)
    assert Predictions(7, {}, {}, DIRTY).size() is None
    assert (found.reset, found.milliseconds, found.carried) == (None, {}, 0)
