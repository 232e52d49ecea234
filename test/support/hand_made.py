"""Engines made by hand: any geometry and any raw maps, without an exported bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import InputSpec, Manifest
from mtshare_ros.perception.engines.interface import EngineOutput
from mtshare_ros.tasks import DEPTH, NORMALS, SEGMENTATION, Task

WIDE = InputSpec(160, 64, (0.0, 0.0, 0.0), 1.0, 16, 4, 0.6)
"""A frame of 4 x 10 tokens, with a focal length that is not the simulator's."""


def manifest_of(
    spec: InputSpec = WIDE, tasks: Sequence[Task] = (NORMALS, DEPTH, SEGMENTATION)
) -> Manifest:
    """Return a manifest without graphs."""
    selftest = {"sha256": "", "size": 0, "tolerance": 1e-3}
    return Manifest(1, "hand-made", "", spec, {}, tuple(tasks), {}, {}, selftest)


class HandMadeEngine:
    """An engine whose raw maps are given, and that notes what it is asked for.

    Attributes:
        raw: Task -> raw map that every frame gives; zeros where a task is left out.
        rows: For each frame the rows of the base and of each task.
        states: Number of states that were made.
        before: Called with the number of each frame before it is computed; may raise.
    """

    name = "hand-made"
    precision = "fp32"

    def __init__(self, manifest: Manifest | None = None, sizes: Sequence[int] = ()) -> None:
        """Compute frames of ``manifest`` at ``sizes`` rows, or at any number."""
        self.manifest = manifest or manifest_of()
        self.sizes = tuple(sizes)
        self.raw: dict[str, NDArray[np.float32]] = {}
        self.rows: list[dict[str, list[int]]] = []
        self.states = 0
        self.before: Callable[[int], None] = lambda number: None

    def new_state(self) -> Any:
        """Return the number of the state."""
        self.states += 1
        return self.states

    def run(
        self,
        state: Any,
        image: NDArray[np.float32],
        base_index: NDArray[np.int64],
        task_index: Mapping[str, NDArray[np.int64]],
    ) -> EngineOutput:
        """Return the raw maps of the tasks in ``task_index``."""
        self.before(len(self.rows))
        indices = {"base": base_index, **task_index}
        self.rows.append({name: index.tolist() for name, index in indices.items()})
        spec = self.manifest.input
        side = (spec.height // spec.fine_stride, spec.width // spec.fine_stride)
        raw = {}
        for name in task_index:
            zeros = np.zeros((self.manifest.task(name).channels, *side), np.float32)
            raw[name] = self.raw.get(name, zeros).copy()
        return EngineOutput(raw, dict.fromkeys(("stem", *indices), 1.0))
