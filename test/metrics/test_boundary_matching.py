"""odsF: answers that are known, and independent brute-force implementations."""

import time

import cv2
import numpy as np
import pytest

from mtshare_ros.datasets.lines import thin
from mtshare_ros.metrics.boundary import BoundaryMetric
from mtshare_ros.metrics.boundary_matching import (
    LEVELS,
    THOUSANDTHS,
    _Matcher,
    count_boundaries,
    suppress,
)

SIZE = (96, 128)
DIAGONAL = 160.0
"""In pixels; 0.011 of it are 1.76."""


def lines(*columns, first=20, last=70):
    """Return vertical lines, (96, 128) bool."""
    mask = np.zeros(SIZE, bool)
    mask[first:last, list(columns)] = True
    return mask


def score(predicted, truth, **options):
    metric = BoundaryMetric(**options)
    metric.update((255 * predicted).astype(np.uint8), truth.astype(np.float32))
    return metric.result()["ods_f"]


def blobs(seed, size=SIZE):
    """Return smooth random values, 0 to 255."""
    rng = np.random.default_rng(seed)
    waves = np.zeros(size)
    y, x = np.indices(size)
    for _ in range(12):
        fy, fx, phase = rng.normal(0, 0.15), rng.normal(0, 0.15), rng.uniform(0, 6.3)
        waves += np.sin(fy * y + fx * x + phase)
    return np.interp(waves, (waves.min(), waves.max()), (0, 255)).astype(np.uint8)


def test_the_truth_scores_one_up_to_the_border():
    truth = lines(30, 64, 90) | lines(0, 127, first=0, last=96)
    truth[48, 30:90] = truth[0] = truth[95] = True
    assert score(truth, truth) == 1.0


@pytest.mark.parametrize(("shift", "expected"), [(1, 1.0), (2, 0.0)])
def test_a_shift_counts_from_the_tolerance_on(shift, expected):
    assert score(lines(30 + shift, 90 + shift), lines(30, 90)) == expected


def test_the_tolerance_is_a_share_of_the_diagonal():
    assert score(lines(33), lines(30), max_distance=2.9 / DIAGONAL) == 0.0
    assert score(lines(33), lines(30), max_distance=3.1 / DIAGONAL) == 1.0


def test_doubled_lines_match_once():
    # Twice the pixels, each true one found once: precision 1/2, recall 1.
    found = score(lines(29, 31), lines(30))
    assert found == pytest.approx(2 * 0.5 / 1.5)


def test_half_of_the_lines_is_half_of_the_recall():
    assert score(lines(30), lines(30, 90)) == pytest.approx(2 * 0.5 / 1.5)


def test_nothing_predicted_scores_zero_and_nothing_true_has_no_score():
    assert score(np.zeros(SIZE), lines(30)) == 0.0
    metric = BoundaryMetric()
    metric.update(np.full(SIZE, 255, np.uint8), np.zeros(SIZE, np.float32))
    assert metric.result() == {}


def test_a_thick_prediction_is_thinned_to_its_middle():
    thick = np.zeros(SIZE)
    thick[20:70, 27:34] = 1.0
    assert score(thick, lines(30)) > 0.9


def test_predictions_where_the_truth_is_unknown_are_ignored():
    truth = lines(30).astype(np.float32)
    truth[:, 80:] = np.nan
    assert score(lines(30, 90), truth) == 1.0


def test_the_threshold_is_one_for_the_whole_set():
    truth, strong, weak = lines(30), np.zeros(SIZE), np.zeros(SIZE)
    strong[lines(30)], strong[lines(90)] = 0.9, 0.5
    weak[lines(30)] = 0.4
    metric = BoundaryMetric()
    for predicted in (strong, weak):
        metric.update((255 * predicted).astype(np.uint8), truth.astype(np.float32))
    # Alone each frame has a threshold at which it is perfect. Together: at 0.5 to 0.9, half of
    # the recall; below 0.4, a third of the predictions is wrong.
    assert metric.result()["ods_f"] == pytest.approx(2 * (2 / 3) / (2 / 3 + 1))


def test_a_level_is_the_first_one_above_its_threshold():
    assert len(LEVELS) == 101 and LEVELS[0] == 1 and LEVELS[-1] == 255
    for thousandth, level in zip(THOUSANDTHS.tolist(), LEVELS.tolist(), strict=True):
        assert level * 1000 > thousandth * 255 >= (level - 1) * 1000


