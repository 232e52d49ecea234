"""Colours of depth in a report."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from mtshare_ros.evaluation.pictures.depth_colours import (
    FARTHEST,
    NEAREST,
    DepthColours,
    colours_of,
    to_levels,
    to_metres,
)


def test_levels_keep_depth_to_two_percent_and_know_what_is_invalid() -> None:
    depth = np.geomspace(NEAREST, FARTHEST, 999).reshape(27, 37)
    back = np.vectorize(to_metres)(to_levels(depth))
    assert np.abs(back / depth - 1).max() < 0.02
    invalid = np.array([[np.nan, 0.0, -1.0, np.inf, 1e-9, 1e9]])
    assert list(to_levels(invalid)[0]) == [0, 0, 0, 0, 1, 255]


def test_a_colour_is_one_distance_and_the_shown_ones_are_told_apart() -> None:
    near, far = np.full((4, 4), 1.0), np.full((4, 4), 5.0)
    colours = colours_of([to_levels(near), to_levels(far)])
    yellow = colours.picture(to_levels(near))[0, 0].astype(int)
    violet = colours.picture(to_levels(far))[0, 0].astype(int)
    assert yellow[0] > 170 and yellow[1] > 200 and yellow[2] < 70
    assert violet.sum() < 230 and violet[2] > violet[1]
    assert not colours.picture(to_levels(np.full((2, 2), np.nan))).any()


def test_one_far_pixel_does_not_take_the_colours_from_the_others() -> None:
    depth = np.linspace(1, 5, 10_000).reshape(100, 100)
    depth[0, 0] = 400.0
    assert to_metres(colours_of([to_levels(depth)]).far) < 7


def test_the_range_is_bounded_and_never_empty() -> None:
    wide = colours_of([to_levels(np.array([[0.06, 400.0]]))])
    assert to_metres(wide.far) / to_metres(wide.near) == pytest.approx(40, rel=0.01)
    for shown in ([], [to_levels(np.full((2, 2), 3.0))], [to_levels(np.full((2, 2), np.nan))]):
        colours = colours_of(shown)
        assert colours.far > colours.near


def test_ticks_are_where_their_colours_are() -> None:
    ticks = DepthColours(float(to_levels(np.array([[1.0]]))[0, 0]) - 1, 200.0).ticks()
    assert [text for _, text in ticks][:3] == ["1 m", "2 m", "3 m"]
    places = [place for place, _ in ticks]
    assert places[0] == pytest.approx(0, abs=4) and places == sorted(places) and places[-1] <= 100


def test_what_is_invalid_takes_no_colours_from_the_rest() -> None:
    depth = np.full((50, 40), np.nan)
    depth[0] = np.linspace(2.0, 4.0, 40)
    colours = colours_of([to_levels(depth)])
    assert 1.5 < to_metres(colours.near) < 2.0 and 4.0 < to_metres(colours.far) < 5.0


def test_levels_are_logarithmic_from_one_to_255() -> None:
    middle = float(np.sqrt(NEAREST * FARTHEST))
    depth = np.array([[NEAREST, middle, FARTHEST]])
    assert to_levels(depth)[0].tolist() == [1, 128, 255]
    assert [to_metres(level) for level in (1, 128, 255)] == pytest.approx(depth[0])


def test_the_range_goes_from_the_first_to_the_last_percentile() -> None:
    levels = np.full((10, 100), 150, np.uint8)
    levels[0, :5], levels[1, :5] = 40, 230  # half a percent each
    assert colours_of([levels]) == DepthColours(146.0, 154.0)
    levels[0, :50], levels[1, :50] = 140, 160  # five percent
    assert colours_of([levels]) == DepthColours(136.0, 164.0)
    assert colours_of([np.full((2, 2), 2, np.uint8)]).near == 1.0


def test_ticks_are_logarithmic_as_the_colours() -> None:
    span = 254 / np.log(FARTHEST / NEAREST)
    near, far = (1 + span * np.log(metres / NEAREST) for metres in (0.99, 10.01))
    assert DepthColours(near, far).ticks() == [
        (pytest.approx(100 * np.log10(metres), abs=0.5), f"{metres} m")
        for metres in (1, 2, 3, 5, 10)
    ]


def test_colours_are_those_of_viridis() -> None:
    levels = np.array([[100, 150, 200]], np.uint8)
    # Its ends and its middle, as matplotlib has them.
    expected = matplotlib.colormaps["viridis"]([1.0, 0.5, 0.0])[:, :3] * 255
    assert np.abs(DepthColours(100, 200).picture(levels)[0] - expected).max() < 3
