"""What a bundle's manifest says: typed values, and the bounds that they are held to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtshare_ros.tasks import SemanticClass, Task

MAX_FILE_BYTES = 4 << 30
MAX_TENSOR_ELEMENTS = 1 << 28
DTYPES = ("float32", "int64")


class BundleError(ValueError):
    """A bundle can't be used; the message names the file, what was found and what was expected."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a graph. ``None`` in ``shape`` is the number of dirty tokens."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class GraphSpec:
    """One ONNX graph of a bundle and where each of its tensors comes from and goes to.

    Every input is exactly one of: ``image`` or ``index`` (given by the caller), a tensor of
    another graph (``reads``), or a cache of this graph (``state``).

    Attributes:
        file: File name inside the bundle.
        sha256: Hexadecimal digest of the file.
        size: Size of the file in bytes.
        inputs: Inputs in the graph's order.
        outputs: Outputs in the graph's order.
        reads: Input name -> ``"<graph>.<tensor>"``, a state input's or an output's name there.
        state: Cache input name -> the output that holds its rows after the call.
    """

    file: str
    sha256: str
    size: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    reads: dict[str, str] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class InputSpec:
    """The frame that a bundle's stem takes.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        mean: Per-channel mean (RGB, 0-255) that is subtracted.
        scale: Factor after the subtraction (one for all channels).
        stride: Side of a token in pixels.
        fine_stride: Stride of the fine features and of the raw maps.
        focal_length: Focal length of training in units of the image width (fx / width).
    """

    width: int
    height: int
    mean: tuple[float, float, float]
    scale: float
    stride: int
    fine_stride: int
    focal_length: float

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the token grid."""
        return self.height // self.stride, self.width // self.stride

    @property
    def tokens(self) -> int:
        """Number of tokens N."""
        rows, columns = self.grid
        return rows * columns


@dataclass(frozen=True)
class LayerShare:
    """Private units of one block of one sub-task."""

    heads: int
    neurons: int


@dataclass(frozen=True)
class PrivateShare:
    """What a sub-task adds to the base.

    Attributes:
        rho: Private multiply-adds / multiply-adds of the dense transformer.
        layers: Private heads and hidden neurons of each block.
    """

    rho: float
    layers: tuple[LayerShare, ...]


@dataclass(frozen=True)
class Manifest:
    """Everything the online side knows about a model.

    Attributes:
        schema_version: Version of this layout.
        name: Name of the bundle.
        description: What it was trained on and for, shown to users.
        input: The frame that the stem takes.
        network: Settings of the network (width, depth, heads and so on), for people and tools.
        tasks: Tasks, the base task first.
        graphs: ``stem``, ``base`` and one graph per task, by name.
        private: Private share of each sub-task.
        selftest: File name, digest and tolerance of the self-test.
        training: Record of the training, stage by stage.
        metrics: Held-out metrics, ``{task: {metric: value}}``.
    """

    schema_version: int
    name: str
    description: str
    input: InputSpec
    network: dict[str, Any]
    tasks: tuple[Task, ...]
    graphs: dict[str, GraphSpec]
    private: dict[str, PrivateShare]
    selftest: dict[str, Any]
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def base_task(self) -> Task:
        """The task whose network is the base."""
        return self.tasks[0]

    def task(self, name: str) -> Task:
        """Return the task called ``name``.

        Raises:
            BundleError: The bundle has no such task.
        """
        for task in self.tasks:
            if task.name == name:
                return task
        names = ", ".join(t.name for t in self.tasks)
        raise BundleError(f"bundle {self.name}: no task {name!r}; it has {names}")


def _tensors(values: Any) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            str(v["name"]),
            str(v["dtype"]),
            tuple(None if n is None else int(n) for n in v["shape"]),
        )
        for v in values
    )


def parse_manifest(values: dict[str, Any]) -> Manifest:
    """Build a manifest from plain values; KeyError, TypeError and ValueError mean malformed."""
    source = values["input"]
    spec = InputSpec(
        width=int(source["width"]),
        height=int(source["height"]),
        mean=(float(source["mean"][0]), float(source["mean"][1]), float(source["mean"][2])),
        scale=float(source["scale"]),
        stride=int(source["stride"]),
        fine_stride=int(source["fine_stride"]),
        focal_length=float(source["focal_length"]),
    )
    tasks = []
    for v in values["tasks"]:
        low_high = v["value_range"]
        tasks.append(
            Task(
                name=str(v["name"]),
                kind=str(v["kind"]),
                channels=int(v["channels"]),
                units=str(v["units"]),
                value_range=None if low_high is None else (float(low_high[0]), float(low_high[1])),
                metrics=tuple(str(m) for m in v["metrics"]),
                higher_is_better=bool(v["higher_is_better"]),
                classes=tuple(
                    SemanticClass(str(c["name"]), tuple(int(x) for x in c["colour"]))  # type: ignore[arg-type]
                    for c in v["classes"]
                ),
            )
        )
    graphs = {
        str(name): GraphSpec(
            file=str(g["file"]),
            sha256=str(g["sha256"]),
            size=int(g["size"]),
            inputs=_tensors(g["inputs"]),
            outputs=_tensors(g["outputs"]),
            reads={str(k): str(v) for k, v in g["reads"].items()},
            state={str(k): str(v) for k, v in g["state"].items()},
        )
        for name, g in values["graphs"].items()
    }
    private = {
        str(name): PrivateShare(
            rho=float(p["rho"]),
            layers=tuple(LayerShare(int(s["heads"]), int(s["neurons"])) for s in p["layers"]),
        )
        for name, p in values["private"].items()
    }
    selftest = {
        "sha256": str(values["selftest"]["sha256"]),
        "size": int(values["selftest"]["size"]),
        "tolerance": float(values["selftest"]["tolerance"]),
    }
    return Manifest(
        schema_version=int(values["schema_version"]),
        name=str(values["name"]),
        description=str(values["description"]),
        input=spec,
        network=dict(values["network"]),
        tasks=tuple(tasks),
        graphs=graphs,
        private=private,
        selftest=selftest,
        training=dict(values.get("training", {})),
        metrics=dict(values.get("metrics", {})),
    )


def check_manifest(path: Path, manifest: Manifest) -> None:
    """Refuse values that no bundle of ours has, before any memory is allocated for them."""
    spec = manifest.input
    if not (16 <= spec.width <= 8192 and 16 <= spec.height <= 8192):
        raise BundleError(f"{path}: input {spec.width}x{spec.height}, expected 16 to 8192")
    if spec.stride < 1 or spec.width % spec.stride or spec.height % spec.stride:
        raise BundleError(f"{path}: stride {spec.stride} does not divide the input size")
    if not (math.isfinite(spec.focal_length) and spec.focal_length > 0):
        raise BundleError(f"{path}: focal_length {spec.focal_length}, expected a positive number")
    if not manifest.tasks:
        raise BundleError(f"{path}: no tasks")
    for name in ("stem", "base", *(task.name for task in manifest.tasks)):
        if name not in manifest.graphs:
            raise BundleError(f"{path}: no graph {name!r}; it has {sorted(manifest.graphs)}")
    for name, graph in manifest.graphs.items():
        if Path(graph.file).name != graph.file or graph.file in (".", "..", ""):
            raise BundleError(f"{path}: graph {name}: file {graph.file!r} leaves the bundle")
        if not 0 < graph.size <= MAX_FILE_BYTES:
            raise BundleError(f"{path}: graph {name}: size {graph.size} bytes")
        for tensor in (*graph.inputs, *graph.outputs):
            _check_tensor(f"{path}: graph {name}: tensor {tensor.name}", tensor)
        names = {t.name for t in graph.inputs}
        outputs = {t.name for t in graph.outputs}
        for source, target in graph.state.items():
            if source not in names or target not in outputs:
                raise BundleError(f"{path}: graph {name}: no cache {source!r} -> {target!r}")
        for tensor_name, origin in graph.reads.items():
            owner, _, remote = origin.partition(".")
            other = manifest.graphs.get(owner)
            known = {*other.state, *(t.name for t in other.outputs)} if other else set()
            if tensor_name not in names or remote not in known:
                raise BundleError(f"{path}: graph {name}: {tensor_name!r} can't read {origin!r}")
        for tensor_name in names - set(graph.state) - set(graph.reads) - {"image", "index"}:
            raise BundleError(f"{path}: graph {name}: input {tensor_name!r} comes from nowhere")


def _check_tensor(where: str, tensor: TensorSpec) -> None:
    if tensor.dtype not in DTYPES:
        raise BundleError(f"{where}: dtype {tensor.dtype!r}, expected one of {DTYPES}")
    sizes = [n for n in tensor.shape if n is not None]
    if any(n < 1 for n in sizes) or math.prod(sizes) > MAX_TENSOR_ELEMENTS:
        raise BundleError(f"{where}: shape {list(tensor.shape)} is out of bounds")
