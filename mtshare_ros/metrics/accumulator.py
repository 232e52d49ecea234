"""What every accumulator of a metric offers, and those that are nothing but sums.

An accumulator sees every frame once (``update``) and keeps sums only, so that a metric is that of
all valid pixels of the set, as the field reports it, and not a mean of per-frame values.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

State = dict[str, NDArray[Any]]
"""Sums by name; with leading axes, those of many parts at once."""

_Sums = TypeVar("_Sums", bound="Additive")


class Additive(ABC):
    """An accumulator that is nothing but sums: those of the parts add up to those of the whole."""

    sums: ClassVar[tuple[str, ...]]
    """Names of the attributes that are the sums."""

    @abstractmethod
    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one frame; both arrays are of one size."""

    def result(self) -> dict[str, float]:
        """Return the metrics by key; empty while no valid pixel was seen."""
        scores = {key: float(value) for key, value in self.scores(self.state()).items()}
        return {} if any(map(math.isnan, scores.values())) else scores

    def legacy(self) -> dict[str, float]:
        """Return further variants that published tables have, by key; most metrics have none."""
        return {}

    def per_class(self) -> NDArray[np.float64]:
        """Return the main metric of each class, NaN where unknown; empty without classes."""
        return np.empty(0)

    @abstractmethod
    def scores(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """Return the metrics of sums with any leading axes (...,), each (...,).

        NaN where no valid pixel was seen.
        """

    def state(self) -> State:
        """Return the sums by name."""
        return {name: np.array(getattr(self, name)) for name in self.sums}

    def from_state(self: _Sums, state: Mapping[str, NDArray[Any]]) -> _Sums:
        """Return an accumulator of the same settings that holds the sums of ``state``."""
        other = copy.copy(self)
        for name in self.sums:
            setattr(other, name, np.array(state[name]))
        return other

    def __add__(self: _Sums, other: _Sums) -> _Sums:
        """Return the accumulator of both parts; their settings are the same."""
        mine, theirs = self.state(), other.state()
        return self.from_state({name: mine[name] + theirs[name] for name in self.sums})


def same_size(prediction: NDArray[Any], truth: NDArray[Any]) -> None:
    """Refuse maps of different sizes.

    Raises:
        ValueError: The shapes differ.
    """
    if prediction.shape != truth.shape:
        raise ValueError(
            f"prediction is {prediction.shape}, ground truth {truth.shape}: sizes must be equal"
        )


def check_probability(prediction: NDArray[Any], truth: NDArray[Any]) -> None:
    """Refuse what is no probability as it is published.

    Raises:
        ValueError: The shapes differ, or the prediction is not uint8.
    """
    same_size(prediction, truth)
    if prediction.dtype != np.uint8:
        raise ValueError(f"prediction is {prediction.dtype}: expected a probability as uint8")
