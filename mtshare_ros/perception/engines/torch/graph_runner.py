"""Runs a bundle's ONNX graphs in torch, operator by operator. Importing this needs torch and onnx.

Only the operators that this package exports are known; each is one torch function, so that on a
GPU a whole graph can be recorded once and replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor
from torch.nn import functional as F

_DTYPES = {
    onnx.TensorProto.FLOAT: torch.float32,
    onnx.TensorProto.FLOAT16: torch.float16,
    onnx.TensorProto.INT64: torch.int64,
}
Attributes = Mapping[str, Any]


def _conv(x: Tensor, weight: Tensor, bias: Tensor | None = None, **a: Any) -> Tensor:
    top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
    if (top, left) != (bottom, right):
        x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
    return F.conv2d(
        x,
        weight,
        bias,
        a.get("strides", [1, 1]),
        (top, left),
        a.get("dilations", [1, 1]),
        a.get("group", 1),
    )


def _gemm(a: Tensor, b: Tensor, c: Tensor | None = None, **at: Any) -> Tensor:
    a = a.T if at.get("transA") else a
    b = b if at.get("transB") else b.T
    if at.get("alpha", 1.0) != 1.0 or at.get("beta", 1.0) != 1.0:
        raise ValueError("Gemm with alpha or beta")
    return F.linear(a, b, c)


def _gather_nd(data: Tensor, index: Tensor, **a: Any) -> Tensor:
    if index.shape[-1] != 1 or a.get("batch_dims"):
        raise ValueError("GatherND of more than one dimension")
    return data.index_select(0, index.flatten()).reshape(*index.shape[:-1], *data.shape[1:])


def _scatter_nd(data: Tensor, index: Tensor, rows: Tensor, **a: Any) -> Tensor:
    if index.shape[-1] != 1 or a.get("reduction", b"none") != b"none":
        raise ValueError("ScatterND of more than one dimension, or with a reduction")
    return data.index_copy(0, index.flatten(), rows.reshape(-1, *data.shape[1:]))


def _gather(data: Tensor, index: Tensor, **a: Any) -> Tensor:
    axis = a.get("axis", 0) % data.dim()
    index = torch.where(index < 0, index + data.shape[axis], index)
    rows = data.index_select(axis, index.flatten())
    return rows.reshape(*data.shape[:axis], *index.shape, *data.shape[axis + 1 :])


def _depth_to_space(x: Tensor, **a: Any) -> Tensor:
    n, c, h, w = x.shape
    block = a["blocksize"]
    if a.get("mode", b"DCR") == b"CRD":
        return F.pixel_shuffle(x, block)
    x = x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, c // block**2, h * block, w * block)


def _reshape(x: Tensor, shape: Sequence[int], **a: Any) -> Tensor:
    kept = [x.shape[i] if n == 0 and not a.get("allowzero") else n for i, n in enumerate(shape)]
    return x.reshape(kept)


def _split(x: Tensor, sizes: Sequence[int] | None = None, **a: Any) -> tuple[Tensor, ...]:
    axis = a.get("axis", 0)
    if sizes is not None:
        return x.split(list(sizes), axis)
    return x.chunk(a["num_outputs"], axis)


def _slice(
    x: Tensor,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
    **a: Any,
) -> Tensor:
    axes = range(len(starts)) if axes is None else axes
    picks = [slice(None)] * x.dim()
    for axis, start, end, step in zip(axes, starts, ends, steps or [1] * len(starts), strict=True):
        picks[axis] = slice(start, end, step)
    return x[tuple(picks)]


def _squeeze(x: Tensor, axes: Sequence[int] | None = None, **a: Any) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _unsqueeze(x: Tensor, axes: Sequence[int], **a: Any) -> Tensor:
    for axis in sorted(n % (x.dim() + len(axes)) for n in axes):
        x = x.unsqueeze(axis)
    return x


def _layer_norm(x: Tensor, weight: Tensor, bias: Tensor | None = None, **a: Any) -> Tensor:
    axis = a.get("axis", -1) % x.dim()
    return F.layer_norm(x, x.shape[axis:], weight, bias, a.get("epsilon", 1e-5))


OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": lambda x, y, **a: x + y,
    "Cast": lambda x, **a: x.to(_DTYPES[a["to"]]),
    "Concat": lambda *x, **a: torch.cat(x, a["axis"]),
    "Conv": _conv,
    "DepthToSpace": _depth_to_space,
    "Div": lambda x, y, **a: x / y,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "Gelu": lambda x, **a: F.gelu(x, approximate=a.get("approximate", b"none").decode()),
    "Gemm": _gemm,
    "LayerNormalization": _layer_norm,
    "MatMul": lambda x, y, **a: x @ y,
    "Mul": lambda x, y, **a: x * y,
    "Relu": lambda x, **a: F.relu(x),
    "Reshape": _reshape,
    "ScatterND": _scatter_nd,
    "Slice": _slice,
    "Softmax": lambda x, **a: F.softmax(x, a.get("axis", -1)),
    "Split": _split,
    "Sqrt": lambda x, **a: x.sqrt(),
    "Squeeze": _squeeze,
    "Sub": lambda x, y, **a: x - y,
    "Transpose": lambda x, **a: x.permute(a["perm"]),
    "Unsqueeze": _unsqueeze,
}
"""Operator -> function of its inputs, with its attributes as keywords."""
_PLAIN_FROM = {"Reshape": 1, "Slice": 1, "Split": 1, "Squeeze": 1, "Unsqueeze": 1}
"""Operators whose inputs from a place on are plain numbers, known beforehand."""


class TorchGraph:
    """One ONNX graph as a function of torch tensors."""

    def __init__(self, model: onnx.ModelProto, device: torch.device) -> None:
        """Put the weights of ``model`` on ``device``.

        Raises:
            ValueError: The graph has an operator that is not known here.
        """
        arrays = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
        self._weights = {n: torch.from_numpy(a.copy()).to(device) for n, a in arrays.items()}
        self._steps: list[tuple[Callable[..., Any], list[Any], list[str], Attributes]] = []
        for node in model.graph.node:
            if node.op_type not in OPERATORS:
                raise ValueError(f"node {node.name}: operator {node.op_type} is not known")
            plain = _PLAIN_FROM.get(node.op_type, len(node.input))
            inputs: list[Any] = list(node.input[:plain])
            inputs += [arrays[name].tolist() if name else None for name in node.input[plain:]]
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            self._steps.append((OPERATORS[node.op_type], inputs, list(node.output), attributes))
        self.inputs = [value.name for value in model.graph.input]
        self.outputs = [value.name for value in model.graph.output]
        self.dtypes = {
            value.name: _DTYPES[value.type.tensor_type.elem_type]
            for value in (*model.graph.input, *model.graph.output)
        }

    def __call__(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs by name for the inputs by name."""
        values: dict[str, Tensor] = {**self._weights, **tensors}
        for function, inputs, outputs, attributes in self._steps:
            given = [
                (values[value] if value else None) if isinstance(value, str) else value
                for value in inputs
            ]
            results = function(*given, **attributes)
            results = results if isinstance(results, tuple) else (results,)
            values.update(zip(outputs, results, strict=False))
        return {name: values[name] for name in self.outputs}
