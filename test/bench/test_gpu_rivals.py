"""The dense rivals of a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtshare_ros.bench.gpu_rivals import RecordedNetworks
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.export.deploy import deploy
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.perception.decode import Decoder
from mtshare_ros.perception.frame import normalise, resize


@torch.no_grad()
def test_the_dense_rival_on_a_gpu_computes_the_single_task_networks(bundle_path: Path) -> None:
    manifest = load_manifest(bundle_path)
    rival = RecordedNetworks(manifest, "fp32")
    spec, rng = manifest.input, np.random.default_rng(0)
    image = rng.integers(0, 255, (spec.height, spec.width, 3), dtype=np.uint8)
    depth = rival.step(image, spec)[1]
    config = NetworkConfig.from_dict(manifest.network)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = deploy(SingleTaskNetwork(config, 1))
    raw = network(torch.from_numpy(normalise(image, spec)))[0].numpy()
    expected = Decoder(config.size).depth(raw, manifest.task("depth"), 1.0, 20.0)
    assert np.allclose(depth, expected, rtol=1e-3, equal_nan=True)


@torch.no_grad()
def test_each_rival_sees_each_image_at_the_networks_size(bundle_path: Path) -> None:
    manifest = load_manifest(bundle_path)
    rival, spec = RecordedNetworks(manifest, "fp16"), manifest.input
    rng = np.random.default_rng(0)
    config = NetworkConfig.from_dict(manifest.network)
    network: Any = {}
    for task in manifest.tasks:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network[task.name] = deploy(SingleTaskNetwork(config, task.channels))
    for shape in ((spec.height, spec.width), (2 * spec.height, 2 * spec.width)):
        image = rng.integers(0, 255, (*shape, 3), dtype=np.uint8)
        rival.step(image, spec)
        tensor = torch.from_numpy(normalise(resize(image, spec), spec))
        for task, raw in zip(manifest.tasks, rival._raw_hosts, strict=True):
            # Without a GPU they compute in float32, whatever is asked for.
            assert torch.allclose(raw, network[task.name](tensor), atol=1e-4)
