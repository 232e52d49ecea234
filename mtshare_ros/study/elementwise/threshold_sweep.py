"""The element-wise scheme over its thresholds: accuracy, counted multiply-adds, real time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from mtshare_ros.datasets.stills import StillsDataset
from mtshare_ros.metrics import metric_for
from mtshare_ros.network.reference.elementwise_counts import (
    INPUTS,
    OUTPUTS,
    Thresholds,
    Works,
    add,
    shared_pass,
    shares,
)
from mtshare_ros.network.reference.elementwise_units import (
    ElementwiseSubTask,
    TappedTransformer,
    dense_values,
)
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.perception.decode import Decoder, decode
from mtshare_ros.study.elementwise.linear_times import measure_elementwise
from mtshare_ros.tasks import TASKS
from mtshare_ros.training.batches import truth_maps, validation_batches
from mtshare_ros.training.jobs.reference import load_elementwise
from mtshare_ros.training.stored import load_network

POINTS = {"inputs": INPUTS, "outputs": OUTPUTS}
"""Where differences are cut: where it saves work, or where the released code does."""
_BATCH = 8
_TIMED = 8


def sweep(
    run: Path,
    stage: str,
    folder: Path,
    thetas: Sequence[float],
    *,
    points: str = "inputs",
    threads: int = 2,
    rounds: int = 30,
) -> dict[str, Any]:
    """Score an ``elementwise`` stage at each threshold and measure what its products take.

    Args:
        run: Folder of the run.
        stage: The stage.
        folder: Rendered stills; thresholds are chosen on validation rooms.
        thetas: Thresholds, one for all blocks at a time.
        points: Key of ``POINTS``.
        threads: Threads of a measured computation.
        rounds: Measured turns.

    Returns:
        ``rows``: for each task and threshold the metrics, ``counted`` and ``least`` (shares of
        the dense multiply-adds), and for thresholds at the inputs the measured ``csr_over_dense``
        of the linears; and the setting.
    """
    subtasks, record = load_elementwise(run, stage)
    base, _ = load_network(run, record["base"])
    stills = StillsDataset(folder)
    image = next(validation_batches(stills, base.config.size, _TIMED, ()))["image"]
    rows = []
    for task, subtask in subtasks.items():
        for theta in thetas:
            limits = Thresholds((theta,) * base.config.depth, POINTS[points])
            row = {"task": task, "theta": theta, **_score(base, subtask, task, stills, limits)}
            if points == "inputs":
                row |= measure_elementwise(
                    base, subtask, image, theta, threads=threads, rounds=rounds
                )
            rows.append(row)
    return {
        "run": str(run),
        "stage": stage,
        "data": str(folder),
        "points": points,
        "density": record["density"],
        "rows": rows,
    }


@torch.no_grad()
def _score(
    base: SingleTaskNetwork,
    subtask: ElementwiseSubTask,
    task_name: str,
    stills: StillsDataset,
    limits: Thresholds,
) -> dict[str, Any]:
    """Return the metrics over all stills and the shares of multiply-adds."""
    task, config = TASKS[task_name], base.config
    metric, decoder = metric_for(task), Decoder(config.size)
    changed_network = TappedTransformer(subtask.merged(base).transformer)
    changed = subtask.changed_weights(base.transformer)
    total: Works | None = None
    for batch in validation_batches(stills, config.size, _BATCH, (task.kind,)):
        tokens, fine = base.stem(batch["image"])
        reference = dense_values(base.transformer, tokens)
        features, _, works = shared_pass(changed_network, tokens, reference, changed, limits)
        total = works if total is None else add(total, works)
        raw = subtask.head(features, fine).numpy()
        for image, truth in zip(raw, truth_maps(batch[task.kind]), strict=True):
            metric.update(decode(decoder, task, image), truth)
    assert total is not None
    share = shares(total)
    return {
        "metrics": metric.result(),
        "counted": {kind: share[kind]["counted"] for kind in ("linears", "all")},
        "least": {kind: share[kind]["least"] for kind in ("linears", "all")},
    }
