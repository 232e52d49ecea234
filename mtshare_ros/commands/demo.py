"""The demo: a recorded clip through the live node, scored against the clip's ground truth."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.errors import JobError
from mtshare_ros.evaluation.recorded import RecordedPredictions, score_recording
from mtshare_ros.evaluation.report.overview import write_overview
from mtshare_ros.evaluation.report.report_files import PAGE_NAME, write_report
from mtshare_ros.evaluation.scores import Recording, Run
from mtshare_ros.metrics import class_count
from mtshare_ros.progress import OnCount, silent
from mtshare_ros.replay.replay_bag import ReplayResult, replay
from mtshare_ros.tasks import KINDS

RECORDING = "predictions"
"""Folder of the recorded bag, below the demo's output."""

OVERVIEW = "overview.png"

FIRST_STAGES = ("wait", "image", "look", "network_wait", "serve", "publish", "latency")
LAST_STAGES = ("decode", "key", "key_age", "end_to_end")
"""The order in which the report lists the stages, those of the network between them."""


@dataclass(frozen=True)
class DemoResult:
    """What a demo made.

    Attributes:
        numbers: The content of ``report.json``.
        files: What there is to look at.
    """

    numbers: dict[str, Any]
    files: tuple[Path, ...]


def run_demo(bundle: Path, bag: Path, output: Path, on_frame: OnCount = silent) -> DemoResult:
    """Play a clip through the live node, record what it publishes, and score that.

    Raises:
        JobError: A topic stayed empty, no frame came through, or a number is not finite.
        ValueError: Bundle or bag can't be used; the message says why.
    """
    manifest = load_manifest(bundle)
    clip = ClipReader(bag, class_count(manifest.tasks))
    recording = output / RECORDING
    if recording.exists():
        shutil.rmtree(recording)
    # A pixel without a value would be scored as the worst value.
    result = replay(
        bundle, bag, recording, parameters={"unknown": "fill"}, on_progress=on_frame
    )
    _check_topics(manifest, result)
    predictions = RecordedPredictions(recording, manifest.tasks)
    scores, shown = score_recording(clip.salvaged(), predictions)
    run = Run(str(bundle), result.backend, "tokens", str(bag))
    lost = [f"bag {bag}: {clip.losses}"] if clip.losses else []
    numbers = write_report(
        output,
        run,
        scores,
        manifest,
        recording=_said(manifest, result),
        more={"warnings": [*lost, *clip.warnings]},
    )
    assert shown is not None  # a report of no frame is refused
    write_overview(output / OVERVIEW, shown, manifest.tasks)
    return DemoResult(numbers, (output / PAGE_NAME, output / OVERVIEW, recording))


def _check_topics(manifest: Manifest, result: ReplayResult) -> None:
    for task in manifest.tasks:
        suffix = f"/{task.name}/{KINDS[task.kind].topic}"
        if not any(topic.endswith(suffix) for topic, n in result.messages.items() if n):
            raise JobError(f"nothing was published on ...{suffix}: {result.counts}")


def _said(manifest: Manifest, result: ReplayResult) -> Recording:
    stages = dict(result.stage_ms)
    if result.end_to_end_ms:
        stages["end_to_end"] = result.end_to_end_ms
    network = ("prepare", "select", "stem", "base", *(task.name for task in manifest.tasks))
    order = [*FIRST_STAGES, *network, *LAST_STAGES]
    known = [stage for stage in order if stage in stages]
    others = sorted(set(stages) - set(known))
    latency = {stage: stages[stage] for stage in known + others}
    return Recording({"sent": result.frames_sent, **result.counts}, latency)
