"""What a stream serves between two computed frames."""

import numpy as np
import pytest

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.perception.motion.carrier import Carrier
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.tokens import low_pass
from mtshare_ros.tasks import KINDS, TASKS
from support.samples import coarse_image

SPEC = InputSpec(128, 96, (0.0, 0.0, 0.0), 1.0, 16, 4, 0.8)
IMAGE = coarse_image()
CELLS = low_pass(IMAGE, SPEC)
TWO = [TASKS["depth"], KINDS["depth"].task("far_depth")]


def keeping(names=("depth", "far_depth")):
    """Return a carrier with a key frame of tasks."""
    maps = {name: np.full((96, 128), 2.0 + n, np.float32) for n, name in enumerate(names)}
    carrier = Carrier(TWO)
    dirty = np.ones(SPEC.grid, np.bool_)
    predictions = Predictions(7, maps, {}, dirty, "first frame", {})
    carrier.keep(IMAGE, CELLS, predictions, names, 0.8, (128, 96))
    return carrier


def carry(carrier, wanted=("depth", "far_depth"), focal_length=0.8, most=2, image=IMAGE):
    return carrier.carry(image, low_pass(image, SPEC), wanted, focal_length, most, 20.0)


def test_a_still_scene_is_served_as_it_was_for_so_many_frames():
    carrier = keeping()
    for age in (1, 2):
        found = carry(carrier)
        assert found is not None and found.carried == age and found.reset is None
        assert not found.dirty.any()
        for name, metres in (("depth", 2.0), ("far_depth", 3.0)):
            assert np.abs(found.maps[name] - metres).max() < 0.01
    assert carry(carrier) is None


@pytest.mark.parametrize(
    "changes",
    [{"wanted": ("depth",)}, {"focal_length": 1.0}, {"image": coarse_image(seed=9)}, {"most": 0}],
)
def test_a_frame_that_the_key_does_not_explain_is_computed(changes):
    assert carry(keeping(), **changes) is None


def test_without_a_key_frame_nothing_is_served():
    assert carry(Carrier(TWO)) is None
    carrier = keeping()
    carrier.drop()
    assert carry(carrier) is None


def test_a_key_frame_in_which_it_was_no_tasks_turn_is_not_carried():
    assert carry(keeping(()), wanted=()) is None
