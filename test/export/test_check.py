"""Exported graphs keep to TensorRT's operators, opset and types, and to safe caches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.export.check import GraphError, check_graph


def test_every_graph_of_a_bundle_keeps_to_the_rules(bundle_path: Path) -> None:
    manifest = load_manifest(bundle_path)
    assert set(manifest.graphs) == {"stem", "base", "normals", "depth", "segmentation"}
    for graph in manifest.graphs.values():
        check_graph(bundle_path / graph.file, graph.state)


def _scatter(model: onnx.ModelProto) -> onnx.NodeProto:
    return next(n for n in model.graph.node if n.op_type == "ScatterND")


def _foreign_operator(model: onnx.ModelProto) -> None:
    next(n for n in model.graph.node if n.op_type == "Gelu").op_type = "Erf"


def _other_domain(model: onnx.ModelProto) -> None:
    next(n for n in model.graph.node if n.op_type == "Gelu").domain = "com.microsoft"


def _newer_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 21


def _reduction(model: onnx.ModelProto) -> None:
    node = _scatter(model)
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("reduction", "add"))


def _second_consumer(model: onnx.ModelProto) -> None:
    cache = _scatter(model).input[0]
    model.graph.node.append(helper.make_node("Relu", [cache], ["spy"]))


def _double_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def _other_scatter(model: onnx.ModelProto) -> None:
    """The cache is written by another operator than the one that makes its output."""
    _scatter(model).op_type = "GatherND"


def _renamed_output(model: onnx.ModelProto) -> None:
    _scatter(model).output[0] = "somewhere"


def _read_as_rows(model: onnx.ModelProto) -> None:
    node = _scatter(model)
    node.input[0], node.input[2] = node.input[2], node.input[0]


def _no_consumer(model: onnx.ModelProto) -> None:
    _scatter(model).input[0] = "constant"


def _other_opset(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def _double_weight(model: onnx.ModelProto) -> None:
    weight = numpy_helper.from_array(np.zeros(3), "wide")
    model.graph.initializer.append(weight)


def _double_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.BFLOAT16


def _second_output_of_a_norm(model: onnx.ModelProto) -> None:
    norm = next(n for n in model.graph.node if n.op_type == "LayerNormalization")
    norm.output.append("mean")


@pytest.mark.parametrize(
    "breakage",
    [
        _other_scatter,
        _renamed_output,
        _read_as_rows,
        _no_consumer,
        _other_opset,
        _double_weight,
        _double_output,
        _second_output_of_a_norm,
        _foreign_operator,
        _other_domain,
        _newer_opset,
        _reduction,
        _second_consumer,
        _double_input,
    ],
)
def test_a_graph_that_breaks_a_rule_is_refused(
    bundle_path: Path, tmp_path: Path, breakage: Callable[[onnx.ModelProto], None]
) -> None:
    state = load_manifest(bundle_path).graphs["base"].state
    model = onnx.load(str(bundle_path / "base.onnx"))
    breakage(model)
    path = tmp_path / "base.onnx"
    onnx.save(model, str(path))
    with pytest.raises(GraphError, match=r"base\.onnx"):
        check_graph(path, state)


def test_a_scatter_whose_reduction_is_none_is_a_plain_one(
    bundle_path: Path, tmp_path: Path
) -> None:
    model = onnx.load(str(bundle_path / "base.onnx"))
    node = _scatter(model)
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("reduction", "none"))
    onnx.save(model, str(tmp_path / "base.onnx"))
    check_graph(tmp_path / "base.onnx", load_manifest(bundle_path).graphs["base"].state)
