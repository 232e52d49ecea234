"""A clip played to a bundle on a simulated clock: what `mtshare evaluate --streaming` does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.frames import InputFrame, Source
from mtshare_ros.evaluation.outcome import Outcome, time_label
from mtshare_ros.evaluation.policies import VARIANTS, open_stream, warm_up
from mtshare_ros.evaluation.report.report_files import write_report
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.evaluation.scores import Run, Scores
from mtshare_ros.evaluation.stopping import StoppedEarly, run_over
from mtshare_ros.evaluation.streaming.contenders import Beside, Ideal, OneThread, Way
from mtshare_ros.evaluation.streaming.scoring import Streaming
from mtshare_ros.evaluation.streaming.times import Pace
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.selection import DENSE
from mtshare_ros.perception.serving.server import Server, ServeSettings
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.progress import OnCount, silent
from mtshare_ros.tasks import Task

BESIDE = "beside"
"""Frames are served from keys that the network makes beside; ``beside:dense`` of all tokens."""
IDEALS = {"ideal": 0, "ideal_1": 1}
"""The dense network without any latency -> frames that its answers come late."""


def evaluate_streaming(
    bundle: Path,
    source: Source,
    output: Path,
    options: Options,
    pace: Pace,
    serving: ServeSettings,
    wait_ms: float = 0.0,
    on_frame: OnCount = silent,
) -> dict[str, Any]:
    """Score what a robot has at each moment, and write the report.

    At the time of each frame, the newest answer that was there by then is scored against the
    truth of that frame: streaming accuracy, Li et al., "Towards streaming perception", ECCV 2020.

    Args:
        bundle: The bundle's folder.
        source: Opens the frames, for instance ``partial(BagFrames, bag)``.
        output: Folder of the report.
        options: How to run; ``policy`` and ``baselines`` are ``beside``, ``beside:POLICY`` or a
            policy of one thread.
        pace: What makes a simulated time of a measured one.
        serving: How frames are served beside.
        wait_ms: Milliseconds that a frame waits for the network before it is served.
        on_frame: Called after each frame.

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
    names = [options.policy, *options.baselines]
    if len(set(names)) < len(names):
        raise OptionError(f"--policy and --baseline: {', '.join(names)}; expected each once")
    ways: dict[str, Way] = {
        name: _way(name, engine, frames.tasks, options, pace, serving, wait_ms) for name in names
    }
    wanted = [task.name for task in frames.tasks]
    settings = options.stream_settings()
    ideal = {
        name: Ideal(open_stream(engine, DENSE, settings), wanted, late)
        for name, late in IDEALS.items()
    }
    streaming = Streaming([*ways, *ideal], frames.tasks)
    scores = Scores(frames.tasks, frames.max_distance)
    warm_up(engine)
    first: int | None = None

    def step(frame: InputFrame) -> None:
        nonlocal first
        first = frame.stamp if first is None else first
        number, now = streaming.frames, 1e-9 * (frame.stamp - first)
        streaming.frame(number, now, frame.truths)
        for contender in ideal.values():
            contender.take(number, frame, now)
        for name, way in [*ways.items(), *ideal.items()]:
            for answer in way.until(now):
                streaming.answer(name, answer)
        maps = streaming.moment(number)
        if maps is not None:
            run = streaming.scores[options.policy]
            label = f"{time_label(frame.stamp - first)}, {1e3 * run.ages[-1]:.0f} ms old"
            scores.update(Outcome(frame.image, maps, frame.truths, label=label))
        for way in ways.values():
            way.take(number, frame, now)

    stop = run_over(frames, len(frames), step, on_frame)
    run = Run(str(bundle), engine.name, options.policy, frames.title, len(frames))
    others = {name: score.result() for name, score in streaming.scores.items()}
    others.pop(options.policy)
    entry = {
        "slower": pace.slower,
        "network_ms": pace.network_ms,
        "serve_ms": pace.serve_ms,
        **streaming.result(),
        **{name: others.pop(name) for name in IDEALS},
        "baselines": others,
    }
    more = {"streaming": entry, **frames.result(scores)}
    numbers = write_report(output, run, scores, engine.manifest, stop=stop, more=more)
    if stop is not None:
        raise StoppedEarly(numbers, stop, output) from stop
    return numbers


def _way(
    name: str,
    engine: Engine,
    tasks: list[Task] | Any,
    options: Options,
    pace: Pace,
    serving: ServeSettings,
    wait_ms: float,
) -> Way:
    """Return a way to serve by its name."""
    wanted = [task.name for task in tasks]
    settings = options.stream_settings()
    kind, _, policy = name.partition(":")
    if kind != BESIDE:
        return OneThread(open_stream(engine, name, settings), wanted, pace)
    policy = policy or "tokens"
    if policy not in (DENSE, *VARIANTS):
        raise OptionError(
            f"policy {name!r}: expected beside:POLICY with one of {', '.join((DENSE, *VARIANTS))}"
        )
    stream = PerceptionStream(engine, replace(settings, policy=policy), VARIANTS)
    server = Server(engine.manifest.tasks, engine.manifest.input, serving)
    return Beside(stream, server, wanted, pace, 1e-3 * wait_ms)
