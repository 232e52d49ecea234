"""Graphs that engines for GPUs are compiled from: rows out, types explicit, TensorRT's rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import BundleError, GraphSpec, Manifest
from mtshare_ros.export.check import check_graph
from mtshare_ros.perception.engines import derived_graphs
from mtshare_ros.perception.engines.derived_graphs import derive_graphs
from mtshare_ros.perception.engines.interface import rows_name
from mtshare_ros.perception.engines.selftest import (
    half_difference,
    load_selftest,
    relative_difference,
)
from mtshare_ros.perception.frame import normalise

SHIPPED = Path(__file__).parents[3] / "models" / "room"
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64}


def _models(folder: Path, precision: str) -> dict[str, onnx.ModelProto]:
    derived = derive_graphs(folder, load_manifest(folder), precision)
    return {name: onnx.load_from_string(model) for name, model in derived}


def _self_test(folder: Path, precision: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Run the derived graphs over the self-test, rows written by hand; found and expected."""
    manifest = load_manifest(folder)
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    sessions = {
        name: ort.InferenceSession(model.SerializeToString(), options)
        for name, model in _models(folder, precision).items()
    }
    tensors: dict[str, np.ndarray] = {}
    results = []
    for frame in load_selftest(folder, manifest):
        given = {"image": normalise(frame.image, manifest.input), "index": frame.dirty}
        for name, session in sessions.items():
            _run(manifest, name, session, given, tensors)
        results += [(t, tensors[f"{t}.raw"][0], raw) for t, raw in frame.raw.items()]
    return results


def _run(
    manifest: Manifest,
    name: str,
    session: ort.InferenceSession,
    given: dict[str, np.ndarray],
    tensors: dict[str, np.ndarray],
) -> None:
    spec = manifest.graphs[name]
    feeds = {}
    for tensor in session.get_inputs():
        origin = spec.reads.get(tensor.name, f"{name}.{tensor.name}")
        if tensor.name not in given and origin not in tensors:
            tensors[origin] = np.zeros(tensor.shape, TYPES[tensor.type])
        feeds[tensor.name] = given[tensor.name] if tensor.name in given else tensors[origin]
    outputs = dict(
        zip((o.name for o in session.get_outputs()), session.run(None, feeds), strict=True)
    )
    for cache in spec.state:
        rows = outputs.pop(rows_name(cache))
        empty = np.zeros((manifest.input.rows, rows.shape[1]), rows.dtype)
        tensors.setdefault(f"{name}.{cache}", empty)[given["index"]] = rows
    tensors.update({f"{name}.{output}": value for output, value in outputs.items()})


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_derived_graphs_keep_to_the_rules_of_exported_ones(
    bundle_path: Path, tmp_path: Path, precision: str
) -> None:
    for name, model in _models(bundle_path, precision).items():
        path = tmp_path / f"{name}.onnx"
        onnx.save(model, str(path))
        check_graph(path, {})


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_graph_returns_rows_and_no_cache(bundle_path: Path, precision: str) -> None:
    manifest = load_manifest(bundle_path)
    for name, model in _models(bundle_path, precision).items():
        spec = manifest.graphs[name]
        outputs = [value.name for value in model.graph.output]
        assert outputs[: len(spec.state)] == [rows_name(cache) for cache in spec.state]
        assert not set(outputs) & {*spec.state.values(), *(v.name for v in model.graph.input)}
        for value in model.graph.output[: len(spec.state)]:
            assert value.type.tensor_type.shape.dim[0].dim_param == "K"


def test_a_cache_that_the_graph_does_not_read_is_no_input(bundle_path: Path) -> None:
    base = _models(bundle_path, "fp32")["base"]
    inputs = {value.name for value in base.graph.input}
    assert {"tokens", "index", "key_00", "value_02"} <= inputs
    assert not any(name.startswith(("attention", "mlp", "features")) for name in inputs)


def test_the_shipped_bundle_reproduces_its_self_test_in_fp32_and_fp16() -> None:
    for task, found, expected in _self_test(SHIPPED, "fp32"):
        assert relative_difference(found, expected) < 1e-4, task
    manifest = load_manifest(SHIPPED)
    for task, found, expected in _self_test(SHIPPED, "fp16"):
        assert relative_difference(found, expected) > 1e-6  # it really is another precision
        part, words = half_difference(manifest.task(task), found, expected)
        assert part < 0.3, words


def _types(model: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*inferred.value_info, *inferred.input, *inferred.output)
    found = {value.name: value.type.tensor_type.elem_type for value in values}
    return found | {i.name: i.data_type for i in inferred.initializer}


