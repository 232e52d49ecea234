"""How far the compilation of a bundle's engines is, and how long it will take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_STEPS = 1000
"""Steps of a build on a progress bar."""
_TOO_EARLY = 0.03
"""Below this fraction an estimate of the time would be noise."""


@dataclass(frozen=True)
class Progress:
    """A moment of a build.

    Attributes:
        graph: The graph that is compiled.
        fraction: Part of the whole build that is done, 0 to 1.
        seconds_left: Estimate of the time that is left, or None while it is too early.
    """

    graph: str
    fraction: float
    seconds_left: float | None

    def __str__(self) -> str:
        """Return the moment in words."""
        text = f"compiling engine {self.graph} for this GPU: {100 * self.fraction:.0f} %"
        if self.seconds_left is None:
            return text
        if self.seconds_left < 90:
            return f"{text}, about {max(1.0, self.seconds_left):.0f} s left"
        return f"{text}, about {self.seconds_left / 60:.0f} min left"


OnProgress = Callable[[Progress], bool]
"""Called now and then, from any thread; returns whether to go on."""


def on_progress(on_step: Callable[[int, int], None]) -> OnProgress:
    """Return a callback for a build that passes its progress on as (steps done, steps in all)."""

    def report(progress: Progress) -> bool:
        on_step(round(_STEPS * progress.fraction), _STEPS)
        return True

    return report


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class PhaseTree:
    """The nested phases that TensorRT tells of while it compiles one engine."""

    def __init__(self) -> None:
        """Start before the first phase."""
        self._phases: dict[str, _Phase] = {}
        self._furthest = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Enter a phase of some steps, within the current step of its parent."""
        self._phases[name] = _Phase(parent, max(1, steps))

    def step(self, name: str, step: int) -> None:
        """Take note that step number ``step`` (from 0) of a phase is done."""
        if name in self._phases:
            self._phases[name].done = step + 1

    def finish(self, name: str) -> None:
        """Leave a phase; its parent counts it as a step by itself."""
        self._phases.pop(name, None)

    @property
    def fraction(self) -> float:
        """Part that is done, 0 to 1; never less than it was."""
        roots = [n for n, p in self._phases.items() if p.parent not in self._phases]
        if roots:
            self._furthest = max(self._furthest, *(self._of(name) for name in roots))
        return self._furthest

    def _of(self, name: str) -> float:
        phase = self._phases[name]
        within = [self._of(n) for n, p in self._phases.items() if p.parent == name]
        return min(1.0, (phase.done + max(within, default=0.0)) / phase.steps)


class BuildProgress:
    """Turns the phases of several engines, compiled one by one, into one progress.

    TensorRT may call from threads of its own.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        report: OnProgress | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock.

        Args:
            weights: Graph -> its part of the work, in any unit, in the order of compilation.
            report: Called at each step; None for nobody.
            clock: Seconds.
        """
        self._weights, self._report, self._clock = dict(weights), report, clock
        self._start, self._lock = clock(), threading.Lock()
        self._graph, self._before, self._tree = "", 0.0, PhaseTree()
        self.going_on = True

    def enter(self, graph: str) -> None:
        """Begin with the next graph."""
        with self._lock:
            if self._graph:
                self._before += self._weights[self._graph]
            self._graph, self._tree = graph, PhaseTree()
        self._tell()

    def phase_start(self, name: str, parent: str | None, steps: int) -> None:
        """See ``PhaseTree.start``."""
        with self._lock:
            self._tree.start(name, parent, steps)

    def step(self, name: str, step: int) -> bool:
        """See ``PhaseTree.step``; return whether to go on."""
        with self._lock:
            self._tree.step(name, step)
        self._tell()
        return self.going_on

    def phase_finish(self, name: str) -> None:
        """See ``PhaseTree.finish``."""
        with self._lock:
            self._tree.finish(name)

    def now(self) -> Progress:
        """Return this moment."""
        with self._lock:
            done = self._before + self._weights[self._graph] * self._tree.fraction
            fraction = done / sum(self._weights.values())
            elapsed = self._clock() - self._start
            left = elapsed * (1 - fraction) / fraction if fraction >= _TOO_EARLY else None
            return Progress(self._graph, fraction, left)

    def _tell(self) -> None:
        if self._report is not None and not self._report(self.now()):
            self.going_on = False
