"""The command that shows a model at work: video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mtshare_ros.commands.console import print_table, print_warnings, progress
from mtshare_ros.commands.options import (
    DEMO_BUNDLE,
    BundleOption,
    Intrinsics,
    Threads,
    Topic,
    refuse,
)
from mtshare_ros.errors import OptionError
from mtshare_ros.output_checks import check_output_file


def video(
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="Video file, bag, or camera as /dev/video0 or 0."),
    ],
    output: Annotated[Path, typer.Option(help="File to write: .mp4, .gif or .webp.")],
    bundle: BundleOption = DEMO_BUNDLE,
    topic: Topic = None,
    intrinsics: Intrinsics = "auto",
    focal_length: Annotated[
        float | None,
        typer.Option(help="fx / image width of a video or a camera: the scale of its depth."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Play so long, not to the end.")
    ] = None,
    unknown: Annotated[
        Literal["invalid", "fill"],
        typer.Option(help="Pixels of which nothing is known: invalid, or filled."),
    ] = "invalid",
    width: Annotated[int, typer.Option(min=64, max=7680, help="Width of the output.")] = 1280,
    columns: Annotated[
        int | None, typer.Option(min=1, help="Pictures in a row, up to 4 by default.")
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, help="Write every n-th frame only: smaller animations.")
    ] = 1,
    threads: Threads = 2,
) -> None:
    """Show a video, bag or camera beside its outputs.

    It is played in real time. Beside each frame is the newest output that was there by when the
    next frame came, and how old it is.
    """
    from mtshare_ros.evaluation.video.sources import is_bag, is_camera, open_source
    from mtshare_ros.evaluation.video.video_files import check_ending

    if is_bag(source):
        refuse({"--focal-length": focal_length is not None}, "not with a bag: see --intrinsics")
    else:
        of_bags = {"--topic": topic is not None, "--intrinsics": intrinsics != "auto"}
        refuse(of_bags, f"expected with a bag, not with {source}")
    if focal_length is not None and not 0.0 < focal_length < 10.0:
        raise OptionError(f"--focal-length {focal_length:g}: expected fx / width, above 0 to 10")
    check_ending(output, 0)
    if output.resolve() == Path(source).resolve():
        raise OptionError(f"--output {output}: it is the input; expected another file")
    check_output_file(output)
    shots = open_source(source, topic, intrinsics, focal_length)
    from mtshare_ros.evaluation.video.make_video import make_video
    from mtshare_ros.perception.engines import open_engine
    from mtshare_ros.perception.serving.server import ServeSettings

    engine = open_engine(bundle, threads=threads)
    with progress("playing") as on_frame:
        result = make_video(
            shots,
            engine,
            output,
            ServeSettings(fill=unknown == "fill"),
            seconds,
            width,
            columns,
            every,
            on_frame,
        )
    print_table("", ("", ""), result.rows())
    print_warnings(result.warnings)
    typer.echo(str(output))
    # Ctrl-C is how a camera is ended.
    if result.stopped and not is_camera(source):
        raise typer.Exit(130)
