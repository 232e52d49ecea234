"""Run a bundle over frames and score what comes out: the job behind `mtshare evaluate`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtshare_ros.datasets.bags.reader import ClipReader, Frame
from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.accuracy import Accuracy
from mtshare_ros.evaluation.baselines import Baselines
from mtshare_ros.evaluation.flicker import Flicker
from mtshare_ros.evaluation.outcome import Outcome, time_label, truths_of
from mtshare_ros.evaluation.output_bag import PredictionBag
from mtshare_ros.evaluation.policies import open_stream
from mtshare_ros.evaluation.report.write import write_report
from mtshare_ros.evaluation.room_views import Still, Stills
from mtshare_ros.evaluation.scores import Run, Scores
from mtshare_ros.evaluation.stopping import OnFrame, StoppedEarly, run_over
from mtshare_ros.metrics import class_count
from mtshare_ros.perception.engines import BACKENDS, open_engine
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.selection import DENSE
from mtshare_ros.perception.stream_settings import StreamSettings

WARM_UP = 3
"""Frames run before the clock counts: the first calls of an engine allocate and tune."""


@dataclass(frozen=True)
class Options:
    """How to run a bundle.

    Attributes:
        policy: One of ``policies.POLICIES``.
        engine: One of ``perception.engines.BACKENDS``.
        max_dirty_fraction: Budget of the policy ``tokens``, 0 to 1.
        threads: CPU threads of the engine.
        baselines: What else to run on the same frames: ``hold:K``, or folders of bundles.
    """

    policy: str = "tokens"
    engine: str = "auto"
    max_dirty_fraction: float = 1.0
    threads: int = 2
    baselines: tuple[str, ...] = ()


def evaluate_bag(
    bundle: Path,
    bag: Path,
    output: Path,
    options: Options,
    on_frame: OnFrame | None = None,
    topic: str | None = None,
    record: Path | None = None,
) -> dict[str, Any]:
    """Score a bundle on a bag's frames, in order, and write the report.

    Every frame also goes through the dense network with caches of its own; ``disagreement`` is
    how far the two are apart (0 for the policy ``dense``, which is that network).

    Args:
        bundle: The bundle's folder.
        bag: The bag.
        output: Folder of the report.
        options: How to run.
        on_frame: Called after each frame.
        topic: Topic of the bag's images; see ``ClipReader``.
        record: Bag to write the images and the predictions to.

    Returns:
        The content of ``report.json``.

    Raises:
        ValueError: Bundle, bag or options can't be used; the message says why.
        StoppedEarly: Ctrl-C, the bag is damaged or cut off, or the engine failed: what came
            before is in the report, which says that it is partial.
    """
    engine = open_bundle(bundle, options)
    tasks = engine.manifest.tasks
    wanted = [task.name for task in tasks]
    reader = ClipReader(bag, class_count(tasks), topic, salvage=True)
    settings = stream_settings(options)
    stream = open_stream(engine, options.policy, settings)
    baselines = Baselines(
        options.baselines, engine, options.engine, options.threads, options.policy, settings
    )
    scores = Scores(tasks)
    flicker, dense_flicker = Flicker(tasks), Flicker(tasks)
    warm_up(engine)
    start: list[int] = []

    def step(frame: Frame) -> None:
        if not start:
            start.append(frame.stamp)
        predictions = stream.step(frame.rgb, frame.stamp, wanted, frame.focal_length)
        maps, truths = predictions.maps, truths_of(frame, tasks)
        dense = baselines.step(frame, truths, predictions, scores).maps
        label = time_label(frame.stamp - start[0])
        times = predictions.milliseconds
        scores.update(Outcome(frame.rgb, maps, truths, predictions.dirty, times, dense, label))
        flicker.update(frame.rgb, maps)
        dense_flicker.update(frame.rgb, dense)
        if recorded is not None:
            recorded.write(frame, predictions, tasks)

    with nullcontext() if record is None else PredictionBag(record) as recorded:
        stop = run_over(reader, len(reader), step, on_frame)
    run = Run(str(bundle), engine.name, options.policy, str(bag), len(reader))
    more = {"flicker": flicker.result(), "flicker_dense": dense_flicker.result()}
    numbers = write_report(output, run, scores, engine.manifest, stop=stop, more=more)
    if stop is not None:
        raise StoppedEarly(numbers, stop, output) from stop
    return numbers


def evaluate_stills(
    bundle: Path,
    roots: Sequence[Path],
    output: Path,
    options: Options,
    on_frame: OnFrame | None = None,
) -> dict[str, Any]:
    """Score a bundle on rendered views of rooms, each computed densely, and write the report.

    Args:
        bundle: The bundle's folder.
        roots: Folders of views; each texture pool in them is reported by itself too.
        output: Folder of the report.
        options: How to run; the policy is ``dense`` whatever it says, as no view has a past.
        on_frame: Called after each view.

    Returns:
        The content of ``report.json``.

    Raises:
        ValueError: Bundle, folders or options can't be used; the message says why.
        StoppedEarly: As for ``evaluate_bag``.
    """
    refuse_baselines(options)
    stills = Stills(roots)
    engine = open_bundle(bundle, options)
    tasks = engine.manifest.tasks
    wanted = [task.name for task in tasks]
    stills.check_classes(tasks)
    stream = open_stream(engine, DENSE, stream_settings(options))
    scores = Scores(tasks)
    pools: dict[str, Accuracy] = {}
    views: Counter[str] = Counter()
    warm_up(engine)

    def step(still: Still) -> None:
        stream.reset()
        predictions = stream.step(still.rgb, still.stamp, wanted, still.focal_length)
        maps, truths = predictions.maps, truths_of(still, tasks)
        label = f"textures {still.pool}"
        times = predictions.milliseconds
        scores.update(Outcome(still.rgb, maps, truths, predictions.dirty, times, maps, label))
        pools.setdefault(still.pool, Accuracy(tasks)).update(maps, truths)
        views[still.pool] += 1

    stop = run_over(stills, len(stills), step, on_frame)
    source = ", ".join(str(root) for root in roots)
    run = Run(str(bundle), engine.name, DENSE, source, len(stills))
    parts = {
        name: {"frames": views[name], "tasks": pools[name].result()} for name in sorted(pools)
    }
    more = {"pools": parts}
    numbers = write_report(output, run, scores, engine.manifest, stop=stop, more=more)
    if stop is not None:
        raise StoppedEarly(numbers, stop, output) from stop
    return numbers


def refuse_baselines(options: Options) -> None:
    """Refuse baselines where there are no frames in time.

    Raises:
        OptionError: There are some.
    """
    if options.baselines:
        raise OptionError("--baseline: expected with --bag; images have no past to compare")


def open_bundle(bundle: Path, options: Options) -> Engine:
    """Open a bundle on the wanted engine.

    Raises:
        OptionError: There is no such engine.
        BundleError: The bundle can't be used.
    """
    if options.engine not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise OptionError(f"--engine {options.engine!r}: expected one of {known}")
    return open_engine(bundle, options.engine, options.threads)


def stream_settings(options: Options) -> StreamSettings:
    """Return the settings of a stream whose outputs have the image's size.

    Raises:
        OptionError: An option is out of range.
    """
    # At the input's size predictions and ground truth are one to one, and the upsampling that is
    # scored is the one that users of the node get.
    try:
        return StreamSettings(max_dirty_fraction=options.max_dirty_fraction, output_size="input")
    except ValueError as error:
        raise OptionError(str(error)) from error


def warm_up(engine: Engine) -> None:
    """Run some frames before the clock counts."""
    stream = open_stream(engine, "dense", StreamSettings())
    size = engine.manifest.input
    image = np.zeros((size.height, size.width, 3), np.uint8)
    for stamp in range(WARM_UP):
        stream.step(image, stamp, [task.name for task in engine.manifest.tasks])
