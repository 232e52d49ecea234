"""Chooses the dirty tokens of each frame, and remembers what each token was computed from."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.perception.budget import (
    fill_up,
    frame_budget,
    refresh_slots,
    select_tokens,
    smallest_fraction,
    whole_sizes,
)
from mtshare_ros.perception.engines.sizes import next_size
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.perception.tokens import Cells, TokenMask, commit_reference
from mtshare_ros.perception.urgency import Look, Policy

DENSE = "dense"
"""The policy that recomputes everything in every frame."""

_LOG = logging.getLogger(__name__)


class Selection:
    """The tokens of one stream: what they show, how old they are, which of them come next.

    Attributes:
        frame: Computed frames since the cache was dropped; 0 computes every token.
    """

    frame: int

    def __init__(
        self,
        spec: InputSpec,
        sizes: Sequence[int],
        policies: Mapping[str, Policy],
        settings: StreamSettings,
    ) -> None:
        """Know of no frame yet.

        Args:
            spec: The bundle's input.
            sizes: Numbers of image tokens that the engine computes at; empty for any number.
            policies: What ``StreamSettings.policy`` can name beside ``DENSE``.
            settings: The first settings.
        """
        self._spec, self._sizes, self._policies = spec, sizes, policies
        self._computed = np.zeros(spec.tokens, np.int64)
        self.settings = settings
        self.reset()

    @property
    def settings(self) -> StreamSettings:
        """The settings; assigning holds from the next frame on."""
        return self._settings

    @settings.setter
    def settings(self, settings: StreamSettings) -> None:
        if settings.policy not in (DENSE, *self._policies):
            known = ", ".join((DENSE, *self._policies))
            raise ValueError(f"policy: {settings.policy!r}, expected one of {known}")
        self._settings = settings
        self._slots = refresh_slots(self._spec.tokens, settings.max_computed_age)
        needed = smallest_fraction(self._spec.tokens, settings.max_computed_age)
        if settings.max_dirty_fraction < needed:
            _LOG.warning(
                "max_dirty_fraction %.3f is raised to %.3f: max_age %d needs as much",
                settings.max_dirty_fraction,
                needed,
                settings.max_age,
            )

    def reset(self) -> None:
        """Forget every token."""
        self._reference: Cells | None = None
        self.frame = 0

    def choose(self, image: NDArray[np.uint8], cells: Cells, room: int | None) -> TokenMask:
        """Return the tokens to recompute, at least one.

        Args:
            image: (H, W, 3) uint8, the frame at the model's size.
            cells: The same, low-passed.
            room: Tokens that a deadline has room for; None without a deadline.
        """
        settings, tokens = self._settings, self._spec.tokens
        if self._reference is None or settings.policy == DENSE:
            return np.ones(tokens, np.bool_)
        age = self.frame - self._computed
        look = Look(image, cells, self._reference, age, self._spec)
        urgency = self._policies[settings.policy](look)
        age_bound = settings.max_computed_age
        due = self._slots == self.frame % age_bound
        budget = frame_budget(tokens, settings.max_dirty_fraction, age_bound, room)
        if self._sizes:
            budget = whole_sizes(budget, self._sizes, int(due.sum()))
        dirty = select_tokens(urgency, due, settings.change_threshold, budget)
        if not dirty.any():  # engines take at least one token
            dirty[int(urgency.argmax())] = True
        if self._sizes:
            size = next_size(int(dirty.sum()), self._sizes)
            dirty = fill_up(dirty, urgency, age, size)
        return dirty

    def commit(self, cells: Cells, dirty: TokenMask) -> None:
        """Take note that the dirty tokens were computed from a frame."""
        if self._reference is None:
            self._reference = cells.copy()
        else:
            self._reference = commit_reference(self._reference, cells, dirty, self._spec)
        self._computed[dirty] = self.frame
        self.frame += 1
