"""torch module -> ONNX file that TensorRT's parser takes as well."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn

from mtshare_ros.bundle.manifest import TensorSpec

OPSET = 20
"""The newest opset that TensorRT 10.0 takes; Gelu came with it."""
_HALF_FROM = 256
"""Elements from which an initialiser is stored as fp16; smaller ones aren't worth a Cast."""
_EXAMPLE_ROWS = 7


def write_onnx(
    module: nn.Module,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    path: Path,
) -> None:
    """Export ``module`` to ``path``, weights as fp16 initialisers behind a Cast.

    A ``None`` in a shape becomes the dynamic dimension ``K``. ONNX Runtime folds the Casts when it
    loads the graph.

    Raises:
        ValueError: The exported graph's inputs or outputs are not the ones asked for.
    """
    example, shapes = [], []
    for tensor in inputs:
        sizes = [_EXAMPLE_ROWS if n is None else n for n in tensor.shape]
        dtype = torch.int64 if tensor.dtype == "int64" else torch.float32
        example.append(torch.zeros(sizes, dtype=dtype))
        dynamic = {
            i: torch.export.Dim("K", min=1) for i, n in enumerate(tensor.shape) if n is None
        }
        shapes.append(dynamic or None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.export.export(
            _Positional(module, len(inputs)).eval(),
            (tuple(example),),
            dynamic_shapes=(tuple(shapes),),
        )
        exported = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=[t.name for t in inputs],
            output_names=[t.name for t in outputs],
            verbose=False,
        )
    assert exported is not None
    model = exported.model_proto
    for value in (*model.graph.input, *model.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = "K"
    del model.graph.value_info[:]
    for kind, values, expected in (
        ("inputs", model.graph.input, inputs),
        ("outputs", model.graph.output, outputs),
    ):
        names = [value.name for value in values]
        if names != [t.name for t in expected]:
            raise ValueError(f"{type(module).__name__}: exported {kind} are {names}")
    _save(model, path)


class _Positional(nn.Module):
    """Takes all inputs as one tuple, so that dynamic shapes can be given for each."""

    def __init__(self, module: nn.Module, count: int) -> None:
        super().__init__()
        self.module = module
        self.count = count

    def forward(self, inputs: tuple[torch.Tensor, ...]) -> object:
        return self.module(*inputs)


def _save(model: onnx.ModelProto, path: Path) -> None:
    """Write ``model`` with its large weights as fp16 where that loses nothing."""
    casts = []
    for initializer in model.graph.initializer:
        if initializer.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(initializer)
        half = values.astype(np.float16)
        if values.size < _HALF_FROM or not np.array_equal(half.astype(np.float32), values):
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(half, f"{name}.fp16"))
        casts.append(helper.make_node("Cast", [f"{name}.fp16"], [name], to=onnx.TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    for node in model.graph.node:  # traces of the exporter: paths of the machine, large
        del node.metadata_props[:]
        node.doc_string = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
