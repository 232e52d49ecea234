"""Recordings of a live node, scored at each moment: the job of `mtshare evaluate --recorded`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import InputSpec, Manifest
from mtshare_ros.errors import OptionError, UserError
from mtshare_ros.evaluation.frames import InputFrame, Source
from mtshare_ros.evaluation.outcome import Outcome, time_label
from mtshare_ros.evaluation.policies import open_stream
from mtshare_ros.evaluation.report.report_files import write_report
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.evaluation.scores import Run, Scores
from mtshare_ros.evaluation.stopping import StoppedEarly, run_over
from mtshare_ros.evaluation.streaming.contenders import Ideal
from mtshare_ros.evaluation.streaming.recording import Key, Recording, tasks_in
from mtshare_ros.evaluation.streaming.scoring import Streaming
from mtshare_ros.evaluation.streaming.simulation import IDEALS
from mtshare_ros.perception.selection import DENSE
from mtshare_ros.progress import OnCount, silent

RECORDED = "recorded"
"""What reports name as engine and policy of a run that was recorded."""


def evaluate_recorded(
    recordings: Sequence[Path],
    source: Source,
    output: Path,
    bundle: Path | None = None,
    options: Options | None = None,
    on_frame: OnCount = silent,
) -> dict[str, Any]:
    """Score what a robot had at each moment of a recording, and write the report.

    The rule is that of ``evaluate_streaming``: at the time of each frame, the newest map of each
    task that had come by then is scored against the truth of that frame, from the first frame on
    for which each recording has all maps. The tasks are those that all recordings have.

    Args:
        recordings: Bags as of `mtshare replay`; the first is the run, others stand beside it.
        source: Opens the frames with their truth, for instance ``partial(BagFrames, bag)``.
        output: Folder of the report.
        bundle: The bundle whose dense network is computed as ``ideal`` and ``ideal_1``.
        options: How that is run.
        on_frame: Called after each frame.

    Returns:
        The content of ``report.json``.

    Raises:
        UserError: A recording or the source can't be read, or no output came in time.
        OptionError: The recordings have no task in common.
        BundleError: The bundle can't be used.
        StoppedEarly: Ctrl-C, or the source is damaged: what came before is in the report.
    """
    manifest = _manifest(recordings, bundle)
    frames = source(manifest)
    ways = {str(path): Recording(path, manifest.tasks) for path in recordings}
    if len(ways) < len(recordings):
        raise OptionError("--recorded: expected each bag once")
    ideal: dict[str, Ideal] = {}
    if bundle is not None:
        options = options or Options()
        engine, settings = options.open(bundle), options.stream_settings()
        wanted = [task.name for task in manifest.tasks]
        ideal = {
            name: Ideal(open_stream(engine, DENSE, settings), wanted, late)
            for name, late in IDEALS.items()
        }
    streaming = Streaming([*ways, *ideal], manifest.tasks)
    scores = Scores(manifest.tasks, frames.max_distance)
    numbers: dict[Key, int] = {}
    seen: Counter[int] = Counter()
    start: int | None = None
    stamps: list[int] = []

    def step(frame: InputFrame) -> None:
        nonlocal start
        start = frame.stamp if start is None else start
        stamps[:] = [start, frame.stamp]
        number, now = streaming.frames, 1e-9 * (frame.stamp - start)
        numbers[frame.stamp, seen[frame.stamp]] = number
        seen[frame.stamp] += 1
        streaming.frame(number, now, frame.truths)
        for name, contender in ideal.items():
            contender.take(number, frame, now)
            for answer in contender.until(now):
                streaming.answer(name, answer)
        for name, way in ways.items():
            for answer in way.until(frame.stamp, numbers, start):
                streaming.answer(name, answer)
            # Each task's newest map counts, and not that of the last frame that was complete.
            streaming.newest.pop(name, None)
            newest = way.newest(numbers, start)
            if newest is not None:
                streaming.newest[name] = newest
        maps = streaming.moment(number)
        if maps is not None:
            age = streaming.scores[str(recordings[0])].ages[-1]
            label = f"{time_label(frame.stamp - start)}, {1e3 * age:.0f} ms old"
            scores.update(Outcome(frame.image, maps, frame.truths, label=label))

    stop = run_over(frames, len(frames), step, on_frame)
    if not streaming.moments:
        raise _never(ways, stamps)
    for name, way in ways.items():
        for answer in way.rest(numbers, start or 0):
            streaming.answer(name, answer)
    others = {name: score.result() for name, score in streaming.scores.items()}
    others.pop(str(recordings[0]))
    for name in others:
        others[name]["answered"] /= max(1, streaming.frames)
        if name in ways:
            others[name]["coverage"] = ways[name].coverage
    entry = {
        **streaming.result(),
        "age_from": "stamp",
        **{name: others.pop(name) for name in ideal},
        "baselines": others,
    }
    more = frames.result(scores)
    more["warnings"] = [*more.get("warnings", ()), *_warnings(ways)]
    run = Run(str(bundle or recordings[0]), RECORDED, RECORDED, frames.title, len(frames))
    report = write_report(
        output, run, scores, manifest, stop=stop, more={"streaming": entry, **more}
    )
    if stop is not None:
        raise StoppedEarly(report, stop, output) from stop
    return report


def _manifest(recordings: Sequence[Path], bundle: Path | None) -> Manifest:
    """Return the bundle's manifest, or one that says what the recordings do, of common tasks."""
    given = None if bundle is None else load_manifest(bundle)
    found = [tasks_in(path, None if given is None else given.tasks) for path in recordings]
    names = set.intersection(*({task.name for task in tasks} for tasks in found))
    if given is not None:
        manifest = given
    else:
        unknown = InputSpec(0, 0, (0.0, 0.0, 0.0), 1.0, 1, 1, 1.0)
        text = "What a live node gave, as it was recorded."
        name = recordings[0].name
        manifest = Manifest(1, name, text, unknown, {}, tuple(found[0]), {}, {}, {})
    tasks = tuple(task for task in manifest.tasks if task.name in names)
    if not tasks:
        which = ", ".join(map(str, recordings))
        raise OptionError(f"--recorded {which}: no outputs of a task that all of them have")
    return replace(manifest, tasks=tasks)


def _never(ways: dict[str, Recording], stamps: list[int]) -> UserError:
    texts = [
        f"{name}: {way.outputs} outputs until then, {way.pending}" for name, way in ways.items()
    ]
    first, last = (f"{1e-9 * stamp:.3f}" for stamp in stamps or (0, 0))
    return UserError(
        f"the frames are of {first} to {last} s, and not every recording has all outputs by"
        f" then ({'; '.join(texts)}); expected one clock for both"
    )


def _warnings(ways: dict[str, Recording]) -> list[str]:
    texts = []
    for name, way in ways.items():
        if way.coverage < 1.0:
            texts.append(
                f"{name}: {100 * (1 - way.coverage):.1f} % of the pixels have no value, which"
                " count as the worst one; record with --parameter unknown=fill to compare"
                " streaming.tasks, or compare streaming.served"
            )
        if not way.late:
            texts.append(
                f"{name}: no output came after its stamp, so that it says nothing of latency;"
                " expected a bag of `mtshare replay` or `ros2 bag record`"
            )
    return texts
