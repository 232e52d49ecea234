"""The dense rivals in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from mtshare_ros.bench.cases import DenseCase
from mtshare_ros.bench.rivals import Rivals
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.tasks import TASKS
from support.samples import SMALL

THREE = [TASKS[name] for name in ("normals", "depth", "segmentation")]


def test_each_rival_has_a_graph_of_its_tasks_alone(bundle_path: Path, tmp_path: Path) -> None:
    spec = load_manifest(bundle_path).input
    rivals = Rivals(SMALL, THREE, tmp_path, threads=1)
    separate, shared = rivals.separate(THREE), rivals.shared(THREE[:2])
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
