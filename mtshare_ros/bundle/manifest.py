"""What a bundle's manifest says, as typed values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mtshare_ros.errors import UserError
from mtshare_ros.tasks import SemanticClass, Task


class BundleError(UserError):
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
        prefix: Rows of the token matrix before the image's: tokens without a place in the image.
    """

    width: int
    height: int
    mean: tuple[float, float, float]
    scale: float
    stride: int
    fine_stride: int
    focal_length: float
    prefix: int = 0

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the token grid."""
        return self.height // self.stride, self.width // self.stride

    @property
    def tokens(self) -> int:
        """Number of image tokens N."""
        rows, columns = self.grid
        return rows * columns

    @property
    def rows(self) -> int:
        """Rows P + N of the token matrix and of every cache."""
        return self.prefix + self.tokens


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


def _colour(red: Any, green: Any, blue: Any) -> tuple[int, int, int]:
    return int(red), int(green), int(blue)


def parse_task(values: dict[str, Any]) -> Task:
    """Build a task from plain values; errors as of ``parse_manifest``."""
    low_high = values["value_range"]
    return Task(
        name=str(values["name"]),
        kind=str(values["kind"]),
        channels=int(values["channels"]),
        units=str(values["units"]),
        value_range=None if low_high is None else (float(low_high[0]), float(low_high[1])),
        metrics=tuple(str(m) for m in values["metrics"]),
        higher_is_better=bool(values["higher_is_better"]),
        classes=tuple(
            SemanticClass(str(c["name"]), _colour(*c["colour"])) for c in values["classes"]
        ),
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
        prefix=int(source.get("prefix", 0)),
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
        tasks=tuple(parse_task(v) for v in values["tasks"]),
        graphs=graphs,
        private=private,
        selftest=selftest,
        training=dict(values.get("training", {})),
        metrics=dict(values.get("metrics", {})),
    )