def test_products_are_fp16_and_norms_and_softmax_fp32(bundle_path: Path) -> None:
    seen = set()
    for model in _models(bundle_path, "fp16").values():
        types = _types(model)
        for node in model.graph.node:
            floats = [types[n] for n in (*node.input, *node.output) if n]
            if node.op_type in ("Conv", "Gemm", "MatMul"):
                assert set(floats) == {TensorProto.FLOAT16}, node.name
            if node.op_type in ("LayerNormalization", "Softmax", "Add"):
                assert TensorProto.FLOAT16 not in floats, node.name
            seen.add(node.op_type)
        for value in (*model.graph.input, *model.graph.output):
            if value.name in ("image", "raw"):
                assert value.type.tensor_type.elem_type == TensorProto.FLOAT
    assert {"Conv", "Gemm", "MatMul", "LayerNormalization", "Softmax", "Add"} <= seen


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_what_one_graph_writes_another_reads_as_the_same_type(
    bundle_path: Path, precision: str
) -> None:
    manifest, models = load_manifest(bundle_path), _models(bundle_path, precision)
    written = {}
    for name, model in models.items():
        for value in model.graph.output:
            written[f"{name}.{value.name}"] = value.type.tensor_type.elem_type
    for name, model in models.items():
        spec = manifest.graphs[name]
        for value in model.graph.input:
            if value.name in ("image", "index"):
                continue
            graph, _, tensor = spec.reads.get(value.name, f"{name}.{value.name}").partition(".")
            origin = rows_name(tensor) if tensor in manifest.graphs[graph].state else tensor
            assert value.type.tensor_type.elem_type == written[f"{graph}.{origin}"], value.name


def test_weights_are_no_longer_behind_a_cast(bundle_path: Path) -> None:
    for precision in ("fp32", "fp16"):
        for model in _models(bundle_path, precision).values():
            weights = {i.name for i in model.graph.initializer}
            casts = [n for n in model.graph.node if n.op_type == "Cast"]
            assert not any(node.input[0] in weights for node in casts)


def test_a_graph_of_another_make_is_refused_by_name(bundle_path: Path, tmp_path: Path) -> None:
    manifest = load_manifest(bundle_path)
    for graph in manifest.graphs.values():
        (tmp_path / graph.file).write_bytes((bundle_path / graph.file).read_bytes())
    model = onnx.load(str(bundle_path / "base.onnx"))
    scatter = next(n for n in model.graph.node if "key_00_next" in n.output)
    scatter.CopyFrom(helper.make_node("Relu", [scatter.input[0]], ["key_00_next"]))
    onnx.save(model, str(tmp_path / "base.onnx"))
    with pytest.raises(BundleError, match=r"base\.onnx.*key_00.*ScatterND"):
        list(derive_graphs(tmp_path, manifest, "fp32"))


def _writing(target: str, rows: str) -> onnx.NodeProto:
    return helper.make_node("ScatterND", [target.removesuffix("_next"), "index", rows], [target])


def test_rows_that_are_not_computed_for_one_cache_alone_are_refused() -> None:
    spec = GraphSpec("g.onnx", "", 0, (), (), state={"a": "a_next", "b": "b_next"})
    makes = [helper.make_node("Relu", ["x"], [name]) for name in ("rows", "others")]
    for second, says in (("rows", "cache b are not"), ("given", "cache b are not")):
        nodes = [*makes, _writing("a_next", "rows"), _writing("b_next", second)]
        with pytest.raises(ValueError, match=says):
            derived_graphs._return_rows(derived_graphs._Graph(nodes, {}), spec)
    swapped = helper.make_node("ScatterND", ["a", "index", "others"], ["b_next"])
    with pytest.raises(ValueError, match="cache b is not written by a ScatterND"):
        graph = derived_graphs._Graph([*makes, _writing("a_next", "rows"), swapped], {})
        derived_graphs._return_rows(graph, spec)


def test_a_tensor_that_no_graph_makes_is_a_mistake_of_the_bundle(bundle_path: Path) -> None:
    manifest = load_manifest(bundle_path)
    base = replace(manifest.graphs["base"], reads={"tokens": "stem.nothing"})
    broken = replace(manifest, graphs={**manifest.graphs, "base": base})
    with pytest.raises(BundleError, match=r"base\.onnx: no graph for a GPU can be derived"):
        list(derive_graphs(bundle_path, broken, "fp32"))


HALF, SINGLE = int(TensorProto.FLOAT16), int(TensorProto.FLOAT)


@pytest.mark.parametrize(
    ("operator", "inputs", "expected"),
    [
        ("MatMul", ["single", "single"], HALF),
        ("Softmax", ["half"], SINGLE),
        ("Concat", ["half", "half"], HALF),
        ("Concat", ["half", "single"], SINGLE),
        ("Mul", ["half", "weight"], HALF),
        ("Mul", ["weight"], SINGLE),
        ("ScatterND", ["single", "half"], HALF),
        ("ScatterND", ["half", "single"], SINGLE),
    ],
)
def test_a_node_that_follows_its_inputs_is_half_where_all_of_them_are(
    operator: str, inputs: list[str], expected: int
) -> None:
    graph = derived_graphs._Graph([], {"weight": np.ones(1)}, {"half": HALF, "single": SINGLE})
    node = helper.make_node(operator, inputs, ["y"])
    assert derived_graphs._compute_type(node, inputs, graph) == expected


def test_what_several_nodes_take_in_half_is_cast_once() -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], [name]) for name in ("y", "z")]
    graph = derived_graphs._Graph(nodes, {"w": np.ones((2, 2), np.float32)}, {"x": SINGLE})
    derived_graphs._to_half(graph, set(), ["y", "z"])
    assert [node.op_type for node in graph.nodes] == ["Cast", "MatMul", "MatMul"]
    assert graph.weights["w.half"].dtype == np.float16 and graph.types["z"] == HALF
