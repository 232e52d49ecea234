"""Dense networks in ONNX Runtime: what sharing is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx.utils import Extractor

from mtshare_ros.bench.rival_graphs import SharedGraph, write_rival
from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.export.deploy import deploy
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SharedEncoder
from mtshare_ros.perception.decode import Decoder, decode, decode_confidence
from mtshare_ros.perception.engines.onnxruntime_engine import open_session
from mtshare_ros.perception.frame import Image, normalise, resize
from mtshare_ros.tasks import Task

SEPARATE = "separate dense networks"
SHARED = "shared encoder"


class Rivals:
    """The dense rivals of a network's shape, with random weights.

    One graph of a shared encoder with every head is exported; a rival is what of it leads to some
    of its outputs: to one of them, a dense single-task network. Weights don't matter for time.
    """

    def __init__(
        self, config: NetworkConfig, tasks: Sequence[Task], folder: Path, threads: int
    ) -> None:
        """Export the graph into ``folder``.

        Args:
            config: Sizes of the networks.
            tasks: Every task that a rival may have.
            folder: Where the graphs go.
            threads: Threads of a computation.
        """
        channels = {task.name: task.channels for task in tasks}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = SharedEncoder(config, channels)
        path = folder / "dense.onnx"
        write_rival(SharedGraph(deploy(network)), config, channels, path)
        self._extractor = Extractor(onnx.load(path))
        self._folder, self._threads = folder, threads
        self._decoder = Decoder(config.size)

    def separate(self, tasks: Sequence[Task]) -> DenseNetworks:
        """Open one dense single-task network per task."""
        return DenseNetworks(
            [self._open([task]) for task in tasks], [[task] for task in tasks], self._decoder
        )

    def shared(self, tasks: Sequence[Task]) -> DenseNetworks:
        """Open one network with a head per task."""
        return DenseNetworks([self._open(tasks)], [tasks], self._decoder)

    def _open(self, tasks: Sequence[Task]) -> ort.InferenceSession:
        names = [task.name for task in tasks]
        path = self._folder / f"dense_{'_'.join(names)}.onnx"
        onnx.save(self._extractor.extract_model(["image"], names), str(path))
        # The options of our own sessions, so that idle ones don't slow the running one.
        return open_session(path, self._threads)


class DenseNetworks:
    """Opened graphs; each frame is resized and normalised once for all of them."""

    def __init__(
        self,
        sessions: Sequence[ort.InferenceSession],
        tasks: Sequence[Sequence[Task]],
        decoder: Decoder,
    ) -> None:
        """Take the sessions and the tasks that each of them computes, in its outputs' order."""
        self._sessions, self._tasks, self._decoder = sessions, tasks, decoder

    def first(self, count: int) -> DenseNetworks:
        """Return the first of the graphs alone; they are shared."""
        return DenseNetworks(self._sessions[:count], self._tasks[:count], self._decoder)

    def step(self, image: Image, spec: InputSpec) -> list[NDArray[np.generic]]:
        """Compute every task from an RGB image (H, W, 3) uint8 to decoded arrays."""
        tensor = normalise(resize(image, spec), spec)
        arrays: list[NDArray[np.generic]] = []
        for tasks, session in zip(self._tasks, self._sessions, strict=True):
            for task, raw in zip(tasks, session.run(None, {"image": tensor}), strict=True):
                arrays += decoded(self._decoder, task, raw[0])
        return arrays


def decoded(decoder: Decoder, task: Task, raw: NDArray[np.float32]) -> list[NDArray[np.generic]]:
    """Return the arrays that a user of a task gets from its raw map (C, h, w)."""
    # The node's default for the largest depth, in metres.
    arrays = [decode(decoder, task, raw, max_depth=20.0)]
    confidence = decode_confidence(decoder, task, raw)
    return arrays if confidence is None else [*arrays, confidence]
