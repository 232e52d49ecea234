"""From a bundle's graphs to those that a GPU engine is compiled from.

A bundle's graph takes its caches and returns them with the dirty rows written, which ONNX Runtime
does in place. TensorRT gives wrong results when an input and an output share memory. So here a
graph returns the computed rows only (*rows out*): a ScatterND whose result nothing else reads
goes, with the cache that it read; one that attention reads stays, as a temporary. What is derived
follows from the bundle alone, so a bundle needs no files of its own for GPUs.

With half precision every product of matrices and every convolution takes and gives fp16.
LayerNormalization and Softmax, which overflow in fp16, and the residual stream's additions stay in
fp32; the types are explicit in the graph (casts), nothing is left to a compiler's choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mtshare_ros.bundle.manifest import BundleError, GraphSpec, Manifest
from mtshare_ros.perception.engines.interface import rows_name

HALF_OPERATORS = frozenset({"Conv", "Gemm", "MatMul"})
"""Operators that are computed in fp16 where that is asked for."""
FOLLOWING_OPERATORS = frozenset(
    "Concat DepthToSpace Gather GatherND Gelu Mul Relu Reshape ScatterND Slice Split Squeeze "
    "Transpose Unsqueeze".split()
)
"""Operators that keep the type of what they take. All others are computed in fp32."""
_TYPES: dict[str, int] = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


@dataclass
class _Graph:
    """A graph taken apart: its nodes in order, its weights, and the type of each tensor."""

    nodes: list[onnx.NodeProto]
    weights: dict[str, np.ndarray]
    types: dict[str, int] = field(default_factory=dict)


def derive_graphs(folder: Path, manifest: Manifest, precision: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the serialised model of each graph, in the order in which they run.

    Inputs and outputs are the bundle's, but that a cache ``c`` is no output: ``rows_name("c")``
    is, (K, columns), and that a cache which the graph doesn't read is no input. ``image`` and the
    raw maps are fp32 always.

    Args:
        folder: The bundle, files verified.
        manifest: Its manifest.
        precision: ``fp32`` or ``fp16``.

    Raises:
        BundleError: A graph is not made as this package makes them.
    """
    types: dict[str, int] = {}
    for name, spec in manifest.graphs.items():
        path = folder / spec.file
        try:
            yield name, _derive(onnx.load(str(path)), name, spec, precision, types)
        except (KeyError, ValueError) as error:
            raise BundleError(f"{path}: no graph for a GPU can be derived: {error}") from error


def _derive(
    model: onnx.ModelProto, name: str, spec: GraphSpec, precision: str, types: dict[str, int]
) -> bytes:
    """Derive one graph; ``types`` holds the types of the tensors of the graphs before it."""
    graph = _fold_weights(model)
    _return_rows(graph, spec)
    graph.types = {t.name: _TYPES[t.dtype] for t in spec.inputs}
    graph.types |= {own: types[origin] for own, origin in spec.reads.items()}
    shapes = {t.name: t.shape for t in (*spec.inputs, *spec.outputs)}
    results = [rows_name(cache) for cache in spec.state]
    results += [t.name for t in spec.outputs if t.name not in spec.state.values()]
    if precision == "fp16":
        _to_half(graph, set(spec.state), results)
    _drop_unused(graph, results)
    for cache in spec.state:
        types[f"{name}.{cache}"] = graph.types.get(rows_name(cache), TensorProto.FLOAT)
        shapes[rows_name(cache)] = (None, *shapes[cache][1:])
    for result in results:
        types[f"{name}.{result}"] = graph.types.get(result, TensorProto.FLOAT)
    read = {i for node in graph.nodes for i in node.input}

    def value(tensor: str) -> onnx.ValueInfoProto:
        dims = ["K" if n is None else n for n in shapes[tensor]]
        return helper.make_tensor_value_info(
            tensor, graph.types.get(tensor, TensorProto.FLOAT), dims
        )

    derived = helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            [value(t.name) for t in spec.inputs if t.name in read],
            [value(result) for result in results],
            [numpy_helper.from_array(a, n) for n, a in graph.weights.items() if n in read],
        ),
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
    )
    onnx.checker.check_model(derived, full_check=True)
    return bytes(derived.SerializeToString(deterministic=True))


