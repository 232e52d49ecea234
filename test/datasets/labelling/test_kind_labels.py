"""From outputs to labels, kind by kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtshare_ros.datasets.labelling.kind_labels import KIND_LABELS, RawOutput


def raw(array: Any, means: str, **changes: Any) -> RawOutput:
    values: dict[str, Any] = {
        "array": np.asarray(array, np.float32),
        "size": (2, 2),
        "means": means,
        "layout": "nchw",
        "scale": 1.0,
        "axes": np.eye(3),
        "range": (0.1, 20.0),
        "classes": ((1,), (3, 0)),
    }
    return RawOutput(**{**values, **changes})


def test_ids_that_no_class_stands_for_are_unlabelled() -> None:
    values, confidence = KIND_LABELS["segmentation"].read(raw([[1, 3], [0, 2]], "ids"))
    assert values.tolist() == [[0, 1], [1, 255]] and (confidence == 1).all()


def test_ids_are_whole_numbers_and_none_counts_from_the_end() -> None:
    read = KIND_LABELS["segmentation"].read
    assert read(raw([[1, -1], [70000, 2]], "ids"))[0].tolist() == [[0, 255], [255, 255]]
    with pytest.raises(ValueError, match="id 1.5; expected whole numbers"):
        read(raw([[1, 1.5], [0, 2]], "ids"))


def test_scores_of_the_ids_of_a_class_add_up() -> None:
    scores = np.zeros((4, 2, 2))
    scores[:, 0, 0] = 0.3, 0.4, 0.1, 0.2  # ids 0 and 3 together outweigh id 1
    scores[2, 1, 1] = 1.0
    values, confidence = KIND_LABELS["segmentation"].read(raw(scores, "probabilities"))
    assert values[0, 0] == 1 and confidence[0, 0] == pytest.approx(0.5)
    assert values[1, 1] == 255


def test_channels_can_be_last() -> None:
    vectors = np.tile([0.0, 3.0, 4.0], (2, 2, 1))
    values, _ = KIND_LABELS["normals"].read(raw(vectors, "vectors", layout="nhwc"))
    assert np.allclose(values, [0, 0.6, 0.8])
    with pytest.raises(ValueError, match="3 channels in layout nchw"):
        KIND_LABELS["normals"].read(raw(np.zeros((2, 2, 2)), "vectors"))


def test_a_probability_is_as_certain_as_it_is_far_from_a_half() -> None:
    values, confidence = KIND_LABELS["saliency"].read(raw([[0, 0.5], [0.75, 1]], "probabilities"))
    assert confidence.tolist() == [[1, 0], [0.5, 1]]
    assert KIND_LABELS["saliency"].stored(values).tolist() == [[0, 128], [191, 255]]
    with pytest.raises(ValueError, match="0 to 3; expected probabilities"):
        KIND_LABELS["boundary"].read(raw([[0, 3], [0, 0]], "probabilities"))


def test_depth_and_normals_are_as_certain_as_their_mirror_image_agrees() -> None:
    depth, normals = KIND_LABELS["depth"].agreement, KIND_LABELS["normals"].agreement
    assert depth is not None and normals is not None
    found = depth(np.array([2.0, 2.0, np.nan]), np.array([2.0, 2.25, 2.0]))
    assert np.allclose(found, [1, 0.5, 0])
    turned = np.array([[0.6, 0, -0.8]])
    assert np.allclose(normals(turned, turned * [-1, 1, 1]), 1)
    assert np.allclose(normals(turned, turned), 0)
