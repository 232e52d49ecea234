"""Axes of normals: named by a text, or found from depth."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from mtshare_ros.datasets.image_sets.axes import find_axes, normals_from_depth, parse_axes
from mtshare_ros.datasets.image_sets.image_set import DatasetError
from support.trees import FOCAL, scene


@pytest.mark.parametrize(
    ("order", "signs"), list(product(permutations("xyz"), product((1, -1), repeat=3)))
)
def test_normal_axes_are_found_from_depth(order: tuple[str, ...], signs: tuple[int, ...]) -> None:
    text = " ".join(a if s > 0 else f"-{a}" for a, s in zip(order, signs, strict=True))
    views = [scene(seed) for seed in range(2)]
    stored = [(v["depth"], v["normals"] @ parse_axes(text)) for v in views]
    assert find_axes(stored, FOCAL, "here") == text


def test_normals_from_depth_are_those_of_the_planes() -> None:
    view = scene(0)
    found = normals_from_depth(view["depth"], FOCAL)
    valid = found.any(-1)
    assert valid.mean() > 0.85 and not valid[0].any()
    cosine = (found * view["normals"]).sum(-1)[valid]
    assert np.median(cosine) > 0.9999 and (cosine > 0.99).mean() > 0.95


def test_axes_that_depth_does_not_tell_are_refused() -> None:
    flat = np.full((20, 30), 2.0)
    wall = np.tile(np.array([0.0, 0.0, -1.0]), (20, 30, 1))
    with pytest.raises(DatasetError, match="here: the normals' axes can't be told.*name them"):
        find_axes([(flat, wall)], FOCAL, "here")
    with pytest.raises(DatasetError, match="'x y': expected each of x, y, z once"):
        parse_axes("x y")
