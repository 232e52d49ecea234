"""The dense rivals in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from mtshare_ros.bench import rivals
from mtshare_ros.bench.cases import DenseCase
from mtshare_ros.bench.rivals import Rivals, decoded
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.perception.decode import Decoder
from mtshare_ros.tasks import TASKS
from support.samples import SMALL

THREE = [TASKS[name] for name in ("normals", "depth", "segmentation")]


def test_each_rival_has_a_graph_of_its_tasks_alone(bundle_path: Path, tmp_path: Path) -> None:
    spec = load_manifest(bundle_path).input
    made = Rivals(SMALL, THREE, tmp_path, threads=1)
    separate, shared = made.separate(THREE), made.shared(THREE[:2])
    image = np.full((96, 128, 3), 90, np.uint8)
    arrays = separate.step(image, spec)
    assert [(a.shape, str(a.dtype)) for a in arrays] == [
        ((96, 128, 3), "float32"),
        ((96, 128), "float32"),
        ((96, 128), "uint8"),
        ((96, 128), "uint8"),
    ]
    for one, other in zip(shared.step(image, spec), arrays, strict=False):
        assert np.allclose(one, other, atol=1e-4, equal_nan=True)
    assert len(separate.first(1).step(image, spec)) == 1
    graph = onnx.load(tmp_path / "dense_depth.onnx").graph
    assert [output.name for output in graph.output] == ["depth"]
    # Two heads fewer: each has a linear, a 1x1 convolution, two mixing blocks and a projection.
    whole = onnx.load(tmp_path / "dense.onnx").graph
    assert len(graph.initializer) < len(whole.initializer) - 20
    weights = {i.name for i in graph.initializer}
    assert weights == {i.name for i in whole.initializer if i.name in weights}
    DenseCase("two", shared, spec).prepare()


def test_the_networks_leave_the_random_numbers_of_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(rivals, "write_rival", lambda *_: None)
    monkeypatch.setattr(rivals.onnx, "load", lambda path: None)
    monkeypatch.setattr(rivals.onnx, "save", lambda model, path: None)
    monkeypatch.setattr(
        rivals, "Extractor", lambda m: SimpleNamespace(extract_model=lambda a, b: None)
    )
    monkeypatch.setattr(rivals, "open_session", lambda *values: opened.append(values))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    made = Rivals(SMALL, THREE, tmp_path, threads=3)
    assert torch.equal(torch.rand(3), expected)
    made.shared(THREE[:2])
    assert opened == [(tmp_path / "dense_normals_depth.onnx", 3)]


def test_depth_is_decoded_as_far_as_the_node_does() -> None:
    raw = np.full((1, 24, 32), np.log(15.0), np.float32)
    (depth,) = decoded(Decoder(SMALL.size), TASKS["depth"], raw)
    assert depth.shape == (96, 128) and np.allclose(depth, 15.0, rtol=1e-3)
    far = np.full((1, 24, 32), np.log(25.0), np.float32)
    assert not np.isfinite(decoded(Decoder(SMALL.size), TASKS["depth"], far)[0]).any()
