"""The element-wise scheme's counted multiply-adds beside real time.

A counted saving is a multiply-add that a zero would spare. Here the same products run as sparse
matrix products (CSR) at the densities that a sub-task really has, next to dense ones in ONNX
Runtime. To the sparse products' favour, putting dX into CSR form is timed apart, and neither the
base's output is added nor a bias.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from scipy import sparse
from torch import Tensor, nn

from mtshare_ros.bench.measurement import pinned, take_turns
from mtshare_ros.bench.rival_graphs import DenseGraph, write_rival
from mtshare_ros.bundle.manifest import TensorSpec
from mtshare_ros.export.deploy import deploy
from mtshare_ros.export.onnx_writer import write_onnx
from mtshare_ros.network.reference.elementwise_counts import INPUTS, Thresholds, shared_pass
from mtshare_ros.network.reference.elementwise_units import (
    LINEARS,
    ElementwiseSubTask,
    TappedTransformer,
    Values,
    dense_values,
)
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.perception.engines.onnxruntime_engine import open_session

Arrays = dict[str, np.ndarray[Any, np.dtype[np.float32]]]


class _Linears(nn.Module):
    """Every linear of a transformer by itself, densely: (N, d_in) each to (N, d_out) each."""

    def __init__(self, network: SingleTaskNetwork) -> None:
        super().__init__()
        self.linears = nn.ModuleList(
            getattr(block, linear) for block in network.transformer.blocks for linear in LINEARS
        )

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(linear(value) for linear, value in zip(self.linears, inputs, strict=True))


class LinearWeights:
    """One linear's W_s and dW in the forms that both libraries take."""

    def __init__(self, weight: Tensor, difference: Tensor) -> None:
        """Take W_s and dW, each (d_out, d_in)."""
        self.scipy = np.ascontiguousarray(weight.numpy().T)
        self.torch = torch.from_numpy(self.scipy)
        self.scipy_difference = sparse.csr_array(difference.numpy())
        self.torch_difference = _torch_csr(difference)


