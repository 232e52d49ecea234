"""Rules for exported graphs: TensorRT's operators, opset and types, and safe caches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx

from mtshare_ros.errors import JobError
from mtshare_ros.export.onnx_writer import OPSET

ALLOWED_OPERATORS = frozenset(
    "Add Cast Concat Conv DepthToSpace Div Gather GatherND Gelu Gemm LayerNormalization MatMul "
    "Mul Relu Reshape ScatterND Slice Softmax Split Sqrt Squeeze Sub Transpose Unsqueeze".split()
)
"""Operators used here, each taken by TensorRT 10.0's parser."""
_ALLOWED_TYPES = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.INT64)


class GraphError(JobError):
    """An exported graph breaks a rule; the message names the file and the node."""


def check_graph(path: Path, state: Mapping[str, str]) -> None:
    """Hold the graph at ``path`` to the rules.

    Args:
        path: ONNX file.
        state: Cache input -> output, as in the manifest. Both may share one buffer, so the
            input's only consumer has to be the ScatterND that makes the output.

    Raises:
        GraphError: A rule is broken.
    """
    model = onnx.load(str(path))
    versions = {entry.domain: entry.version for entry in model.opset_import}
    if set(versions) - {"", "ai.onnx"} or versions.get("", 0) > OPSET:
        raise GraphError(
            f"{path}: opsets {versions}, expected only the standard one up to {OPSET}"
        )
    for initializer in model.graph.initializer:
        if initializer.data_type not in _ALLOWED_TYPES:
            raise GraphError(
                f"{path}: initialiser {initializer.name}: type {initializer.data_type}"
            )
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.elem_type not in _ALLOWED_TYPES:
            raise GraphError(f"{path}: tensor {value.name}: a type that is not allowed")
    for node in model.graph.node:
        if node.op_type not in ALLOWED_OPERATORS or node.domain not in ("", "ai.onnx"):
            raise GraphError(f"{path}: node {node.name}: operator {node.domain}{node.op_type}")
        if node.op_type == "ScatterND" and any(a.name == "reduction" for a in node.attribute):
            if next(a for a in node.attribute if a.name == "reduction").s != b"none":
                raise GraphError(f"{path}: node {node.name}: ScatterND with a reduction")
        if node.op_type == "LayerNormalization" and len(node.output) > 1:
            raise GraphError(f"{path}: node {node.name}: only the first output may be used")
    for source, target in state.items():
        consumers = [node for node in model.graph.node if source in node.input]
        if (
            len(consumers) != 1
            or consumers[0].op_type != "ScatterND"
            or consumers[0].input[0] != source
            or list(consumers[0].output) != [target]
        ):
            names = [f"{n.op_type} {n.name}" for n in consumers]
            raise GraphError(f"{path}: cache {source} is consumed by {names}, not just ScatterND")
