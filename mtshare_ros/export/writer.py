"""Writes a bundle: deployed networks -> graphs, manifest and self-test, checked first."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.folder import SCHEMA_VERSION, file_digest, load_manifest, save_manifest
from mtshare_ros.bundle.manifest import GraphSpec, InputSpec, Manifest, PrivateShare
from mtshare_ros.export.check import check_graph
from mtshare_ros.export.deploy import deploy
from mtshare_ros.export.graphs import GraphPlan, plan_graphs
from mtshare_ros.export.onnx_writer import write_onnx
from mtshare_ros.export.reference_engine import ReferenceEngine
from mtshare_ros.network.config import FINE_STRIDE, STRIDE, NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask, private_share
from mtshare_ros.output_checks import check_output_folder
from mtshare_ros.perception.engines.onnxruntime_engine import OnnxRuntimeEngine
from mtshare_ros.perception.engines.selftest import (
    SelfTestFrame,
    load_selftest,
    run_selftest,
    save_selftest,
)
from mtshare_ros.perception.frame import IMAGE_MEAN, IMAGE_SCALE, normalise
from mtshare_ros.perception.tokens import token_rows
from mtshare_ros.tasks import Task

SELFTEST_TOLERANCE = 1e-3
"""Largest max|a - b| / max|b| in fp32 that an engine may show on the robot."""
PARITY_TOLERANCE = 1e-4
"""The same for the engine at hand, right after the export."""


@dataclass(frozen=True)
class Deployed:
    """Networks as they are deployed, and the reference that a bundle is held to.

    Attributes:
        engine: Runs ``plans`` in torch; its manifest has no files yet.
        plans: Graphs by name.
        base: The deployed base.
        subtasks: The deployed sub-tasks.
    """

    engine: ReferenceEngine
    plans: dict[str, GraphPlan]
    base: SingleTaskNetwork
    subtasks: dict[Task, SubTask]


def input_spec(config: NetworkConfig, focal_length: float) -> InputSpec:
    """Return the frame that a network takes; ``focal_length`` is fx / width."""
    width, height = config.size
    return InputSpec(
        width,
        height,
        IMAGE_MEAN,
        IMAGE_SCALE,
        STRIDE,
        FINE_STRIDE,
        focal_length,
        config.prefix,
    )


def deploy_networks(
    base: SingleTaskNetwork,
    base_task: Task,
    subtasks: Mapping[Task, SubTask],
    focal_length: float,
) -> Deployed:
    """Deploy trained networks and plan their graphs.

    Args:
        base: Trained base network.
        base_task: Its task.
        subtasks: Trained sub-tasks.
        focal_length: fx / width of the training images.
    """
    base = deploy(base)
    deployed = {task: deploy(subtask) for task, subtask in subtasks.items()}
    plans = plan_graphs(base, base_task.name, {t.name: s for t, s in deployed.items()})
    graphs = {
        name: GraphSpec(f"{name}.onnx", "", 0, plan.inputs, plan.outputs, plan.reads, plan.state)
        for name, plan in plans.items()
    }
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name="",
        description="",
        input=input_spec(base.config, focal_length),
        network=base.config.to_dict(),
        tasks=(base_task, *deployed),
        graphs=graphs,
        private={
            task.name: PrivateShare(
                private_share(base.config, subtask.shares), tuple(subtask.shares)
            )
            for task, subtask in deployed.items()
        },
        selftest={"sha256": "", "size": 0, "tolerance": SELFTEST_TOLERANCE},
    )
    engine = ReferenceEngine(manifest, {name: plan.module for name, plan in plans.items()})
    return Deployed(engine, plans, base, deployed)


def _selftest_clip(manifest: Manifest) -> list[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Return images and the rows to compute: of every token, of a quarter, of one token."""
    rng = np.random.default_rng(0)
    spec = manifest.input
    counts = (spec.tokens, max(1, spec.tokens // 4), 1)
    clip = []
    for count in counts:
        coarse = rng.integers(0, 256, (*spec.grid, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (spec.width, spec.height), interpolation=cv2.INTER_CUBIC)
        dirty = np.zeros(spec.tokens, np.bool_)
        dirty[rng.choice(spec.tokens, count, replace=False)] = True
        clip.append((np.asarray(image, np.uint8), token_rows(dirty, spec)))
    return clip


def make_selftest(engine: ReferenceEngine) -> list[SelfTestFrame]:
    """Run the reference over the self-test's clip."""
    manifest, state, frames = engine.manifest, engine.new_state(), []
    for image, dirty in _selftest_clip(manifest):
        indices = {task.name: dirty for task in manifest.tasks}
        output = engine.run(state, normalise(image, manifest.input), dirty, indices)
        raw = {task: np.array(values) for task, values in output.raw.items()}
        frames.append(SelfTestFrame(image, dirty, raw))
    return frames


def write_bundle(
    output: Path,
    name: str,
    description: str,
    base: SingleTaskNetwork,
    base_task: Task,
    subtasks: Mapping[Task, SubTask],
    focal_length: float,
    training: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> Manifest:
    """Export a bundle into ``output``; an older bundle there stays until the new one is whole.

    Args:
        output: Folder of the bundle.
        name: Name of the bundle.
        description: What it was trained on and for, in one line.
        base: Trained base network.
        base_task: Its task.
        subtasks: Trained sub-tasks.
        focal_length: fx / width of the training images.
        training: Record of the training.
        metrics: Held-out metrics by task.

    Raises:
        GraphError: An exported graph breaks a rule of ``check_graph``.
        EngineError: ONNX Runtime does not reproduce the torch reference to 1e-4.
        FileExistsError: ``output`` exists and is not a bundle.
    """
    if output.exists() and not (output / "manifest.json").is_file():
        raise FileExistsError(f"{output}: exists and is not a bundle; it is left alone")
    check_output_folder(output)
    deployed = deploy_networks(base, base_task, subtasks, focal_length)
    empty = deployed.engine.manifest
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        graphs = {}
        for graph, plan in deployed.plans.items():
            path = folder / f"{graph}.onnx"
            write_onnx(plan.module, plan.inputs, plan.outputs, path)
            check_graph(path, plan.state)
            graphs[graph] = replace(
                empty.graphs[graph], sha256=file_digest(path), size=path.stat().st_size
            )
        selftest = save_selftest(folder, make_selftest(deployed.engine))
        manifest = replace(
            empty,
            name=name,
            description=description,
            graphs=graphs,
            selftest={
                "sha256": file_digest(selftest),
                "size": selftest.stat().st_size,
                "tolerance": SELFTEST_TOLERANCE,
            },
            training=dict(training or {}),
            metrics=dict(metrics or {}),
        )
        save_manifest(folder, manifest)
        _check_parity(folder)
        folder.chmod(0o755)
        if output.exists():
            shutil.rmtree(output)
        os.replace(folder, output)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return manifest


def _check_parity(folder: Path) -> None:
    """Open the finished bundle as a robot would, and hold it to the stricter bound."""
    manifest = load_manifest(folder)
    strict = replace(manifest, selftest={**manifest.selftest, "tolerance": PARITY_TOLERANCE})
    run_selftest(OnnxRuntimeEngine(folder, strict), load_selftest(folder, manifest))
