"""Delta_m and its uncertainty: a paired bootstrap over test rooms.

Delta_m is the mean over tasks of the signed relative change of a metric against reference
networks, in per cent, higher is better (Maninis et al., "Attentive Single-Tasking of Multiple
Tasks", CVPR 2019).

Every array of this module is (1 + B,): first the value over all rooms as they are, then that of
each of B resamples. A resample draws rooms with replacement, the same rooms for every system,
task and training seed, and a metric is recomputed from the summed sums of what was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
"""(1 + B,): all rooms, then each resample."""

LEVEL = 95.0
"""Coverage of an interval, in per cent."""


@dataclass(frozen=True)
class Estimate:
    """A mean over training seeds.

    Attributes:
        value: The mean, all rooms.
        low: Lower end of the interval over resampled rooms.
        high: Its upper end.
        per_seed: Run -> value of that seed, all rooms.
    """

    value: float
    low: float
    high: float
    per_seed: dict[str, float]


def room_weights(rooms: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """Return how often each room counts, (1 + resamples, rooms); the first row is all ones."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(rooms, np.full(rooms, 1 / rooms), size=resamples)
    return np.vstack([np.ones(rooms), drawn]).astype(np.float64)


def relative_change(value: Values, reference: Values, higher_is_better: bool) -> Values:
    """Return the change in per cent of the reference; positive is better."""
    change = 100.0 * (value - reference) / reference
    return change if higher_is_better else -change


def delta_m(changes: Mapping[str, Values]) -> Values:
    """Return the mean over tasks of their relative changes."""
    return np.mean(list(changes.values()), axis=0)


def estimate(per_seed: Mapping[str, Values]) -> Estimate:
    """Return the mean over seeds (run -> values) and its interval."""
    mean = np.mean(list(per_seed.values()), axis=0)
    tail = (100.0 - LEVEL) / 2
    low, high = np.percentile(mean[1:], [tail, 100.0 - tail])
    seeds = {run: float(values[0]) for run, values in per_seed.items()}
    return Estimate(float(mean[0]), float(low), float(high), seeds)


def difference(one: Mapping[str, Values], other: Mapping[str, Values]) -> dict[str, Values]:
    """Return one - other, seed by seed (run -> values), of the seeds that both have."""
    return {run: values - other[run] for run, values in one.items() if run in other}


def common(parts: Sequence[Mapping[str, Values]]) -> list[str]:
    """Return the runs that every part has, in the order of the first."""
    first, *others = parts
    return [run for run in first if all(run in other for other in others)]
