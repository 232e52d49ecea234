"""What every engine offers: open once, one state per stream, one call per frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.errors import JobError


class EngineError(JobError):
    """An engine failed on a frame; the stream's caches can't be trusted any more."""


def rows_name(cache: str) -> str:
    """Return the output of a derived graph that holds the rows computed for a cache."""
    return f"{cache}_rows"


@dataclass(frozen=True)
class EngineOutput:
    """What an engine returns for one frame.

    Attributes:
        raw: Task -> raw map, (C, height / fine_stride, width / fine_stride) float32. The arrays
            belong to the state and are overwritten by its next frame.
        milliseconds: Stage (``stem``, ``base`` and each task) -> time.
    """

    raw: Mapping[str, NDArray[np.float32]]
    milliseconds: Mapping[str, float]


class Engine(Protocol):
    """A bundle, opened. Several streams share one engine; each has a state of its own.

    Attributes:
        name: Name of the backend.
        precision: What it computes in, ``fp16`` or ``fp32``.
        manifest: The bundle's manifest.
        sizes: Numbers of rows that the engine computes at, ascending; empty for any number. An
            index between two of them costs as much as the larger one.
    """

    name: str
    precision: str
    manifest: Manifest
    sizes: tuple[int, ...]

    def new_state(self) -> Any:
        """Return empty caches for one stream; its first frame must compute every token."""
        ...

    def run(
        self,
        state: Any,
        image: NDArray[np.float32],
        base_index: NDArray[np.int64],
        task_index: Mapping[str, NDArray[np.int64]],
    ) -> EngineOutput:
        """Compute one frame.

        Args:
            state: What ``new_state`` returned; its caches are updated.
            image: (1, 3, height, width) float32, normalised as the manifest says.
            base_index: (K,) int64, the rows that the base recomputes; ascending, K >= 1. The
                prefix tokens' rows come first and are always among them, see ``token_rows``.
            task_index: Task -> the rows that it recomputes, (K_s,) int64, for each wanted task:
                those of ``base_index`` and those it missed while it was not wanted.

        Raises:
            EngineError: The computation failed; the state has to be replaced.
        """
        ...
