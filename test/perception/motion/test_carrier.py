"""What a stream serves between two computed frames."""

import cv2
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


@pytest.mark.parametrize("size", [(200, 60), (60, 200), (320, 240)])
def test_maps_of_any_shape_are_carried_while_the_scene_stands_still(size):
    carrier = Carrier(TWO)
    maps = {"depth": np.full(size[::-1], 2.0, np.float32)}
    dirty = np.ones(SPEC.grid, np.bool_)
    carrier.keep(IMAGE, CELLS, Predictions(7, maps, {}, dirty), ["depth"], 0.8, (128, 96))
    for age in (1, 2):
        found = carry(carrier, wanted=["depth"])
        assert found is not None and found.carried == age
        assert found.maps["depth"].shape == size[::-1] and found.dirty.shape == SPEC.grid


def wide(shift):
    """Return a view of a wide scene, ``shift`` pixels further to the right."""
    coarse = np.random.default_rng(3).integers(40, 200, (12, 32, 3), dtype=np.uint8)
    whole = cv2.resize(coarse, (256, 96), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(whole[:, shift : shift + 128])


def test_a_frame_most_of_which_was_in_view_is_carried_and_another_is_computed():
    def served(*shifts):
        carrier = Carrier(TWO)
        maps = {"depth": np.full((96, 128), 2.0, np.float32)}
        key = Predictions(7, maps, {}, np.ones(SPEC.grid, np.bool_))
        carrier.keep(wide(0), low_pass(wide(0), SPEC), key, ["depth"], 0.8, (128, 96))
        return [
            carry(carrier, wanted=["depth"], most=99, image=wide(shift)) is not None
            for shift in shifts
        ]

    assert served(4, 8, 12, 16) == [True] * 4
    assert served(8, 16, 24, 32, 40, 48)[-1] is False


def test_a_new_key_frame_is_carried_from_its_own_on():
    carrier = keeping()
    assert [carry(carrier) is not None for _ in range(3)] == [True, True, False]
    maps = {"depth": np.full((96, 128), 5.0, np.float32)}
    dirty = np.ones(SPEC.grid, np.bool_)
    carrier.keep(IMAGE, CELLS, Predictions(8, maps, {}, dirty), ["depth"], 0.8, (128, 96))
    found = carry(carrier, wanted=["depth"])
    assert found.carried == 1 and found.stamp == 8
    assert np.abs(found.maps["depth"] - 5.0).max() < 0.05


def test_depth_that_comes_beyond_the_limit_is_invalid():
    found = carry(keeping(), most=5)
    assert np.isfinite(found.maps["far_depth"]).all()
    carrier = keeping()
    found = carrier.carry(IMAGE, CELLS, ("depth", "far_depth"), 0.8, 2, 2.5)
    assert np.isfinite(found.maps["depth"]).all() and np.isnan(found.maps["far_depth"]).all()


def test_a_lamp_that_is_switched_on_over_a_part_is_a_frame_to_compute():
    for share, is_served in ((0.1, True), (0.4, False)):
        lit = IMAGE.copy()
        rows = int(96 * share)
        lit[:rows] = np.minimum(lit[:rows].astype(int) + 60, 255)
        assert (carry(keeping(), image=lit) is not None) == is_served, share