class LinearProduct:
    """One linear of one image, to be computed by either library."""

    def __init__(self, weights: LinearWeights, base: Tensor, own: Tensor) -> None:
        """Take X_b and X_s, each (N, d_in)."""
        difference = own - base
        self.weights, self.own = weights, own.numpy()
        self._plain = difference.numpy()
        self._scipy = self.to_csr()
        self._torch = _torch_csr(difference)
        self._scipy_base = np.ascontiguousarray(base.numpy().T)
        self._torch_base = torch.from_numpy(self._scipy_base)

    def to_csr(self) -> sparse.csr_array:
        """Return dX in CSR form, as scipy makes it."""
        return sparse.csr_array(self._plain)

    def by_scipy(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Return dX W_s^T + X_b dW^T, (N, d_out)."""
        weights = self.weights
        changed_input = self._scipy @ weights.scipy
        return np.asarray(changed_input + (weights.scipy_difference @ self._scipy_base).T)

    def by_torch(self) -> Tensor:
        """Return the same as ``by_scipy``."""
        weights = self.weights
        changed_input = self._torch @ weights.torch
        return changed_input + (weights.torch_difference @ self._torch_base).T


def _torch_csr(matrix: Tensor) -> Tensor:
    with warnings.catch_warnings():  # that CSR tensors are in beta
        warnings.simplefilter("ignore")
        return matrix.to_sparse_csr()


class _Case:
    """A computation that takes its images in turn."""

    period = 1

    def __init__(self, name: str, images: Sequence[Any], run: Callable[[Any], object]) -> None:
        self.name, self._images, self._run = name, cycle(images), run

    def prepare(self) -> None:
        self._image = next(self._images)

    def step(self) -> dict[str, float]:
        self._run(self._image)
        return {}


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def measure_elementwise(
    base: SingleTaskNetwork,
    subtask: ElementwiseSubTask,
    images: Tensor,
    theta: float,
    *,
    threads: int = 2,
    rounds: int = 60,
) -> dict[str, Any]:
    """Measure what a sub-task's linears take.

    The thresholds are at the inputs of the linears, where they save work.

    Args:
        base: The base network.
        subtask: A frozen sub-task of it.
        images: (B, 3, H, W), normalised; timed one at a time.
        theta: Threshold of every block.
        threads: Threads of a computation; the process is pinned to as many cores.
        rounds: Measured turns of each case; the cases take turns, so all meet the same machine.

    Returns:
        ``csr_over_dense``: Time of the sparse products / time of the dense linears, by the faster
            library; the counted ratio to compare it with is that of the linears.
        ``csr``: Which of both libraries is the faster.
        ``milliseconds``: Median per image of ``dense network``, ``dense linears`` (both in ONNX
            Runtime), ``csr scipy``, ``csr torch`` and ``to csr`` (by scipy).
    """
    merged = subtask.merged(base.eval())
    tokens, _ = base.stem(images)
    limits = Thresholds((theta,) * base.config.depth, INPUTS)
    base_values = dense_values(base.transformer, tokens)
    changed = subtask.changed_weights(base.transformer)
    tapped = TappedTransformer(merged.transformer)
    _, values, _ = shared_pass(tapped, tokens, base_values, changed, limits)

    operands = _operands(base, subtask, merged, base_values, values)
    inputs = [{name: product.own for name, product in linears.items()} for linears in operands]
    products = [list(linears.values()) for linears in operands]
    with (
        tempfile.TemporaryDirectory() as scratch,
        pinned(threads),
        _torch_threads(threads),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UserWarning)
        network, linears = _dense_graphs(merged, inputs[0], Path(scratch), threads)
        feeds = [{"image": image[None].numpy()} for image in images]
        cases = [
            _Case("dense network", feeds, lambda feed: network.run(None, feed)),
            _Case("dense linears", inputs, lambda feed: linears.run(None, feed)),
            _Case("csr scipy", products, lambda linears: [p.by_scipy() for p in linears]),
            _Case("csr torch", products, lambda linears: [p.by_torch() for p in linears]),
            _Case("to csr", products, lambda linears: [p.to_csr() for p in linears]),
        ]
        seconds, _ = take_turns(cases, rounds)
    medians = {
        case.name: 1e3 * float(np.median(times))
        for case, times in zip(cases, seconds, strict=True)
    }
    faster = min(("csr scipy", "csr torch"), key=medians.__getitem__)
    return {
        "csr_over_dense": round(medians[faster] / medians["dense linears"], 3),
        "csr": faster.removeprefix("csr "),
        "milliseconds": {name: round(value, 4) for name, value in medians.items()},
    }


def _operands(
    base: SingleTaskNetwork,
    subtask: ElementwiseSubTask,
    merged: SingleTaskNetwork,
    base_values: Values,
    values: Values,
) -> list[dict[str, LinearProduct]]:
    """Return each image's linears by name, block by block in the order of ``LINEARS``."""
    difference = subtask.difference(base.transformer)
    weights_of = dict(merged.transformer.named_parameters())
    images: list[dict[str, LinearProduct]] = [{} for _ in values[0]["norm1"]]
    for layer, (theirs, ours) in enumerate(zip(base_values, values, strict=True)):
        for linear, read in LINEARS.items():
            name = f"blocks.{layer}.{linear}.weight"
            weights = LinearWeights(weights_of[name].detach(), difference[name])
            pairs = zip(images, theirs[read], ours[read], strict=True)
            for image, x_base, x_own in pairs:
                image[f"{linear}_{layer:02d}"] = LinearProduct(weights, x_base, x_own)
    return images


def _dense_graphs(
    network: SingleTaskNetwork, inputs: Arrays, folder: Path, threads: int
) -> tuple[ort.InferenceSession, ort.InferenceSession]:
    """Open the whole network, and its linears alone; ``inputs`` has the inputs of the linears."""
    network = deploy(network)
    channels = {"raw": network.head.project.out_channels}
    write_rival(DenseGraph(network), network.config, channels, folder / "network.onnx")
    alone = _Linears(network)
    write_onnx(
        alone,
        [TensorSpec(name, "float32", value.shape) for name, value in inputs.items()],
        [
            TensorSpec(f"{name}_out", "float32", (value.shape[0], linear.out_features))
            for (name, value), linear in zip(inputs.items(), alone.linears, strict=True)
        ],
        folder / "linears.onnx",
    )
    return (
        open_session(folder / "network.onnx", threads),
        open_session(folder / "linears.onnx", threads),
    )
