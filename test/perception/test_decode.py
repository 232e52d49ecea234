"""Raw maps become metres, class ids and unit vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mtshare_ros.perception.decode import Decoder, decode, decode_confidence
from mtshare_ros.tasks import DEPTH, TASKS

RNG = np.random.default_rng(0)
SIZE = (32, 24)


def _upsampled(raw: np.ndarray) -> np.ndarray:
    """The upsampling of training."""
    tensor = torch.from_numpy(raw)[None]
    full = F.interpolate(tensor, size=SIZE[::-1], mode="bilinear", align_corners=False)
    return full[0].numpy()


def _raw(channels: int) -> np.ndarray:
    return RNG.normal(size=(channels, 6, 8)).astype(np.float32)


def test_labels_are_the_largest_logit_upsampled_as_in_training() -> None:
    raw = _raw(16)
    assert np.array_equal(Decoder(SIZE).labels(raw), _upsampled(raw).argmax(axis=0))


def test_depth_is_the_exponential_of_the_upsampled_map_within_the_range() -> None:
    raw = 3 * _raw(1)
    expected = np.maximum(np.exp(_upsampled(raw)[0]), 0.1)
    expected[expected > 20.0] = np.nan
    assert np.isnan(expected).any() and (expected == 0.1).any()
    assert np.allclose(Decoder(SIZE).depth(raw, DEPTH), expected, rtol=1e-4, equal_nan=True)


def test_depth_beyond_the_limit_is_not_a_number() -> None:
    raw = np.log(np.array([[[1.0, 8.0]]], np.float32))
    depth = Decoder((2, 1)).depth(raw, DEPTH, max_depth=5.0)
    assert depth[0, 0] == pytest.approx(1.0) and np.isnan(depth[0, 1])


def test_depth_of_a_task_without_a_range_is_not_cut() -> None:
    raw = np.log(np.array([[[50.0]]], np.float32))
    assert Decoder((1, 1)).depth(raw, replace(DEPTH, value_range=None)) == pytest.approx(50.0)


def test_normals_are_unit_vectors_in_the_direction_of_the_map() -> None:
    raw = _raw(3)
    normals = Decoder(SIZE).normals(raw)
    assert normals.shape == (24, 32, 3) and normals.dtype == np.float32
    assert np.abs(np.linalg.norm(normals, axis=2) - 1).max() < 1e-5
    small = raw / np.linalg.norm(raw, axis=0)
    expected = _upsampled(small.astype(np.float32)).transpose(1, 2, 0)
    expected /= np.linalg.norm(expected, axis=2, keepdims=True)
    assert np.abs(normals - expected).max() < 1e-4


def test_normals_without_a_direction_face_the_camera() -> None:
    assert Decoder((4, 4)).normals(np.zeros((3, 1, 1), np.float32))[0, 0].tolist() == [0, 0, -1]


def test_confidence_is_the_largest_probability() -> None:
    raw = np.zeros((4, 1, 1), np.float32)
    assert Decoder((2, 2)).confidence(raw)[0, 0] == 63  # 255 / 4
    raw[2] = 20.0
    assert (Decoder((2, 2)).confidence(raw) >= 254).all()


def test_a_probability_is_the_logistic_of_the_upsampled_logit() -> None:
    raw = 4 * _raw(1)
    found = Decoder(SIZE).probability(raw)
    assert found.shape == (24, 32) and found.dtype == np.uint8
    exact = 255 / (1 + np.exp(-_upsampled(raw)[0].astype(np.float64)))
    assert np.abs(found - exact).max() <= 0.51
    huge = np.array([[[-3e38, 3e38]]], np.float32)
    assert Decoder((2, 1)).probability(huge).tolist() == [[0, 255]]


def test_returned_arrays_are_not_reused() -> None:
    decoder, raw = Decoder(SIZE), _raw(3)
    first = decoder.normals(raw)
    kept = first.copy()
    decoder.normals(-raw)
    decoder.labels(_raw(5))
    decoder.probability(_raw(1))
    assert np.array_equal(first, kept)


def test_the_end_of_the_range_scales_with_the_focal_length() -> None:
    raw = np.log(np.array([[[15.0, 25.0]]], np.float32))  # the task's range ends at 20 m
    for scale, limit, expected in (
        (2.0, np.inf, [30.0, np.nan]),
        (0.5, np.inf, [7.5, np.nan]),
        (2.0, 29.0, [np.nan, np.nan]),
    ):
        depth = Decoder((2, 1)).depth(raw, DEPTH, scale, limit)
        assert depth[0] == pytest.approx(expected, nan_ok=True), (scale, limit)


@pytest.mark.parametrize("end", [0.7, 3.0, 5.0, 7.0, 10.0, 12.0, 20.0, 80.0])
def test_depth_beyond_the_end_of_any_range_is_not_a_number(end: float) -> None:
    task = replace(DEPTH, value_range=(0.1, end))
    raw = np.log(np.array([[[0.99 * end, 1.01 * end, 9 * end]]], np.float32))
    depth = Decoder((3, 1)).depth(raw, task)
    assert depth[0] == pytest.approx([0.99 * end, np.nan, np.nan], nan_ok=True)


def test_depth_of_any_size_is_finite_or_not_a_number() -> None:
    raw = np.array([[[-1e6, 1e6]]], np.float32)
    with np.errstate(all="raise"):
        depth = Decoder((2, 1)).depth(raw, DEPTH)
    assert depth[0] == pytest.approx([0.1, np.nan], nan_ok=True)


def test_of_equal_logits_the_first_class_is_taken_and_the_last_class_counts() -> None:
    raw = np.zeros((255, 1, 2), np.float32)
    raw[[3, 7], 0, 0] = 1.0
    raw[254, 0, 1] = 1.0
    assert Decoder((2, 1)).labels(raw).tolist() == [[3, 254]]


def test_confidence_belongs_to_its_place() -> None:
    raw = np.zeros((3, 2, 5), np.float32)
    raw[1, 0, 4] = raw[2, 1, 0] = 30.0
    confidence = Decoder((5, 2)).confidence(raw)
    assert np.argwhere(confidence > 200).tolist() == [[0, 4], [1, 0]]
    assert (confidence[confidence <= 200] == 85).all()
    assert (Decoder((5, 2)).confidence(raw - 1e4) == confidence).all()


def test_opposite_neighbours_leave_the_others_as_they_are() -> None:
    raw = np.zeros((3, 1, 2), np.float32)
    raw[0, 0] = (2.0, -2.0)
    normals = Decoder((3, 1)).normals(raw)
    assert normals[0].tolist() == [[1, 0, 0], [0, 0, -1], [-1, 0, 0]]


def test_a_map_is_decoded_by_its_kind_and_confidence_comes_with_classes_alone() -> None:
    decoder, raw = Decoder(SIZE), {name: _raw(task.channels) for name, task in TASKS.items()}
    for name, task in TASKS.items():
        found = decode(decoder, task, raw[name], 0.5, 3.0)
        assert found.shape[:2] == (24, 32)
        assert found.dtype == (np.float32 if name in ("depth", "normals") else np.uint8)
        sureness = decode_confidence(decoder, task, raw[name])
        assert (sureness is not None) == (name == "segmentation")
    depth = decode(decoder, DEPTH, raw["depth"], 0.5, 3.0)
    assert np.array_equal(depth, decoder.depth(raw["depth"], DEPTH, 0.5, 3.0), equal_nan=True)
    saliency = decode(decoder, TASKS["saliency"], raw["saliency"])
    assert np.array_equal(saliency, decoder.probability(raw["saliency"]))
