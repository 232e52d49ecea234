"""Engines against the torch reference, and the streamed network against the dense one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.export.deploy import deploy
from mtshare_ros.export.writer import deploy_networks, write_bundle
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.perception.engines.interface import Engine, EngineOutput
from mtshare_ros.perception.engines.onnxruntime_engine import OnnxRuntimeEngine
from mtshare_ros.perception.engines.selftest import relative_difference
from mtshare_ros.perception.engines.torch.engine import TorchBundleEngine
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.perception.tokens import token_rows
from mtshare_ros.tasks import DEPTH, NORMALS, SEGMENTATION
from support.samples import SMALL
from support.standins.installed import installed

BOUND = 1e-4
CONFIGS = {
    "conv": SMALL,
    "patch, class token": replace(SMALL, depth=2, size=(64, 48), stem="patch", prefix=1),
    "patch, registers": replace(SMALL, depth=2, size=(64, 48), stem="patch", prefix=5),
}
SHARES = [LayerShare(1, 32), LayerShare(0, 32), LayerShare(2, 0)]


class _Networks:
    """Trained-like networks (no weight is zero) and both engines made of them."""

    def __init__(self, folder: Path, config: NetworkConfig) -> None:
        torch.manual_seed(0)
        self.config = config
        self.base = SingleTaskNetwork(config, NORMALS.channels)
        shares = SHARES[: config.depth]
        self.subtasks = {t: SubTask(config, shares, t.channels) for t in (DEPTH, SEGMENTATION)}
        for module in (self.base, *self.subtasks.values()):
            module.train()
            for name, value in module.state_dict().items():
                if value.dtype.is_floating_point and "running_var" not in name:
                    value += 0.05 * torch.randn_like(value)
        write_bundle(folder, "parity", "random", self.base, NORMALS, self.subtasks, 0.8)
        deployed = deploy_networks(self.base, NORMALS, self.subtasks, 0.8)
        self.torch, self.deployed = deployed.engine, deployed.subtasks
        self.deployed_base = deployed.base
        self.onnx = OnnxRuntimeEngine(folder, load_manifest(folder), threads=1)
        self.tensorrt = _open_tensorrt(folder)
        self.torch_bundle = _open_torch(folder)

    def image(self, rng: np.random.Generator) -> np.ndarray:
        width, height = self.config.size
        return rng.normal(size=(1, 3, height, width)).astype(np.float32)

    def rows(self, tokens: Iterable[int]) -> np.ndarray:
        """Return the rows that a stream sends for some image tokens."""
        dirty = np.zeros(self.config.tokens, np.bool_)
        dirty[list(tokens)] = True
        return token_rows(dirty, self.onnx.manifest.input)

    @torch.no_grad()
    def dense(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Return every task's raw map from the dense networks."""
        tokens, fine = self.deployed_base.stem(torch.from_numpy(image))
        features, branches = self.deployed_base.transformer(tokens)
        raw = {NORMALS.name: self.deployed_base.head(features, fine)[0].numpy()}
        for task, subtask in self.deployed.items():
            raw[task.name] = subtask(tokens, fine, branches)[0].numpy()
        return raw


def _open_tensorrt(folder: Path) -> Any:
    """Open a bundle in TensorRT, or what stands in for it."""
    from mtshare_ros.perception.engines.tensorrt.engine_files import EngineFiles
    from mtshare_ros.perception.engines.tensorrt.opening import open_tensorrt

    files = EngineFiles(folder.parent / "engines")
    return open_tensorrt(folder, load_manifest(folder), "fp32", files=files).engine


