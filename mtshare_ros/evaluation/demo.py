"""The demo: a recorded clip through the live node, scored against the clip's ground truth."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtshare_ros.bundle import Manifest, load_manifest
from mtshare_ros.datasets.bags import ClipReader
from mtshare_ros.errors import JobError
from mtshare_ros.evaluation.overview import write_overview
from mtshare_ros.evaluation.recorded import OUTPUTS, Recorded, RecordedPredictions
from mtshare_ros.evaluation.report import PAGE_NAME, Recording, Run, write_report
from mtshare_ros.evaluation.scores import Scores, maps_of, spread
from mtshare_ros.ros.replay import ReplayResult, replay

EXAMPLES = 4
"""Frames that the report shows."""

RECORDING = "predictions"
"""Folder of the recorded bag, below the demo's output."""

OVERVIEW = "overview.png"


@dataclass(frozen=True)
class DemoResult:
    """What a demo made.

    Attributes:
        numbers: The content of ``report.json``.
        files: What there is to look at.
    """

    numbers: dict[str, Any]
    files: tuple[Path, ...]


def run_demo(
    bundle: Path, bag: Path, output: Path, on_frame: Callable[[int, int], None] | None = None
) -> DemoResult:
    """Play a clip through the live node, record what it publishes, and score that.

    Raises:
        JobError: A topic stayed empty, no frame came through, or a number is not finite.
        ValueError: Bundle or bag can't be used; the message says why.
    """
    manifest = load_manifest(bundle)
    clip = ClipReader(bag)
    recording = output / RECORDING
    if recording.exists():
        shutil.rmtree(recording)
    result = replay(bundle, bag, recording, on_progress=on_frame)
    _check_topics(manifest, result)
    scores = score_recording(
        clip, RecordedPredictions(recording, manifest.tasks), result.counts["processed"]
    )
    run = Run(str(bundle), result.backend, "tokens", str(bag))
    numbers = write_report(output, run, scores, manifest, recording=_said(result))
    write_overview(output / OVERVIEW, scores.examples[len(scores.examples) // 2], manifest.tasks)
    return DemoResult(numbers, (output / PAGE_NAME, output / OVERVIEW, recording))


def score_recording(clip: ClipReader, predictions: RecordedPredictions, count: int) -> Scores:
    """Return the scores of recorded predictions; frames are matched by their stamps.

    Args:
        clip: The frames that were sent, with ground truth.
        predictions: What came out of them; frames that were dropped are missing.
        count: About how many came out, to spread the examples.
    """
    scores = Scores(predictions.tasks, spread(count, EXAMPLES))
    found = _Matching(iter(predictions))
    for frame in clip:
        recorded = found.at(frame.stamp)
        if recorded is not None:
            truths = maps_of(frame, predictions.tasks)
            scores.update(frame.rgb, recorded.maps, truths, recorded.dirty)
    return scores


class _Matching:
    """Looks recorded frames up by stamp, while both sides only move forward."""

    def __init__(self, recorded: Iterator[Recorded]) -> None:
        self.recorded = recorded
        self.next = next(recorded, None)

    def at(self, stamp: int) -> Recorded | None:
        while self.next is not None and self.next.stamp < stamp:
            self.next = next(self.recorded, None)
        return self.next if self.next is not None and self.next.stamp == stamp else None


def _check_topics(manifest: Manifest, result: ReplayResult) -> None:
    for task in manifest.tasks:
        suffix = f"/{task.name}/{OUTPUTS[task.kind]}"
        if not any(topic.endswith(suffix) for topic, n in result.messages.items() if n):
            raise JobError(f"nothing was published on ...{suffix}: {result.counts}")


def _said(result: ReplayResult) -> Recording:
    latency = dict(result.stage_ms)
    if result.end_to_end_ms:
        latency["end_to_end"] = result.end_to_end_ms
    return Recording({"sent": result.frames_sent, **result.counts}, latency)
