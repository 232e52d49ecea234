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


def test_depth_is_in_metres_whatever_the_teacher_gives_and_within_its_range() -> None:
    read = KIND_LABELS["depth"].read
    for means, given in (
        ("metres", [[1.0, 4.0], [0.05, 30.0]]),
        ("inverse_metres", [[1.0, 0.25], [20.0, 1 / 30]]),
        ("log_metres", np.log([[1.0, 4.0], [0.05, 30.0]])),
    ):
        values, _ = read(raw(given, means))
        assert np.allclose(values, [[1, 4], [np.nan, np.nan]], equal_nan=True), means
    assert np.allclose(read(raw([[1.0, 4.0], [2, 3]], "metres", scale=0.5))[0][0], [0.5, 2])


def test_normals_are_turned_and_have_no_direction_where_there_is_none() -> None:
    vectors = np.tile(np.array([1.0, 2.0, 2.0])[:, None, None], (1, 2, 2))
    vectors[:, 1, 1] = 0
    axes = np.array([[0, 1, 0], [0, 0, -1], [1, 0, 0]])
    values, _ = KIND_LABELS["normals"].read(raw(vectors, "vectors", axes=axes))
    assert np.allclose(values[0, 0], [2 / 3, -2 / 3, 1 / 3]) and not values[1, 1].any()
    agreement = KIND_LABELS["normals"].agreement
    ahead = np.array([[0.0, 0.0, -1.0]])
    angle = np.radians(22.5)
    found = agreement(ahead, np.array([[0.0, np.sin(angle), -np.cos(angle)]]))  # type: ignore[misc]
    assert np.allclose(found, 0.5, atol=1e-5)
    depth = KIND_LABELS["depth"].agreement
    assert np.allclose(depth(np.array([2.25]), np.array([2.0])), 0.5)  # type: ignore[misc]


def test_logits_become_shares_and_a_share_is_at_most_one() -> None:
    logits = np.log(np.array([1.0, 3.0, 2.0, 2.0]))[:, None, None] + np.zeros((4, 2, 2))
    values, confidence = KIND_LABELS["segmentation"].read(raw(logits, "logits"))
    # Of 8: the first class has 3, the second 2 + 1, what is in none 2.
    assert np.allclose(confidence, 3 / 8) and set(np.unique(values)) <= {0, 1}
    with pytest.raises(ValueError, match="more than 3 channels, one per id"):
        KIND_LABELS["segmentation"].read(raw(logits[:3], "logits"))
    share, _ = KIND_LABELS["saliency"].read(raw(np.log([[1.0, 3.0], [9.0, 1 / 3]]), "logits"))
    assert np.allclose(share, [[0.5, 0.75], [0.9, 0.25]])
    for wrong in (1.01, -0.01):
        with pytest.raises(ValueError, match="expected probabilities, 0 to 1"):
            KIND_LABELS["saliency"].read(raw(np.full((2, 2), wrong), "probabilities"))