def _fold_weights(model: onnx.ModelProto) -> _Graph:
    """Take a model apart; weights stored as fp16 behind a Cast become fp32 weights."""
    weights = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]].astype(np.float32)
        else:
            nodes.append(node)
    return _Graph(nodes, weights)


def _return_rows(graph: _Graph, spec: GraphSpec) -> None:
    """Give the rows that are written to each cache their name as an output."""
    renamed: dict[str, str] = {}
    for cache, target in spec.state.items():
        scatter = next((n for n in graph.nodes if target in n.output), None)
        if scatter is None or scatter.op_type != "ScatterND" or scatter.input[0] != cache:
            raise ValueError(f"cache {cache} is not written by a ScatterND")
        rows = scatter.input[2]
        made = any(rows in node.output for node in graph.nodes)
        if rows in renamed or not made:
            raise ValueError(f"the rows of cache {cache} are not computed for it alone")
        renamed[rows] = rows_name(cache)
    for node in graph.nodes:
        for names in (node.input, node.output):
            for place, tensor in enumerate(names):
                names[place] = renamed.get(tensor, tensor)


def _drop_unused(graph: _Graph, results: list[str]) -> None:
    """Leave out every node that no result depends on."""
    needed, kept = set(results), []
    for node in reversed(graph.nodes):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    graph.nodes = kept[::-1]


def _to_half(graph: _Graph, caches: set[str], results: list[str]) -> None:
    """Insert casts and convert weights; fills ``graph.types`` for every float tensor."""
    nodes: list[onnx.NodeProto] = []
    weights = graph.weights
    cast: dict[tuple[str, int], str] = {}

    def as_type(tensor: str, wanted: int) -> str:
        """Return the name of ``tensor`` in the wanted type, casting it once."""
        found = graph.types.get(tensor, TensorProto.FLOAT)
        if not tensor or found == wanted:
            return tensor
        name = f"{tensor}.{'half' if wanted == TensorProto.FLOAT16 else 'single'}"
        if (tensor, wanted) not in cast:
            cast[tensor, wanted] = name
            if tensor in weights:
                weights[name] = weights[tensor].astype(helper.tensor_dtype_to_np_dtype(wanted))
            else:
                nodes.append(helper.make_node("Cast", [tensor], [name], name=name, to=wanted))
            graph.types[name] = wanted
        return name

    for name, array in weights.items():
        graph.types[name] = int(helper.np_dtype_to_tensor_dtype(array.dtype))
    for node in graph.nodes:
        floats = [
            place
            for place, tensor in enumerate(node.input)
            if tensor and graph.types.get(tensor, TensorProto.FLOAT) in _FLOATS
        ]
        wanted = _compute_type(node, [node.input[place] for place in floats], graph)
        if node.op_type == "ScatterND" and node.input[0] in caches:
            # A cache holds rows as they were computed, and only its own ScatterND reads it.
            graph.types[node.input[0]] = wanted
        for place in floats:
            node.input[place] = as_type(node.input[place], wanted)
        for output in node.output:
            graph.types[output] = wanted if floats else TensorProto.INT64
        if "raw" in node.output and wanted != TensorProto.FLOAT:
            _end_in_single(node, nodes, graph.types)
        else:
            nodes.append(node)
    graph.nodes = nodes


def _compute_type(node: onnx.NodeProto, floats: list[str], graph: _Graph) -> int:
    """Return the type in which a node with these float inputs is computed."""
    single, half = int(TensorProto.FLOAT), int(TensorProto.FLOAT16)
    if node.op_type in HALF_OPERATORS:
        return half
    if node.op_type not in FOLLOWING_OPERATORS:
        return single
    if node.op_type == "ScatterND":
        floats = floats[-1:]  # the rows: a cache holds what they are
    given = [graph.types.get(tensor, single) for tensor in floats if tensor not in graph.weights]
    return half if given and all(found == half for found in given) else single


def _end_in_single(
    node: onnx.NodeProto, nodes: list[onnx.NodeProto], types: dict[str, int]
) -> None:
    """Append a node that makes the raw map in fp16, and the cast of that to fp32."""
    place = list(node.output).index("raw")
    node.output[place] = "raw.half"
    types["raw.half"], types["raw"] = TensorProto.FLOAT16, TensorProto.FLOAT
    nodes += [
        node,
        helper.make_node("Cast", ["raw.half"], ["raw"], name="raw", to=TensorProto.FLOAT),
    ]
