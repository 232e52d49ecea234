"""Run a bundle over frames and score what comes out: the job behind `mtshare evaluate`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mtshare_ros.evaluation.baselines import Baselines
from mtshare_ros.evaluation.frames import InputFrame, Source
from mtshare_ros.evaluation.outcome import Maps, Outcome
from mtshare_ros.evaluation.output_bag import PredictionBag
from mtshare_ros.evaluation.policies import open_stream, warm_up
from mtshare_ros.evaluation.report.report_files import write_report
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.evaluation.scores import Run, Scores
from mtshare_ros.evaluation.stopping import StoppedEarly, run_over
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.progress import OnCount, silent


def evaluate(
    bundle: Path,
    source: Source,
    output: Path,
    options: Options,
    on_frame: OnCount = silent,
    record: Path | None = None,
) -> dict[str, Any]:
    """Score a bundle on frames, in order, and write the report.

    Every frame also goes through the dense network with caches of its own; ``disagreement`` is
    how far the two are apart (0 for the policy ``dense``, which is that network).

    Args:
        bundle: The bundle's folder.
        source: Opens the frames, for instance ``partial(BagFrames, bag)``.
        output: Folder of the report.
        options: How to run; for frames without a past, ``of_single_images``.
        on_frame: Called after each frame.
        record: Bag to write the images and the predictions to.

    Returns:
        The content of ``report.json``.

    Raises:
        UserError: The source can't be read.
        OptionError: An option can't be used, or the bundle doesn't fit the frames.
        BundleError: The bundle can't be used.
        StoppedEarly: Ctrl-C, the source is damaged, or the engine failed: what came before is in
            the report, which says that it is partial.
    """
    engine = options.open(bundle)
    frames = source(engine.manifest)
    wanted = [task.name for task in frames.tasks]
    stream = open_stream(engine, options.policy, options.stream_settings())
    baselines = Baselines(engine, frames.tasks, options)
    scores = Scores(frames.tasks, frames.max_distance)
    warm_up(engine)

    def step(frame: InputFrame) -> None:
        if not frame.follows:
            stream.reset()
        predictions = stream.step(frame.image, frame.stamp, wanted, frame.focal_length)
        dense = baselines.step(frame, predictions, scores)
        outcome = _outcome(frame, predictions, dense)
        scores.update(outcome)
        frames.update(frame, outcome)
        if recorded is not None:
            recorded.write(frame.image, predictions, frames.tasks)

    with nullcontext() if record is None else PredictionBag(record) as recorded:
        stop = run_over(frames, len(frames), step, on_frame)
    run = Run(str(bundle), engine.name, options.policy, frames.title, len(frames))
    more = frames.result(scores)
    numbers = write_report(output, run, scores, engine.manifest, stop=stop, more=more)
    if stop is not None:
        raise StoppedEarly(numbers, stop, output) from stop
    return numbers


def _outcome(frame: InputFrame, predictions: Predictions, dense: Predictions) -> Outcome:
    """Return what a frame gave in the region that is scored."""

    def scored(maps: Maps) -> Maps:
        return {name: values[frame.region] for name, values in maps.items()}

    return Outcome(
        rgb=frame.image[frame.region],
        predictions=scored(predictions.maps),
        truths=frame.truths,
        dirty=predictions.dirty,
        milliseconds=predictions.milliseconds,
        reference=scored(dense.maps),
        label=frame.label,
    )
