"""New keys mixed with what was carried to their frame."""

from __future__ import annotations

import numpy as np
import pytest

from mtshare_ros.perception.motion.carry import CameraMotion
from mtshare_ros.perception.motion.rigid import RigidMotion, pinhole_of
from mtshare_ros.perception.serving.fusion import FUSIONS, LARGEST_LOG_RATIO, fused
from mtshare_ros.perception.serving.sight import Key, Sight
from mtshare_ros.tasks import KINDS
from support.panning import SIZE, predictions, view

RAW = (24, 32)


def still(motion: RigidMotion | None, known: np.ndarray | None = None) -> Sight:
    """Return how a frame sees a key in which each pixel was where it is."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    where = np.stack([x, y], axis=-1)
    every = np.ones(SIZE[::-1], np.bool_)
    camera = pinhole_of(0.8, SIZE, SIZE)
    moved = None if motion is None else CameraMotion(where, motion, camera)
    key = Key(predictions(0, 0), view(0, 0), None, {})
    return Sight(key, where, every, every if known is None else known, moved)


NOT_MOVED = RigidMotion(np.zeros(3), np.zeros(3))


def plane(*values: float) -> np.ndarray:
    """Return a raw map of so many channels, each of one value."""
    return np.stack([np.full(RAW, value, np.float32) for value in values])


def test_every_kind_of_task_can_be_mixed() -> None:
    assert set(FUSIONS) == set(KINDS)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_depth_is_mixed_in_its_logarithm(share: float) -> None:
    new, old = plane(np.log(2.2)), plane(np.log(2.0))
    found = fused("depth", new, old, still(NOT_MOVED), share)
    assert found == pytest.approx(share * np.log(2.2) + (1 - share) * np.log(2.0), abs=1e-5)


@pytest.mark.parametrize("more", [-0.02, 0.02])
def test_depths_that_are_apart_by_more_than_a_bound_are_of_two_surfaces(more: float) -> None:
    ratio = LARGEST_LOG_RATIO + more
    for new in (ratio, -ratio):
        found = fused("depth", plane(new), plane(0.0), still(NOT_MOVED), 0.5)
        assert found == pytest.approx(new / 2 if more < 0 else new, abs=1e-5)


def test_depth_is_mixed_with_what_it_would_be_by_now_in_the_raw_map_s_own_metres() -> None:
    """2 m in the raw map are 3 m of the camera, which went back by 0.3 m: 2.2 in the raw map."""
    away = RigidMotion(np.zeros(3), np.array([0.0, 0.0, 0.3]))
    found = fused("depth", plane(np.log(2.2)), plane(np.log(2.0)), still(away), 0.5, scale=1.5)
    assert np.exp(found) == pytest.approx(2.2, abs=1e-3)


def test_directions_are_turned_before_they_are_mixed() -> None:
    """The scene turned by 90 degrees about z: what showed along x shows along y."""
    turned = RigidMotion(np.array([0.0, 0.0, np.pi / 2]), np.zeros(3))
    found = fused("normals", plane(0, 1, 0), plane(1, 0, 0), still(turned), 0.5)
    assert found.reshape(3, -1).T == pytest.approx(np.array([[0, 1, 0]] * 768), abs=1e-5)


def test_probabilities_are_mixed_and_not_their_logarithms() -> None:
    normalise = FUSIONS["segmentation"].normalise
    new, old = normalise(plane(0.0, np.log(3))), normalise(plane(np.log(9), 0.0))
    assert np.exp(new).sum(axis=0) == pytest.approx(1.0)
    assert np.exp(old[0]) == pytest.approx(0.9)
    found = np.exp(fused("segmentation", new, old, still(None), 0.5))
    assert found[0] == pytest.approx(0.5 * 0.25 + 0.5 * 0.9, abs=1e-4)
    assert found[1] == pytest.approx(0.5 * 0.75 + 0.5 * 0.1, abs=1e-4)


def test_more_channels_than_opencv_moves_at_once() -> None:
    new, old = plane(*range(7)), plane(*range(7, 14))
    found = fused("saliency", new[:5], old[:5], still(None), 0.5)
    assert found[:, 0, 0] == pytest.approx([3.5, 4.5, 5.5, 6.5, 7.5])


@pytest.mark.parametrize("kind", ["depth", "normals"])
def test_what_moves_with_the_camera_is_not_mixed_where_its_motion_is_unknown(kind: str) -> None:
    new = plane(0.1) if kind == "depth" else plane(0.0, 0.6, 0.8)
    assert np.array_equal(fused(kind, new, np.zeros_like(new), still(None), 0.5), new)


def test_only_what_is_known_is_mixed() -> None:
    known = np.ones(SIZE[::-1], np.bool_)
    known[:, :64] = False
    found = fused("saliency", plane(1.0), plane(0.0), still(None, known), 0.5)
    assert (found[0, :, :16] == 1.0).all() and (found[0, :, 18:] == 0.5).all()


def test_a_network_s_own_map_is_not_written_to() -> None:
    for kind, fusion in FUSIONS.items():
        raw = plane(0.5, 0.2, 0.1)
        normalised = fusion.normalise(raw)
        assert not np.shares_memory(normalised, raw), kind
