"""Commands that score a model: evaluate and boundary-score."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtshare_ros.commands.console import print_report, print_table, print_warnings, progress
from mtshare_ros.commands.options import (
    Dataset,
    Intrinsics,
    OptionalBundle,
    Protocol,
    Threads,
    Topic,
    refuse,
)
from mtshare_ros.errors import JobError, OptionError
from mtshare_ros.output_checks import check_output_file, check_output_folder

if TYPE_CHECKING:
    from mtshare_ros.evaluation.run_options import Options

Names = Annotated[
    Path | None, typer.Option(help="Text file with the names of the images to score.")
]


def evaluate(
    output: Annotated[Path, typer.Option(help="Folder of the report: index.html, report.json.")],
    bundle: OptionalBundle = None,
    bag: Annotated[list[Path] | None, typer.Option(help="Recorded bag; repeatable.")] = None,
    topic: Topic = None,
    intrinsics: Intrinsics = "auto",
    record: Annotated[
        Path | None, typer.Option(help="Bag to write the images and the predictions to.")
    ] = None,
    dataset: Annotated[Dataset | None, typer.Option(help="Data set, instead of a bag.")] = None,
    root: Annotated[
        list[Path] | None, typer.Option(help="Folder of the data set; of rooms, repeatable.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            help="What a frame recomputes: tokens (default), dense, carry:K, hold:K or warp:K;"
            " with --streaming also beside (default there) or beside:dense."
        ),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            help="hold:K, warp:K or a bundle to score on the same frames; with --streaming any"
            " policy; repeatable."
        ),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="What runs the graphs: auto, tensorrt, onnxruntime or torch.")
    ] = "auto",
    max_dirty_fraction: Annotated[
        float, typer.Option(help="Largest share of the tokens that a frame recomputes.")
    ] = 1.0,
    threads: Threads = 2,
    split: Annotated[str, typer.Option(help="Split of the data set.")] = "val",
    protocol: Annotated[
        Protocol,
        typer.Option(help="How images get the network's size: as in the node, or as published."),
    ] = "stretch",
    names: Names = None,
    normal_axes: Annotated[
        str | None, typer.Option(help="Axes of the data set's normals, such as 'x -y -z'.")
    ] = None,
    streaming: Annotated[
        bool,
        typer.Option(
            "--streaming", help="Score what a robot has at each moment, on a simulated clock."
        ),
    ] = False,
    recorded: Annotated[
        list[Path] | None,
        typer.Option(
            help="Recording of a live node on --bag, to score what it gave at each moment;"
            " repeatable. With BUNDLE also beside its dense network without latency."
        ),
    ] = None,
    slower: Annotated[
        float | None,
        typer.Option(help="Factor on the network's time, with --streaming: a weaker board."),
    ] = None,
    network_ms: Annotated[
        float | None, typer.Option(help="Time of a computed frame, instead of the measured one.")
    ] = None,
    serve_ms: Annotated[
        float | None, typer.Option(help="Time of a served frame, instead of the measured one.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Bags to score at a time.")] = 1,
    ray: Annotated[
        str | None, typer.Option(help="Ray cluster for several bags; local starts one.")
    ] = None,
) -> None:
    """Score a bundle or a recorded node, and write a report."""
    if bundle is None and not recorded:
        raise OptionError("BUNDLE: missing; expected with all but --recorded")
    if bool(bag) == (dataset is not None) or (dataset is None) == bool(root):
        raise OptionError("expected either --bag BAG, or --dataset NAME with --root DIR")
    of_images = {"--split": split != "val", "--protocol": protocol != "stretch"}
    of_images |= {"--names": names is not None, "--normal-axes": normal_axes is not None}
    of_bags = {"--record": record is not None, "--topic": topic is not None}
    of_bags |= {"--intrinsics": intrinsics != "auto", "--ray": ray is not None}
    of_bags |= {"--workers": workers > 1, "--policy": policy not in (None, "tokens", "dense")}
    of_bags |= {"--max-dirty-fraction": max_dirty_fraction != 1.0}
    if bag:
        refuse(of_images, "expected with --dataset, not with --bag")
    else:
        refuse(of_bags, "expected with --bag, not with --dataset")
        refuse(of_images if dataset == "rooms" else {}, "not with --dataset rooms")
    refuse({"--workers": ray is not None and workers > 1}, "not with --ray, which has its own")
    if (policy or "").startswith(("dense", "hold", "warp", "carry")):
        fraction = {"--max-dirty-fraction": max_dirty_fraction != 1.0}
        refuse(fraction, f"not with --policy {policy}, which computes whole frames")
    check_output_folder(output)
    from mtshare_ros.evaluation.bag_frames import BagFrames
    from mtshare_ros.evaluation.evaluate import evaluate as score
    from mtshare_ros.evaluation.image_sets import ImageFrames
    from mtshare_ros.evaluation.room_views import RoomFrames, Stills
    from mtshare_ros.evaluation.run_options import Options
    from mtshare_ros.evaluation.stopping import StoppedEarly
    from mtshare_ros.evaluation.streaming.recorded_run import evaluate_recorded
    from mtshare_ros.evaluation.streaming.simulation import evaluate_streaming
    from mtshare_ros.evaluation.streaming.times import Pace
    from mtshare_ros.perception.serving.server import ServeSettings

    clock = [slower, network_ms, serve_ms]
    if not streaming and any(value is not None for value in clock):
        raise OptionError("--slower, --network-ms and --serve-ms: expected with --streaming")
    if streaming and (not bag or len(bag) > 1 or ray or record is not None):
        raise OptionError("--streaming: expected with one --bag, without --record and --ray")
    if recorded:
        refuse(
            {
                "--streaming": streaming,
                "--policy": policy is not None,
                "--baseline": bool(baseline),
                "--record": record is not None,
                "--ray": ray is not None,
                "--max-dirty-fraction": max_dirty_fraction != 1.0,
                "--dataset": dataset is not None,
                "--bag": bool(bag) and len(bag or ()) > 1,
            },
            "not with --recorded, which scores recordings on one --bag",
        )
    policy = policy or ("beside" if streaming else "tokens")
    options = Options(policy, engine, max_dirty_fraction, threads, tuple(baseline or ()))
    if bag and (len(bag) > 1 or ray):
        if record is not None:
            raise OptionError("--record: expected with one --bag")
        assert bundle is not None
        _evaluate_bags(bundle, bag, output, options, workers, ray, topic, intrinsics)
        return
    stop: StoppedEarly | None = None
    try:
        with progress("evaluating") as on_frame:
            if bag and recorded:
                clip = partial(BagFrames, bag[0], topic, intrinsics=intrinsics)
                numbers = evaluate_recorded(recorded, clip, output, bundle, options, on_frame)
            elif bundle is None:
                raise AssertionError("checked above")
            elif bag and streaming:
                clip = partial(BagFrames, bag[0], topic, intrinsics=intrinsics)
                pace = Pace(1.0 if slower is None else slower, network_ms, serve_ms)
                serving = ServeSettings(fill=True)
                numbers = evaluate_streaming(
                    bundle, clip, output, options, pace, serving, 0.0, on_frame
                )
            elif bag:
                clip = partial(BagFrames, bag[0], topic, intrinsics=intrinsics)
                numbers = score(bundle, clip, output, options, on_frame, record)
            elif dataset != "rooms":
                from mtshare_ros.datasets.image_sets.kinds import open_images

                assert dataset is not None and root
                if len(root) > 1:
                    raise OptionError(f"--root: found {len(root)}, expected one for {dataset}")
                images = open_images(dataset, root[0], split, normal_axes)
                images = images if names is None else images.only(names)
                photos = partial(ImageFrames, images, dataset, protocol)
                numbers = score(bundle, photos, output, options.of_single_images(), on_frame)
            else:
                options = options.of_single_images()
                views = partial(RoomFrames, Stills(root or []))
                numbers = score(bundle, views, output, options, on_frame)
    except StoppedEarly as early:
        numbers, stop = early.numbers, early
    print_report(numbers)
    typer.echo(str(output / "index.html"))
    if stop is None:
        return
    if isinstance(stop.reason, KeyboardInterrupt):
        typer.echo(f"error: {stop.reason}", err=True)
        raise typer.Exit(130)
    raise stop.reason


def _evaluate_bags(
    bundle: Path,
    bags: list[Path],
    output: Path,
    options: Options,
    workers: int,
    ray: str | None,
    topic: str | None,
    intrinsics: str,
) -> None:
    from mtshare_ros.evaluation.many_bags import SUMMARY, evaluate_bags

    with progress("bags") as on_bag:
        summary = evaluate_bags(
            bundle, bags, output, options, workers, ray, topic, intrinsics, on_bag
        )
    rows = [
        (name, entry["state"], str(entry.get("frames", "")), entry.get("error", ""))
        for name, entry in summary["bags"].items()
    ]
    print_table("", ("bag", "", "frames", ""), rows)
    means = summary["mean"].items()
    table = [(task, key, f"{v:.4g}") for task, values in means for key, v in values.items()]
    print_table("mean over the bags, by frames", ("", "", ""), table)
    typer.echo(str(output / SUMMARY))
    for name, entry in summary["bags"].items():
        print_warnings([f"{name}: {warning}" for warning in entry.get("warnings", ())])
    failed = [name for name, entry in summary["bags"].items() if entry["state"] == "failed"]
    if failed:
        raise JobError(f"{len(failed)} of {len(bags)} bags failed: {', '.join(failed)}")


def boundary_score(
    predictions: Annotated[
        Path, typer.Argument(help="Folder or file: 8-bit PNG, or .npy from 0 to 1.")
    ],
    truths: Annotated[
        Path,
        typer.Argument(help="The same names: lines as PNG or .npy, or labels as .mat."),
    ],
    max_distance: Annotated[
        list[float] | None,
        typer.Option(
            help="Tolerance in image diagonals: NYUD 0.011 (default), PASCAL 0.0075; repeatable."
        ),
    ] = None,
    outline: Annotated[
        bool,
        typer.Option("--outline", help="Score against the outlines of what PNG and .npy hold."),
    ] = False,
    names: Names = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that score at once.")] = 2,
    output: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Score boundaries of any network (odsF), without MATLAB."""
    from mtshare_ros.metrics.boundary_files import score_folders, write_scores

    if output is not None:
        check_output_file(output)
    distances = max_distance or [0.011]
    started = time.monotonic()
    with progress("scoring") as on_image:
        scores = score_folders(predictions, truths, distances, outline, names, workers, on_image)
    rows = [
        tuple(f"{v:.4f}" for v in (s.max_distance, s.ods_f, s.threshold, s.precision, s.recall))
        for s in scores
    ]
    header = ("max distance", "odsF", "threshold", "precision", "recall")
    images = scores[0].images
    each = (time.monotonic() - started) / images / len(scores)
    title = f"{images} images, {each:.2f} s per image and tolerance with {workers} processes"
    print_table(title, header, rows)
    if output is not None:
        write_scores(output, scores)
