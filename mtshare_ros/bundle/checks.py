"""The bounds that a bundle's manifest is held to before any memory is allocated for it."""

from __future__ import annotations

import math
import re
from pathlib import Path

from mtshare_ros.bundle.manifest import BundleError, GraphSpec, InputSpec, Manifest, TensorSpec
from mtshare_ros.tasks import KINDS, UNLABELLED, Task

MAX_FILE_BYTES = 4 << 30
MAX_TENSOR_ELEMENTS = 1 << 28
MAX_STATE_ELEMENTS = 1 << 28
"""Elements of all tensors of a bundle together: a camera's state holds each of them."""
MAX_SELFTEST_TOLERANCE = 0.05
MAX_PREFIX = 1024
DTYPES = ("float32", "int64")
_CELL = 4
"""Strides are multiples of the cells in which change is looked for."""


def check_manifest(path: Path, manifest: Manifest) -> None:
    """Refuse values that no exported bundle has.

    Raises:
        BundleError: A value is out of bounds, or two values don't fit together.
    """
    try:
        _check_input(manifest.input)
        _check_tasks(manifest.tasks)
        for name in ("stem", "base", *(task.name for task in manifest.tasks)):
            if name not in manifest.graphs:
                raise BundleError(f"no graph {name!r}; it has {sorted(manifest.graphs)}")
        for name, graph in manifest.graphs.items():
            _check_graph(name, graph, manifest)
        _check_state(manifest)
        tolerance = manifest.selftest["tolerance"]
        if not 0 < tolerance <= MAX_SELFTEST_TOLERANCE:
            raise BundleError(
                f"self-test tolerance {tolerance}, expected up to {MAX_SELFTEST_TOLERANCE}"
            )
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def _check_input(spec: InputSpec) -> None:
    if not (16 <= spec.width <= 8192 and 16 <= spec.height <= 8192):
        raise BundleError(f"input {spec.width}x{spec.height}, expected 16 to 8192")
    for stride in (spec.stride, spec.fine_stride):
        if stride < _CELL or stride % _CELL or spec.width % stride or spec.height % stride:
            raise BundleError(
                f"stride {stride}: expected a multiple of {_CELL} that divides the input size"
            )
    for name, value in (("focal_length", spec.focal_length), ("scale", spec.scale)):
        if not (math.isfinite(value) and value > 0):
            raise BundleError(f"{name} {value}, expected a positive number")
    if not all(map(math.isfinite, spec.mean)):
        raise BundleError(f"mean {spec.mean}, expected numbers")
    if not 0 <= spec.prefix <= MAX_PREFIX:
        raise BundleError(f"prefix {spec.prefix}, expected 0 to {MAX_PREFIX}")


def _check_tasks(tasks: tuple[Task, ...]) -> None:
    if not tasks:
        raise BundleError("no tasks")
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise BundleError(f"tasks {names}: a name is there twice")
    for task in tasks:
        # A task's name is part of its topics' names.
        if not re.fullmatch(r"[a-z][a-z0-9_]*", task.name) or task.name in ("stem", "base"):
            raise BundleError(f"task {task.name!r}: expected a name of a-z, 0-9 and _")
        if task.kind not in KINDS:
            raise BundleError(
                f"task {task.name}: kind {task.kind!r}, expected one of {tuple(KINDS)}"
            )
        channels = KINDS[task.kind].channels
        least, most = (1, UNLABELLED) if channels is None else (channels, channels)
        if not least <= task.channels <= most:
            raise BundleError(f"task {task.name}: {task.channels} channels, expected {most}")
        if channels is None and len(task.classes) != task.channels:
            raise BundleError(
                f"task {task.name}: {len(task.classes)} classes for {task.channels} channels"
            )
        if any(not 0 <= part <= 255 for item in task.classes for part in item.colour):
            raise BundleError(f"task {task.name}: colours of classes; expected 0 to 255")
        if KINDS[task.kind].in_metres and not _is_range(task.value_range):
            raise BundleError(f"task {task.name}: value_range {task.value_range}")


def _is_range(value_range: tuple[float, float] | None) -> bool:
    if value_range is None:
        return False
    low, high = value_range
    return 0 < low < high < math.inf


def _check_graph(name: str, graph: GraphSpec, manifest: Manifest) -> None:
    if Path(graph.file).name != graph.file or graph.file in (".", "..", ""):
        raise BundleError(f"graph {name}: file {graph.file!r} leaves the bundle")
    if not 0 < graph.size <= MAX_FILE_BYTES:
        raise BundleError(f"graph {name}: size {graph.size} bytes")
    for tensor in (*graph.inputs, *graph.outputs):
        _check_tensor(f"graph {name}: tensor {tensor.name}", tensor)
    names = {t.name for t in graph.inputs}
    outputs = {t.name for t in graph.outputs}
    for source, target in graph.state.items():
        if source not in names or target not in outputs:
            raise BundleError(f"graph {name}: no cache {source!r} -> {target!r}")
    for tensor in graph.inputs:
        if tensor.name in graph.state and tensor.shape[:1] != (manifest.input.rows,):
            raise BundleError(
                f"graph {name}: cache {tensor.name}: shape {list(tensor.shape)}, expected"
                f" {manifest.input.rows} rows, one for each token"
            )
    for tensor_name, origin in graph.reads.items():
        owner, _, remote = origin.partition(".")
        other = manifest.graphs.get(owner)
        sources = {*other.state, *(t.name for t in other.outputs)} if other else set()
        if tensor_name not in names or remote not in sources:
            raise BundleError(f"graph {name}: {tensor_name!r} can't read {origin!r}")
    for tensor_name in names - set(graph.state) - set(graph.reads) - {"image", "index"}:
        raise BundleError(f"graph {name}: input {tensor_name!r} comes from nowhere")


def _check_state(manifest: Manifest) -> None:
    tensors = [t for graph in manifest.graphs.values() for t in (*graph.inputs, *graph.outputs)]
    elements = sum(math.prod(n for n in t.shape if n is not None) for t in tensors)
    if elements > MAX_STATE_ELEMENTS:
        raise BundleError(
            f"tensors of {elements} elements together; expected at most {MAX_STATE_ELEMENTS}"
        )


def _check_tensor(where: str, tensor: TensorSpec) -> None:
    if tensor.dtype not in DTYPES:
        raise BundleError(f"{where}: dtype {tensor.dtype!r}, expected one of {DTYPES}")
    sizes = [n for n in tensor.shape if n is not None]
    if any(n < 1 for n in sizes) or math.prod(sizes) > MAX_TENSOR_ELEMENTS:
        raise BundleError(f"{where}: shape {list(tensor.shape)} is out of bounds")
