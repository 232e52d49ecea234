"""ONNX files: whole operators, fp16 weights, no traces of the machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto
from torch import nn

from mtshare_ros.bundle.manifest import TensorSpec
from mtshare_ros.export.onnx_writer import OPSET, write_onnx


def test_layer_norm_and_gelu_stay_whole(bundle_path: Path) -> None:
    model = onnx.load(str(bundle_path / "base.onnx"))
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("LayerNormalization") == 6 and operators.count("Gelu") == 3
    assert "Erf" not in operators and "ReduceMean" not in operators


def test_weights_are_stored_as_fp16(bundle_path: Path) -> None:
    model = onnx.load(str(bundle_path / "base.onnx"))
    large = [i for i in model.graph.initializer if len(i.raw_data) > 4096]
    assert large and all(i.data_type == TensorProto.FLOAT16 for i in large)


def test_graphs_tell_nothing_of_the_machine_that_made_them(bundle_path: Path) -> None:
    for path in bundle_path.glob("*.onnx"):
        content = path.read_bytes()
        traces = (b".py", str(Path.home()).encode(), str(bundle_path.parents[3]).encode())
        assert not any(trace in content for trace in traces)


class Scaled(nn.Module):
    """Multiplies rows by a matrix of fp16 values."""

    def __init__(self) -> None:
        """Make 24x24 weights."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(24, 24).half().float())

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Map (K, 24) to (K, 24)."""
        return rows @ self.weight


def test_any_number_of_rows_can_be_computed(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, path = Scaled(), tmp_path / "scaled.onnx"
    rows, result = (TensorSpec(name, "float32", (None, 24)) for name in ("rows", "result"))
    write_onnx(module, [rows], [result], path)
    model = onnx.load(str(path))
    assert model.opset_import[0].version == OPSET
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "K"
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for count in (1, 5):
        values = torch.randn(count, 24)
        (found,) = session.run(None, {"rows": values.numpy()})
        assert np.allclose(found, module(values).detach().numpy(), atol=1e-5)


class Affine(nn.Module):
    """Multiplies by numbers that fp16 can hold and adds some that it can't."""

    def __init__(self) -> None:
        """Make 2x256 weights of both sorts."""
        super().__init__()
        self.exact = nn.Parameter(torch.arange(512.0).view(2, 256))
        self.fine = nn.Parameter(1 + 2.0**-20 * torch.arange(512.0).view(2, 256))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Map (2, 256) to (2, 256)."""
        return rows * self.exact + self.fine


def test_only_what_loses_nothing_is_stored_as_fp16(tmp_path: Path) -> None:
    path = tmp_path / "sum.onnx"
    rows, result = (TensorSpec(name, "float32", (2, 256)) for name in ("rows", "result"))
    write_onnx(Affine(), [rows], [result], path)
    model = onnx.load(str(path))
    types = sorted(i.data_type for i in model.graph.initializer if len(i.dims) == 2)
    assert types == [TensorProto.FLOAT, TensorProto.FLOAT16]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    values = np.ones((2, 256), np.float32)
    (found,) = session.run(None, {"rows": values})
    expected = Affine()(torch.from_numpy(values)).detach().numpy()
    assert np.array_equal(found, expected)
