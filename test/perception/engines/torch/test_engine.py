"""The torch engine for bundles: its operators, its commits, and a GPU where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mtshare_ros.bench.rivals_gpu import RecordedNetworks
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.export.check import ALLOWED_OPERATORS
from mtshare_ros.export.deploy import deploy
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.perception.decode import Decoder
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.selftest import (
    half_difference,
    load_selftest,
    relative_difference,
)
from mtshare_ros.perception.engines.torch.engine import TorchBundleEngine
from mtshare_ros.perception.engines.torch.graph_runner import OPERATORS, TorchGraph
from mtshare_ros.perception.frame import normalise

CPU = torch.device("cpu")
F = np.float32
RNG = np.random.default_rng(0)


def _f(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(F)


def _i(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


ROWS = np.array([[2], [0]], np.int64)
CASES: list[tuple[str, list[np.ndarray], dict[str, Any], int]] = [
    ("Add", [_f(2, 3), _f(3)], {}, 1),
    ("Cast", [_f(4)], {"to": TensorProto.FLOAT16}, 1),
    ("Concat", [_f(2, 3), _f(2, 1)], {"axis": 1}, 1),
    (
        "Conv",
        [_f(1, 4, 7, 6), _f(6, 4, 3, 3), _f(6)],
        {"pads": [1, 1, 1, 1], "strides": [2, 2]},
        1,
    ),
    ("Conv", [_f(1, 4, 7, 6), _f(4, 1, 3, 3)], {"pads": [0, 1, 2, 1], "group": 4}, 1),
    ("Conv", [_f(1, 2, 9, 9), _f(3, 2, 3, 3)], {"dilations": [2, 2]}, 1),
    ("DepthToSpace", [_f(1, 8, 3, 2)], {"blocksize": 2, "mode": "CRD"}, 1),
    ("DepthToSpace", [_f(1, 8, 3, 2)], {"blocksize": 2, "mode": "DCR"}, 1),
    ("Div", [_f(3), _f(3) + 5], {}, 1),
    ("Gather", [_f(3, 4), _i(2, -1)], {"axis": 1}, 1),
    ("Gather", [_f(3, 4), np.array(1, np.int64)], {}, 1),
    ("GatherND", [_f(4, 3), ROWS], {}, 1),
    ("Gelu", [_f(9)], {}, 1),
    ("Gelu", [_f(9)], {"approximate": "tanh"}, 1),
    ("Gemm", [_f(3, 4), _f(5, 4), _f(5)], {"transB": 1}, 1),
    ("Gemm", [_f(3, 4), _f(4, 5)], {}, 1),
    ("LayerNormalization", [_f(3, 8), _f(8), _f(8)], {"axis": -1, "epsilon": 1e-6}, 1),
    ("MatMul", [_f(2, 3, 4), _f(2, 4, 5)], {}, 1),
    ("Mul", [_f(2, 3), _f(1)], {}, 1),
    ("Relu", [_f(9)], {}, 1),
    ("Reshape", [_f(2, 6), _i(-1, 4)], {"allowzero": 1}, 1),
    ("Reshape", [_f(2, 6), _i(0, 3, 2)], {}, 1),
    ("ScatterND", [_f(4, 3), ROWS, _f(2, 3)], {}, 1),
    ("Slice", [_f(4, 6), _i(1), _i(5), _i(1), _i(2)], {}, 1),
    ("Softmax", [_f(2, 5)], {"axis": -1}, 1),
    ("Split", [_f(2, 6)], {"axis": 1, "num_outputs": 3}, 3),
    ("Split", [_f(2, 6), _i(1, 5)], {"axis": 1}, 2),
    ("Sqrt", [_f(3) ** 2], {}, 1),
    ("Squeeze", [_f(1, 3, 1), _i(0)], {}, 1),
    ("Sub", [_f(2, 3), _f(3)], {}, 1),
    ("Transpose", [_f(2, 3, 4)], {"perm": [2, 0, 1]}, 1),
    ("Unsqueeze", [_f(2, 3), _i(-1, 0)], {}, 1),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_an_operator_computes_what_onnx_says(case: Any) -> None:
    operator, arrays, attributes, outputs = case
    names = [f"x{n}" for n in range(len(arrays))]
    results = [f"y{n}" for n in range(outputs)]
    node = helper.make_node(operator, names, results, **attributes)
    kind = attributes.get("to", TensorProto.FLOAT)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, arrays[0].shape)],
        [helper.make_tensor_value_info(name, kind, None) for name in results],
        [numpy_helper.from_array(a, n) for a, n in zip(arrays[1:], names[1:], strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    expected = ReferenceEvaluator(model).run(None, {"x0": arrays[0]})
    found = TorchGraph(model, CPU)({"x0": torch.from_numpy(arrays[0])})
    for name, value in zip(results, expected, strict=True):
        assert found[name].numpy().dtype == value.dtype and found[name].shape == value.shape
        assert np.allclose(found[name].numpy(), value, atol=1e-5)


def test_every_operator_that_is_exported_is_known_and_tried() -> None:
    assert set(OPERATORS) == set(ALLOWED_OPERATORS) == {case[0] for case in CASES}


def test_another_operator_is_refused_by_its_node() -> None:
    node = helper.make_node("Erf", ["x"], ["y"], name="odd_one")
    value = helper.make_tensor_value_info("x", 1, [1])
    graph = helper.make_graph([node], "g", [value], [helper.make_tensor_value_info("y", 1, [1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    with pytest.raises(ValueError, match="odd_one.*Erf"):
        TorchGraph(model, CPU)


def test_a_bundle_opens_in_torch(bundle_path: Path) -> None:
    engine = open_engine(bundle_path, "torch", threads=1)
    assert engine.name == "torch" and (torch.cuda.is_available() or engine.sizes == ())


def test_a_frame_that_fails_leaves_no_trace(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TorchBundleEngine(bundle_path, load_manifest(bundle_path), CPU, "fp32")
    state, spec = engine.new_state(), engine.manifest.input
    image = np.ones((1, 3, spec.height, spec.width), np.float32)
    everything, few = np.arange(spec.rows), np.array([1, 5])
    tasks = [task.name for task in engine.manifest.tasks]
    engine.run(state, image, everything, dict.fromkeys(tasks, everything))
    caches = [f"{g}.{c}" for g, graph in engine.manifest.graphs.items() for c in graph.state]
    before = {name: state.tensors[name].clone() for name in caches}

    def broken(size: int) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(state.stages["segmentation"], "run", broken)
    with pytest.raises(EngineError, match="out of memory"):
        engine.run(state, 2 * image, few, dict.fromkeys(tasks, few))
    assert all(torch.equal(state.tensors[name], old) for name, old in before.items())


def test_a_wrong_image_or_index_is_refused(bundle_path: Path) -> None:
    engine = TorchBundleEngine(bundle_path, load_manifest(bundle_path), CPU, "fp32")
    state, index = engine.new_state(), np.array([0])
    with pytest.raises(EngineError, match="expected"):
        engine.run(state, np.zeros((1, 3, 8, 8), np.float32), index, {})
    image = np.zeros((1, 3, 96, 128), np.float32)
    with pytest.raises(EngineError, match="within 0"):
        engine.run(state, image, np.array([48]), {})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_recorded_launches_on_a_gpu_reproduce_the_self_test(
    bundle_path: Path, precision: str
) -> None:
    manifest = load_manifest(bundle_path)
    engine = TorchBundleEngine(bundle_path, manifest, torch.device("cuda"), precision)
    state = engine.new_state()
    assert all(set(s._recorded) for s in state.stages.values())
    for frame in load_selftest(bundle_path, manifest):
        image = normalise(frame.image, manifest.input)
        tasks = {task.name: frame.dirty for task in manifest.tasks}
        raw = engine.run(state, image, frame.dirty, tasks).raw
        for task, expected in frame.raw.items():
            if precision == "fp32":
                assert relative_difference(raw[task], expected) < 1e-4
            else:
                assert half_difference(manifest.task(task), raw[task], expected)[0] <= 1.0


def test_a_model_without_weights_on_the_side_is_whole(bundle_path: Path) -> None:
    """The bundle's graphs themselves run as well, casts of weights included."""
    model = onnx.load(str(bundle_path / "stem.onnx"))
    image = torch.randn(1, 3, 96, 128)
    found = TorchGraph(model, CPU)({"image": image})
    expected = ReferenceEvaluator(model).run(None, {"image": image.numpy()})
    for name, value in zip(found, expected, strict=True):
        assert np.allclose(found[name].numpy(), value, atol=1e-4)


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


def test_bench_of_the_torch_engine_has_the_dense_rival_first(
    bundle_path: Path, tmp_path: Path
) -> None:
    from mtshare_ros.bench.engine_case import bench_engine

    result = bench_engine(
        bundle_path, "torch", "fp16", tmp_path / "b.json", lambda *_: None, rounds=2, threads=1
    )
    assert result["cases"][0]["name"] == "separate dense networks"
    assert result["cases"][0]["kind"] == "separate"
    assert len(result["cases"]) == 6 and result["cases"][0]["ratio"] == 1.0