def test_the_counts_are_those_of_each_threshold_by_itself():
    probability, truth = blobs(0), blobs(1) // 32
    edge = np.zeros(SIZE, np.float32)
    edge[:, :-1] = truth[:, 1:] != truth[:, :-1]
    edge[40:50, 60:80] = np.nan
    (found,) = count_boundaries(probability // 40 * 40, edge)  # seven levels: most cuts are alike
    ridges = np.where(np.isnan(edge), 0, suppress(probability // 40 * 40))
    matcher = _Matcher(thin(edge == 1), 0.011 * DIAGONAL)
    for index, level in enumerate(LEVELS):
        cut = thin(ridges >= level)
        assert found.predicted[index] == cut.sum()
        assert found.matched[index] == matcher.pairs(cut)
    assert len(set(found.predicted)) > 4


def test_an_image_of_nyud_takes_seconds_and_not_minutes():
    size = (425, 560)
    edge = np.zeros(size, np.float32)
    labels = blobs(1, size) // 128
    edge[:, :-1] = labels[:, 1:] != labels[:, :-1]
    probability = cv2.GaussianBlur(255 * edge, (0, 0), 2.0)
    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(size=size), (0, 0), 3.0)
    probability = np.clip(3 * probability + 200 * noise, 0, 255).astype(np.uint8)
    started = time.process_time()
    (counts,) = count_boundaries(probability, edge)
    # A wall clock would measure what else runs.
    assert time.process_time() - started < 4.0
    assert 2000 < counts.actual < 20000 and len(set(counts.predicted)) > 80


def guo_hall(mask):
    """Thin pixel by pixel, as the paper words it."""
    pixels = np.pad(mask, 1).astype(int)
    around = [(0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1)]
    while True:
        before = pixels.copy()
        for half in (0, 1):
            remove = []
            for y, x in zip(*np.nonzero(pixels), strict=True):
                p = [bool(pixels[y + dy, x + dx]) for dy, dx in around]
                q = [*p, p[0]]
                crossings = sum(not q[i] and (q[i + 1] or q[i + 2]) for i in (0, 2, 4, 6))
                n1 = sum(q[i] or q[i + 1] for i in (0, 2, 4, 6))
                n2 = sum(q[i + 1] or q[i + 2] for i in (0, 2, 4, 6))
                e, ne, n, nw, w, sw, s, se = p
                third = (w and (sw or s or not nw)) if half else (e and (ne or n or not se))
                if crossings == 1 and 2 <= min(n1, n2) <= 3 and not third:
                    remove.append((y, x))
            for y, x in remove:
                pixels[y, x] = 0
        if (pixels == before).all():
            return pixels[1:-1, 1:-1].astype(bool)


@pytest.mark.parametrize("seed", range(3))
def test_thinning_equals_that_of_single_pixels(seed):
    mask = blobs(seed, (40, 50)) > 140
    assert np.array_equal(thin(mask), guo_hall(mask))


def test_the_order_of_a_mask_in_memory_does_not_matter():
    mask = blobs(0, (40, 50)) > 140
    assert np.array_equal(thin(np.asfortranarray(mask)), thin(mask))


def test_thinning_keeps_what_is_connected_and_makes_no_blocks():
    for seed in range(3):
        mask = blobs(seed) > 150
        thinned = thin(mask)
        pieces = [cv2.connectedComponents(m.astype(np.uint8))[0] for m in (mask, thinned)]
        assert pieces[0] == pieces[1] > 2
        blocks = thinned[1:, 1:] & thinned[:-1, 1:] & thinned[1:, :-1] & thinned[:-1, :-1]
        assert blocks.sum() <= 2 and (thinned <= mask).all()


def test_only_the_crest_of_a_ridge_is_left():
    across = np.abs(np.arange(128) - 60)
    ridge = np.tile(np.maximum(255 - 40 * across, 0).astype(np.uint8), (96, 1))
    for picture, crest in ((ridge, np.s_[:, 60]), (ridge[:, :96].T.copy(), np.s_[60, :])):
        left = suppress(picture)
        assert (left[crest] == 255).all()
        left[crest] = 0
        assert not left.any()


@pytest.mark.parametrize("angle", [0, 30, 45, 60, 90, 120, 135, 150])
def test_a_ridge_is_thin_at_any_angle(angle):
    y, x = np.mgrid[:96, :128].astype(float)
    turn = np.radians(angle)
    across = np.abs((x - 64.3) * np.sin(turn) - (y - 48.3) * np.cos(turn))
    ridge = (255 * np.exp(-((across / 4) ** 2))).astype(np.uint8)
    left = suppress(ridge)[20:-20, 20:-20] > 20  # below, 8 bits make plateaus
    inner = across[20:-20, 20:-20]
    # No pixel is farther than one from the crest, and none of the crest is missing.
    assert inner[left].max() < 1.2
    assert left[inner < 0.2].all()


def test_an_image_is_not_square_for_the_tolerance():
    """0.05 of the diagonal of 60 x 80 pixels are 5."""
    truth, near = np.zeros((60, 80), np.float32), np.zeros((60, 80), np.uint8)
    truth[10:50, 40] = 1
    for shift, matched in ((5, 40), (6, 0)):
        near[:] = 0
        near[10:50, 40 + shift] = 255
        (counts,) = count_boundaries(near, truth, [0.05])
        assert (counts.matched[0], counts.predicted[0], counts.actual) == (matched, 40, 40)


def most_pairs(ours, others, radius):
    """Return the size of a maximum matching by Kuhn's augmenting paths."""
    partner = {}

    def place(one, tried):
        for other in others:
            if other not in tried and np.hypot(*np.subtract(one, other)) <= radius:
                tried.add(other)
                if other not in partner or place(partner[other], tried):
                    partner[other] = one
                    return True
        return False

    return sum(place(one, set()) for one in ours)


@pytest.mark.parametrize("seed", range(4))
def test_matching_equals_augmenting_paths(seed):
    rng = np.random.default_rng(seed)
    ours, others = rng.random((2, 12, 14)) < 0.25
    points = [list(map(tuple, np.argwhere(mask).tolist())) for mask in (ours, others)]
    for radius in (1.0, 1.5, 2.9):
        assert _Matcher(others, radius).pairs(ours) == most_pairs(*points, radius)
