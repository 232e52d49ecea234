"""How long the parts of a frame take on the simulated clock: as measured here, or as asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_NOT_THE_NETWORK = ("prepare", "select", "decode", "carry", "total")
"""Stages of a frame that are no graph of the network."""


@dataclass(frozen=True)
class Pace:
    """What makes a simulated time of a measured one.

    Attributes:
        slower: Factor on the time of the network's graphs: a larger network, a weaker board.
        network_ms: Milliseconds of a computed frame, instead of what was measured.
        serve_ms: Milliseconds of a frame that is served and not computed, likewise.
    """

    slower: float = 1.0
    network_ms: float | None = None
    serve_ms: float | None = None

    def computed(self, milliseconds: Mapping[str, float], beside_ms: float = 0.0) -> float:
        """Return the seconds that a computed frame takes.

        Args:
            milliseconds: Stage -> time, and ``total``, as of ``Predictions``.
            beside_ms: What else was measured for it.
        """
        if self.network_ms is not None:
            return 1e-3 * self.slower * self.network_ms
        total = milliseconds["total"]
        network = sum(t for stage, t in milliseconds.items() if stage not in _NOT_THE_NETWORK)
        return 1e-3 * (beside_ms + total + (self.slower - 1.0) * network)

    def looked(self, milliseconds: float) -> float:
        """Return the seconds until the network may have a frame; a part of ``served``."""
        return 1e-3 * milliseconds if self.serve_ms is None else 0.0

    def served(self, milliseconds: float) -> float:
        """Return the seconds that a frame takes that is served and not computed."""
        return 1e-3 * (milliseconds if self.serve_ms is None else self.serve_ms)