def _open_torch(folder: Path) -> TorchBundleEngine:
    """Open a bundle in torch, on a GPU where there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return TorchBundleEngine(folder, load_manifest(folder), device, "fp32")


@pytest.fixture(
    scope="module",
    params=[
        "conv",
        "patch, class token",
        pytest.param("patch, registers", marks=pytest.mark.slow),
    ],
)
def networks(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[_Networks]:
    with installed():
        yield _Networks(tmp_path_factory.mktemp("parity") / "bundle", CONFIGS[request.param])


def _run(engine: Engine, state: object, image: np.ndarray, index: np.ndarray) -> dict:
    output = engine.run(state, image, index, {t.name: index for t in engine.manifest.tasks})
    return {task: np.array(raw) for task, raw in output.raw.items()}


@pytest.mark.parametrize("kind", ["torch", "onnx", "tensorrt", "torch_bundle"])
def test_with_every_token_dirty_the_stream_equals_the_dense_network(
    networks: _Networks, kind: str
) -> None:
    engine: Engine = getattr(networks, kind)
    rng, everything = np.random.default_rng(0), networks.rows(range(networks.config.tokens))
    assert len(everything) == networks.config.prefix + networks.config.tokens
    state = engine.new_state()
    for _ in range(3):  # what was cached before must not matter
        image = networks.image(rng)
        for task, raw in _run(engine, state, image, everything).items():
            assert relative_difference(raw, networks.dense(image)[task]) < BOUND, task


@pytest.mark.parametrize("kind", ["onnx", "tensorrt", "torch_bundle"])
@settings(max_examples=15, deadline=None)
@given(st.lists(st.sets(st.integers(0, SMALL.tokens - 1), min_size=1), min_size=1, max_size=5))
def test_any_sequence_of_dirty_sets_equals_the_torch_reference(
    networks: _Networks, kind: str, sets: list[set[int]]
) -> None:
    rng = np.random.default_rng(1)
    engine: Engine = getattr(networks, kind)
    states = [networks.torch.new_state(), engine.new_state()]
    tokens = networks.config.tokens
    for dirty in [set(range(tokens)), *sets]:
        image, index = networks.image(rng), networks.rows(token % tokens for token in dirty)
        expected = _run(networks.torch, states[0], image, index)
        found = _run(engine, states[1], image, index)
        for task, raw in expected.items():
            assert relative_difference(found[task], raw) < BOUND, task


def test_clean_tokens_stay_as_they_were(networks: _Networks) -> None:
    engine, rng = networks.onnx, np.random.default_rng(2)
    state = engine.new_state()
    _run(engine, state, networks.image(rng), np.arange(networks.config.rows))
    before = {k: v.copy() for k, v in state.arrays.items() if k.startswith("base.")}
    index = networks.rows([3, 7, 10])
    _run(engine, state, networks.image(rng), index)
    clean = np.setdiff1d(np.arange(networks.config.rows), index)
    for name, rows in before.items():
        assert np.array_equal(state.arrays[name][clean], rows[clean]), name
        assert not np.array_equal(state.arrays[name][index], rows[index]), name


def test_a_stale_token_really_is_reused(networks: _Networks) -> None:
    """With one dirty token the result differs from dense: the cache is what is served."""
    engine, rng = networks.onnx, np.random.default_rng(3)
    state = engine.new_state()
    _run(engine, state, networks.image(rng), np.arange(networks.config.rows))
    image = networks.image(rng)
    raw = _run(engine, state, image, networks.rows([0]))
    assert relative_difference(raw["normals"], networks.dense(image)["normals"]) > 100 * BOUND


class _Recorder:
    """An engine that keeps the rows that it was asked for."""

    name = "recorder"

    def __init__(self, engine: Engine) -> None:
        self._engine, self.manifest, self.new_state = engine, engine.manifest, engine.new_state
        self.sizes = engine.sizes
        self.rows: list[dict[str, np.ndarray]] = []

    def run(self, state: Any, image: Any, base_index: Any, task_index: Any) -> EngineOutput:
        self.rows.append({"base": base_index, **task_index})
        return self._engine.run(state, image, base_index, task_index)


def test_a_stream_sends_the_prefix_rows_and_those_of_the_dirty_tokens(
    networks: _Networks,
) -> None:
    engine = _Recorder(networks.onnx)
    stream = PerceptionStream(engine, StreamSettings(max_age=1000))
    width, height = networks.config.size
    image = np.full((height, width, 3), 100, np.uint8)
    stream.step(image, 0, ["normals", "depth"])
    first, second = image.copy(), image.copy()
    first[:16, 16:32] += 50
    second[:16, :32] += 50
    for stamp, (frame, wanted) in enumerate([(first, "normals"), (second, "depth")], start=1):
        dirty = stream.step(frame, stamp, [wanted]).dirty
        assert np.array_equal(engine.rows[-1]["base"], networks.rows(np.flatnonzero(dirty)))
    # The age bound may add a token of its own to the one that changed.
    missed = set(engine.rows[1]["base"]) | set(engine.rows[2]["base"])
    assert set(engine.rows[2]["depth"]) == missed
    prefix = networks.config.prefix
    assert {*range(prefix), prefix + 1} <= set(engine.rows[1]["normals"])
    assert prefix in engine.rows[2]["base"] and len(missed) < networks.config.rows


def test_each_state_has_caches_of_its_own(networks: _Networks) -> None:
    engine = networks.onnx
    a, b = engine.new_state(), engine.new_state()
    for key in a.arrays:
        assert not np.shares_memory(a.arrays[key], b.arrays[key])


def test_deployed_weights_are_fp16_values_and_batch_norms_are_gone(networks: _Networks) -> None:
    for parameter in deploy(networks.base).parameters():
        assert torch.equal(parameter, parameter.half().float())
    width, height = networks.config.size
    image = torch.randn(2, 3, height, width)
    with torch.no_grad():
        expected = networks.base.eval()(image)
        found = deploy(networks.base)(image)
    assert not any("BatchNorm" in type(m).__name__ for m in deploy(networks.base).modules())
    assert (found - expected).abs().max() < 5e-3 * expected.abs().max()
