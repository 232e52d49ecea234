"""The ONNX Runtime engine: its own errors, and graphs that are not the manifest's."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import BundleError
from mtshare_ros.perception.engines.interface import Engine, EngineError
from mtshare_ros.perception.engines.onnxruntime_engine import OnnxRuntimeEngine

ROWS = np.arange(48)
IMAGE = np.zeros((1, 3, 96, 128), np.float32)


@pytest.mark.parametrize(
    ("image", "base", "task", "graph"),
    [
        (IMAGE[..., :64], ROWS, ROWS, "stem"),
        (IMAGE, np.array([48]), ROWS, "base"),
        (IMAGE, ROWS, np.array([0, 99]), "depth"),
        (IMAGE, ROWS, np.array([[0]]), "depth"),
    ],
)
def test_what_onnx_runtime_refuses_is_an_error_of_the_engine(
    engine: Engine, image: Any, base: Any, task: Any, graph: str
) -> None:
    with pytest.raises(EngineError, match=f"^onnxruntime: graph {graph}: "):
        engine.run(engine.new_state(), image, base, {"depth": task})
    output = engine.run(engine.new_state(), IMAGE, ROWS, {"depth": ROWS})
    assert np.isfinite(output.raw["depth"]).all()


def test_each_graph_that_was_run_has_a_time_and_a_raw_map_of_its_shape(engine: Engine) -> None:
    output = engine.run(engine.new_state(), IMAGE, ROWS, {"segmentation": ROWS})
    assert list(output.milliseconds) == ["stem", "base", "segmentation"]
    assert min(output.milliseconds.values()) > 0 and list(output.raw) == ["segmentation"]
    assert output.raw["segmentation"].shape == (16, 24, 32)


def test_a_graph_whose_tensors_are_not_the_manifest_s_is_refused(bundle_path: Path) -> None:
    manifest = load_manifest(bundle_path)
    for change, word in (
        (lambda g: {"inputs": g.inputs[:-1]}, "inputs"),
        (lambda g: {"outputs": (replace(g.outputs[0], dtype="int64"), *g.outputs[1:])}, "outputs"),
        (lambda g: {"inputs": (*g.inputs[:-1], replace(g.inputs[-1], shape=(9,)))}, "inputs"),
        (lambda g: {"outputs": tuple(reversed(g.outputs))}, "outputs"),
    ):
        graph = manifest.graphs["depth"]
        graphs = {**manifest.graphs, "depth": replace(graph, **change(graph))}
        with pytest.raises(BundleError, match=rf"depth\.onnx: {word} are .*the manifest says"):
            OnnxRuntimeEngine(bundle_path, replace(manifest, graphs=graphs), threads=1)


def test_a_file_that_is_no_graph_is_refused_by_name(bundle_path: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle_path, tmp_path / "bundle")
    (tmp_path / "bundle" / "base.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"base\.onnx: ONNX Runtime can't load it"):
        OnnxRuntimeEngine(tmp_path / "bundle", load_manifest(bundle_path), threads=1)
