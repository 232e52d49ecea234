"""Each operator of a graph computes in torch what ONNX says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mtshare_ros.export.check import ALLOWED_OPERATORS
from mtshare_ros.perception.engines.torch.graph_runner import OPERATORS, TorchGraph

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
    ("Gemm", [_f(4, 3), _f(4, 5)], {"transA": 1}, 1),
    ("LayerNormalization", [_f(3, 8), _f(8), _f(8)], {"axis": -1, "epsilon": 1e-6}, 1),
    ("LayerNormalization", [0.01 * _f(3, 8), _f(8)], {}, 1),
    ("MatMul", [_f(2, 3, 4), _f(2, 4, 5)], {}, 1),
    ("Mul", [_f(2, 3), _f(1)], {}, 1),
    ("Relu", [_f(9)], {}, 1),
    ("Reshape", [_f(2, 6), _i(-1, 4)], {"allowzero": 1}, 1),
    ("Reshape", [_f(2, 6), _i(0, 3, 2)], {}, 1),
    ("Reshape", [_f(2, 0), _i(0, 4)], {"allowzero": 1}, 1),
    ("ScatterND", [_f(4, 3), ROWS, _f(2, 3)], {}, 1),
    ("Slice", [_f(4, 6), _i(1), _i(5), _i(1), _i(2)], {}, 1),
    ("Softmax", [_f(2, 5)], {"axis": 0}, 1),
    ("Softmax", [_f(2, 5)], {}, 1),
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


@pytest.mark.parametrize(
    ("operator", "shapes", "attributes"),
    [
        ("Gemm", [(3, 4), (4, 5)], {"alpha": 0.5}),
        ("Gemm", [(3, 4), (4, 5), (5,)], {"beta": 0.5}),
        ("GatherND", [(4, 3), (2, 1)], {"batch_dims": 1}),
        ("GatherND", [(4, 3), (2, 2)], {}),
        ("ScatterND", [(4, 3), (2, 1), (2, 3)], {"reduction": b"add"}),
        ("ScatterND", [(4, 3), (2, 2), (2,)], {}),
    ],
)
def test_a_form_of_an_operator_that_is_not_exported_is_refused(
    operator: str, shapes: list[tuple[int, ...]], attributes: dict[str, Any]
) -> None:
    index = operator.endswith("ND")
    given = [torch.zeros(s, dtype=torch.int64 if index and n == 1 else torch.float32)
             for n, s in enumerate(shapes)]  # fmt: skip
    with pytest.raises(ValueError, match=operator):
        OPERATORS[operator](*given, **attributes)


def test_a_model_without_weights_on_the_side_is_whole(bundle_path: Path) -> None:
    """The bundle's graphs themselves run as well, casts of weights included."""
    model = onnx.load(str(bundle_path / "stem.onnx"))
    image = torch.randn(1, 3, 96, 128)
    found = TorchGraph(model, CPU)({"image": image})
    expected = ReferenceEvaluator(model).run(None, {"image": image.numpy()})
    for name, value in zip(found, expected, strict=True):
        assert np.allclose(found[name].numpy(), value, atol=1e-4)
