"""How urgent it is to recompute a token."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.perception.tokens import commit_reference, low_pass
from mtshare_ros.perception.urgency import (
    POLICIES,
    Look,
    Staleness,
    noise_change,
    noise_level,
    token_change,
)

SPEC = InputSpec(64, 48, (0.0, 0.0, 0.0), 1.0, 16, 4, 0.8)
LARGE = InputSpec(320, 240, (0.0, 0.0, 0.0), 1.0, 16, 4, 0.8)


def image(value: int = 100) -> np.ndarray:
    return np.full((48, 64, 3), value, np.uint8)


def look(now: np.ndarray, age: int = 1, before: np.ndarray | None = None) -> Look:
    reference = low_pass(image() if before is None else before, SPEC)
    return Look(now, low_pass(now, SPEC), reference, np.full(12, age), SPEC)


def room(seed: int, noise: float) -> np.ndarray:
    """Return ramps, edges and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:240, :320]
    clean = 60 + 0.2 * x + 0.3 * y + 60 * ((x // 37 + y // 29) % 2)
    noisy = clean[..., None] + rng.normal(0, max(noise, 1e-9), (240, 320, 3))
    return np.clip(noisy.round(), 0, 255).astype(np.uint8)


def test_only_the_token_whose_pixels_changed_has_a_change() -> None:
    now = image()
    now[16:32, 32:48] += 40  # row 1, column 2
    change = token_change(low_pass(now, SPEC), low_pass(image(), SPEC), SPEC)
    assert change.argmax() == 6 and change[6] == pytest.approx(40, abs=1)
    assert np.delete(change, 6).max() == 0


def test_a_small_spot_inside_a_token_counts_in_full() -> None:
    now = image()
    now[0:4, 0:4] += 40
    change = token_change(low_pass(now, SPEC), low_pass(image(), SPEC), SPEC)
    assert change[0] == pytest.approx(40, abs=1)


def test_the_reference_follows_dirty_tokens_only() -> None:
    old, new = low_pass(image(), SPEC), low_pass(image(200), SPEC)
    dirty = np.zeros(12, bool)
    dirty[5] = True
    change = token_change(new, commit_reference(old, new, dirty, SPEC), SPEC)
    assert change[5] == 0 and np.delete(change, 5) == pytest.approx(np.full(11, 100))


@pytest.mark.parametrize("noise", [0.0, 1.0, 2.5, 3.5])
def test_the_noise_of_an_image_is_told_from_its_edges(noise: float) -> None:
    # What is rounded has a noise of 1 / sqrt(12) of its own.
    expected = 0.0 if noise == 0 else np.hypot(noise, 12**-0.5)
    assert noise_level(room(0, noise)) == pytest.approx(expected, rel=0.1, abs=0.25)


def test_fine_texture_is_not_all_taken_for_noise() -> None:
    assert noise_level(room(0, 30.0)) == 4.0


@pytest.mark.parametrize("noise", [1.0, 2.5, 3.5])
def test_noise_alone_makes_next_to_no_token_urgent(noise: float) -> None:
    first, second = room(0, noise), room(1, noise)
    change = token_change(low_pass(second, LARGE), low_pass(first, LARGE), LARGE)
    bound = noise_change(noise_level(second))
    assert (change > bound).mean() < 0.03
    assert (change > 0.5 * bound).mean() > 0.5  # and the bound is no larger than it has to be


def test_a_change_beyond_the_noise_is_urgent_and_so_are_its_neighbours() -> None:
    now = image()
    now[16:32, 16:32] += 40  # row 1, column 1
    urgency = Staleness(context=0.0)(look(now)).reshape(3, 4)
    assert urgency[1, 1] == pytest.approx(40, abs=1)
    assert urgency[:, :3].min() == pytest.approx(20, abs=1) and urgency[:, 3].max() == 0


def test_every_token_is_taken_to_have_a_share_of_the_mean_change() -> None:
    now = image()
    now[16:32, 16:32] += 48
    urgency = Staleness(spread=0.0, context=0.25)(look(now))
    assert np.delete(urgency, 5) == pytest.approx(np.full(11, 1.0))
    assert urgency[5] == pytest.approx(49.0)


@given(st.integers(1, 30))
def test_staleness_grows_with_the_age_and_change_does_not(age: int) -> None:
    now = image()
    now[:16, :16] += 3
    once, later = look(now), look(now, age)
    assert Staleness()(later) == pytest.approx(age * Staleness()(once))
    assert POLICIES["change"](later) == pytest.approx(POLICIES["change"](once))
    assert (
        POLICIES["change"](later)[0] == pytest.approx(3)
        and not POLICIES["change"](later)[1:].any()
    )
    assert (POLICIES["age"](later) == age).all()


def test_nothing_is_urgent_where_nothing_happens() -> None:
    assert not Staleness()(look(image(), 29)).any()


def test_a_change_of_one_colour_counts_as_a_third_and_darker_as_much_as_brighter() -> None:
    before = image(100)
    for channel, by in ((0, 30), (1, -30), (2, 60)):
        now = before.copy()
        now[32:48, 16:32, channel] = 100 + by  # row 2, column 1
        change = token_change(low_pass(now, SPEC), low_pass(before, SPEC), SPEC)
        assert change[9] == pytest.approx(abs(by) / 3, abs=0.01)
        assert np.delete(change, 9).max() == 0


def test_noise_is_looked_for_in_green() -> None:
    rng = np.random.default_rng(0)
    for channel, expected in ((0, 0.0), (1, 3.0), (2, 0.0)):
        picture = np.full((240, 320, 3), 100, np.uint8)
        picture[..., channel] = np.clip(rng.normal(100, 3.0, (240, 320)).round(), 0, 255)
        assert noise_level(picture) == pytest.approx(expected, abs=0.3)
    assert noise_change(0.0) == 0.0 < noise_change(0.1) < noise_change(3.0)


def test_a_change_within_the_noise_is_not_urgent() -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(100 + rng.normal(0, 3.0, (48, 64, 3)).round(), 0, 255).astype(np.uint8)
    bound = noise_change(noise_level(noisy))
    change = token_change(low_pass(noisy, SPEC), low_pass(image(), SPEC), SPEC)
    plain = Staleness(noise=False, spread=0.0, context=0.0)(look(noisy))
    assert plain == pytest.approx(change)
    found = Staleness(spread=0.0, context=0.0)(look(noisy))
    assert found == pytest.approx(np.maximum(change - bound, 0)) and found.min() >= 0


def test_each_token_s_urgency_is_its_own_age_s() -> None:
    now = image()
    now[:] += 10
    seen = look(now)
    age = np.arange(1, 13)
    found = Staleness(context=0.0)(Look(seen.image, seen.cells, seen.reference, age, SPEC))
    assert found == pytest.approx(10.0 * age)
    assert POLICIES["age"](Look(seen.image, seen.cells, seen.reference, age, SPEC)).tolist() == (
        age.tolist()
    )
