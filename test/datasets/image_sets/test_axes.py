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


def test_the_text_names_the_file_s_axis_of_each_direction() -> None:
    assert parse_axes("y -z x").tolist() == [[0, 1, 0], [0, 0, -1], [1, 0, 0]]
    with pytest.raises(DatasetError, match="'--x y z': expected each"):
        parse_axes("--x y z")


@pytest.mark.parametrize("turned", [False, True])
def test_a_slanted_plane_has_its_normal_and_a_step_has_none(turned: bool) -> None:
    normal = np.array([0.0, 0.6, -0.8] if turned else [0.6, 0.0, -0.8])
    y, x = np.mgrid[:8, :8] - 3.5
    rays = np.stack([x / 40, y / 40, np.ones_like(x)], axis=-1)
    depth = -2 / (rays @ normal)
    assert np.allclose(normals_from_depth(depth, 40)[1:-1, 1:-1], normal, atol=1e-5)
    step = np.full((8, 8), 2.0)
    step[4:] = 2.4
    found = normals_from_depth(step.T if turned else step, 40)
    found = found.swapaxes(0, 1) if turned else found
    assert not found[3:5].any() and np.allclose(found[2, 1:-1], [0, 0, -1])


def test_axes_are_told_from_all_views_and_the_pixels_that_have_both() -> None:
    view = scene(0)
    stored = view["normals"].copy()
    stored[:, ::3], stored[:, 1::3] = 0, 0
    nothing = np.full_like(view["depth"], np.nan)
    for views in ([0, 1], [1, 0]):
        pairs = [[(view["depth"], stored), (nothing, stored)][number] for number in views]
        assert find_axes(pairs, FOCAL, "here") == "x y z"
    # Directions that have nothing to do with the depth.
    rng = np.random.default_rng(0)
    noise = rng.normal(size=stored.shape)
    noise /= np.linalg.norm(noise, axis=-1, keepdims=True)
    with pytest.raises(DatasetError, match="can't be told from depth"):
        find_axes([(view["depth"], noise + 0.2 * view["normals"])], FOCAL, "here")
