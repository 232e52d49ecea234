"""Dense networks on a GPU in their strongest form: what sharing is measured against there.

Each network's launches are recorded once (a CUDA graph) and replayed, the image is copied once for
all of them, and there is one wait per frame: as in the engine that they are compared with.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtshare_ros.bench.rival_graphs import DenseGraph
from mtshare_ros.bench.rivals import decoded
from mtshare_ros.bundle.manifest import InputSpec, Manifest
from mtshare_ros.export.deploy import deploy
from mtshare_ros.network.config import FINE_STRIDE, NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.perception.decode import Decoder
from mtshare_ros.perception.frame import Image, normalise, resize


class RecordedNetworks:
    """One dense single-task network per task of a bundle, of its shape, with random weights.

    Without a GPU they run call by call on the CPU.
    """

    def __init__(self, manifest: Manifest, precision: str) -> None:
        """Make and record the networks, in ``fp16`` (on a GPU only) or ``fp32``."""
        config = NetworkConfig.from_dict(manifest.network)
        on_gpu = torch.cuda.is_available()
        device = torch.device("cuda" if on_gpu else "cpu")
        dtype = torch.float16 if on_gpu and precision == "fp16" else torch.float32
        width, height = config.size
        self.tasks, self._decoder = list(manifest.tasks), Decoder(config.size)
        self._host = torch.zeros(1, 3, height, width, pin_memory=on_gpu)
        self._image = torch.zeros(1, 3, height, width, dtype=dtype, device=device)
        self._raw_hosts = []
        self._launches: list[Any] = []
        self._raws = []
        for task in self.tasks:
            with torch.random.fork_rng():
                torch.manual_seed(0)
                network = DenseGraph(deploy(SingleTaskNetwork(config, task.channels)))
            network = network.to(device, dtype)
            shape = (task.channels, height // FINE_STRIDE, width // FINE_STRIDE)
            raw = torch.zeros(1, *shape, device=device)
            self._raws.append(raw)
            self._raw_hosts.append(torch.zeros(1, *shape, pin_memory=on_gpu))
            launch = partial(_compute, network, self._image, raw)
            self._launches.append(_recorded(launch) if on_gpu else launch)

    @torch.no_grad()
    def step(self, image: Image, spec: InputSpec) -> list[NDArray[np.generic]]:
        """Compute every task from an RGB image (H, W, 3) uint8 to decoded arrays."""
        self._host.copy_(torch.from_numpy(normalise(resize(image, spec), spec)))
        self._image.copy_(self._host, non_blocking=True)
        for launch, raw, host in zip(self._launches, self._raws, self._raw_hosts, strict=True):
            launch()
            host.copy_(raw, non_blocking=True)
        if self._image.is_cuda:
            torch.cuda.current_stream().synchronize()
        arrays: list[NDArray[np.generic]] = []
        for task, host in zip(self.tasks, self._raw_hosts, strict=True):
            arrays += decoded(self._decoder, task, host[0].numpy())
        return arrays


@torch.no_grad()
def _compute(network: DenseGraph, image: torch.Tensor, raw: torch.Tensor) -> None:
    raw.copy_(network(image))


def _recorded(launch: Any) -> Any:
    """Return what replays the work that ``launch`` puts on the GPU."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):  # libraries choose their kernels in the first calls
            launch()
    torch.cuda.current_stream().wait_stream(side)
    recording = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recording):
        launch()
    return recording.replay
