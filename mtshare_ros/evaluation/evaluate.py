"""Run a bundle over frames and score what comes out: the job behind `mtshare evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtshare_ros.datasets.bags import ClipReader
from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.flicker import Flicker
from mtshare_ros.evaluation.metrics import class_count
from mtshare_ros.evaluation.output_bag import PredictionBag
from mtshare_ros.evaluation.policies import Stepper, open_stream
from mtshare_ros.evaluation.report import Run, write_report
from mtshare_ros.evaluation.scores import EXAMPLES, Scores, maps_of, spread, truths_of
from mtshare_ros.evaluation.stills import Stills
from mtshare_ros.perception.engines import BACKENDS, open_engine
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.tasks import Task

WARM_UP = 3
"""Frames run before the clock counts: the first calls of an engine allocate and tune."""

OnFrame = Callable[[int, int], None]
"""Called after each frame with the frames done and the frames in all."""


@dataclass(frozen=True)
class Options:
    """How to run a bundle.

    Attributes:
        policy: One of ``policies.POLICIES``.
        engine: One of ``perception.engines.BACKENDS``.
        max_dirty_fraction: Budget of the policy ``tokens``, 0 to 1.
        threads: CPU threads of the engine.
    """

    policy: str = "tokens"
    engine: str = "auto"
    max_dirty_fraction: float = 1.0
    threads: int = 2


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
    how far the two are apart (0 for the policy ``dense``, which is that network). The time of the
    dense network is on the report's page.

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
    """
    engine = open_bundle(bundle, options)
    tasks = engine.manifest.tasks
    reader = ClipReader(bag, class_count(tasks), topic)
    settings = stream_settings(options)
    stream = open_stream(engine, options.policy, settings)
    reference = None if options.policy == "dense" else open_stream(engine, "dense", settings)
    scores = Scores(tasks, spread(len(reader), EXAMPLES))
    flicker, dense_flicker = Flicker(tasks), Flicker(tasks)
    with nullcontext() if record is None else PredictionBag(record) as recorded:
        warm_up(engine)
        for done, frame in enumerate(reader, start=1):
            predictions = _step(stream, frame, tasks)
            _add(scores, tasks, frame, predictions)
            dense = predictions if reference is None else _step(reference, frame, tasks)
            _compare(scores, tasks, predictions, dense)
            flicker.update(frame.rgb, maps_of(predictions, tasks))
            dense_flicker.update(frame.rgb, maps_of(dense, tasks))
            if recorded is not None:
                recorded.write(frame, predictions, tasks)
            if on_frame is not None:
                on_frame(done, len(reader))
    run = Run(str(bundle), engine.name, options.policy, str(bag))
    more = {"flicker": flicker.result(), "flicker_dense": dense_flicker.result()}
    return write_report(output, run, scores, engine.manifest, more=more)


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
    """
    stills = Stills(roots)
    engine = open_bundle(bundle, options)
    tasks = engine.manifest.tasks
    stills.check_classes(tasks)
    stream = open_stream(engine, "dense", stream_settings(options))
    scores = Scores(tasks, spread(len(stills), EXAMPLES))
    pools: dict[str, Scores] = {}
    warm_up(engine)
    for done, still in enumerate(stills, start=1):
        stream.reset()
        predictions = _step(stream, still, tasks)
        _add(scores, tasks, still, predictions)
        _compare(scores, tasks, predictions, predictions)
        _add(pools.setdefault(still.pool, Scores(tasks, ())), tasks, still, predictions)
        if on_frame is not None:
            on_frame(done, len(stills))
    source = ", ".join(str(root) for root in roots)
    run = Run(str(bundle), engine.name, "dense", source)
    return write_report(output, run, scores, engine.manifest, pools=pools)


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


def _step(stream: Stepper, frame: Any, tasks: Sequence[Task]) -> Predictions:
    wanted = [task.name for task in tasks]
    return stream.step(frame.rgb, frame.stamp, wanted, frame.focal_length)


def _add(scores: Scores, tasks: Sequence[Task], frame: Any, predictions: Predictions) -> None:
    scores.update(
        frame.rgb,
        maps_of(predictions, tasks),
        truths_of(frame, tasks),
        predictions.dirty,
        predictions.milliseconds,
    )


def _compare(
    scores: Scores, tasks: Sequence[Task], predictions: Predictions, dense: Predictions
) -> None:
    maps = maps_of(predictions, tasks)
    if dense is predictions:
        scores.compare(maps, maps, {})
    else:
        scores.compare(maps, maps_of(dense, tasks), dense.milliseconds)


def warm_up(engine: Engine) -> None:
    """Run some frames before the clock counts."""
    stream = open_stream(engine, "dense", StreamSettings())
    size = engine.manifest.input
    image = np.zeros((size.height, size.width, 3), np.uint8)
    for stamp in range(WARM_UP):
        stream.step(image, stamp, [task.name for task in engine.manifest.tasks])
