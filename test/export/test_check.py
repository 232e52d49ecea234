"""Exported graphs keep to TensorRT's operators, opset and types, and to safe caches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

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


@pytest.mark.parametrize(
    "breakage",
    [
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
