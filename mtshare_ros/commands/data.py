"""Commands that make data to train and test on: simulate, render and label."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtshare_ros.commands.console import print_warnings, progress
from mtshare_ros.commands.options import (
    Bag,
    Intrinsics,
    Kind,
    Size,
    Textures,
    Threads,
    Topic,
    parse_size,
    refuse,
)

_Textures = Annotated[
    Textures,
    typer.Option(help="A: seen in training; B: held out; mix: both; auto: by the seed."),
]


def simulate(
    output: Annotated[
        Path, typer.Option(help="Bag to write: a file if it ends in .mcap, else a folder.")
    ],
    kind: Annotated[Kind, typer.Option(help="How the camera moves.")] = "drive",
    seed: Annotated[int, typer.Option(help="The same seed gives the same clip.")] = 0,
    frames: Annotated[int, typer.Option(min=1, help="Frames to render.")] = 150,
    size: Size = "320x240",
    cuts: Annotated[int, typer.Option(help="How often the clip cuts to another room.")] = 0,
    textures: _Textures = "auto",
    exposure_changes: Annotated[
        bool, typer.Option("--exposure-changes", help="Change the exposure now and then.")
    ] = False,
    compressed: Annotated[
        bool, typer.Option("--compressed", help="Store JPEG and PNG instead of raw images.")
    ] = False,
) -> None:
    """Render a video clip of a simulated room, with ground truth."""
    pixels = parse_size(size)
    from mtshare_ros.simulator.simulate import write_clip

    with progress("rendering") as on_frame:
        write_clip(
            output,
            kind,
            seed,
            frames,
            pixels,
            on_frame,
            textures=textures,
            compressed=compressed,
            exposure_changes=exposure_changes,
            cuts=cuts,
        )
    typer.echo(f"{output}: {frames} frames")


def render(
    output: Annotated[Path, typer.Option(help="Folder to write.")],
    first_seed: Annotated[int, typer.Option(help="Seed of the first room.")] = 0,
    rooms: Annotated[int, typer.Option(help="Number of rooms.")] = 600,
    views: Annotated[int, typer.Option(help="Images of each room.")] = 10,
    size: Size = "320x240",
    workers: Annotated[int, typer.Option(help="Processes that render at once.")] = 2,
    textures: _Textures = "auto",
    clips: Annotated[
        bool, typer.Option("--clips", help="Let the images of a room be a clip's frames.")
    ] = False,
) -> None:
    """Render images of many simulated rooms, with ground truth.

    The folder can be trained on; a run that was interrupted continues where it was.
    """
    pixels = parse_size(size)
    from mtshare_ros.simulator.render_stills import render_stills

    seeds = range(first_seed, first_seed + rooms)
    with progress("rendering") as on_frame:
        render_stills(
            output, seeds, views, pixels, workers, textures, clips=clips, on_frame=on_frame
        )
    typer.echo(f"{output}: {rooms * views} images")


def label(
    bag: Bag,
    teacher: Annotated[
        list[str],
        typer.Option(help="TASK=FILE.onnx, with a FILE.yaml that describes it; repeatable."),
    ],
    output: Annotated[Path, typer.Option(help="Folder of the data set to write.")],
    frames: Annotated[int, typer.Option(min=2, help="Frames to choose from the bag.")] = 500,
    topic: Topic = None,
    intrinsics: Intrinsics = "auto",
    focal_length: Annotated[
        float | None, typer.Option(help="fx / image width, if the bag has no camera_info.")
    ] = None,
    threads: Threads = 2,
) -> None:
    """Label the images of a bag with networks of your own.

    The result is a data set to train on.
    """
    from mtshare_ros.datasets.labelling.label_bag import Source, label_bag
    from mtshare_ros.datasets.labelling.teacher_settings import parse_teachers

    both = focal_length is not None and intrinsics != "auto"
    refuse({"--intrinsics": both}, "not with --focal-length, which is taken instead")
    teachers = parse_teachers(teacher)
    source = Source(bag, topic, focal_length, frames, intrinsics)
    with progress("labelling") as on_frame:
        labelled = label_bag(source, teachers, output, threads, on_frame)
    print_warnings(labelled.warnings)
    tasks = ", ".join(labelled.description.tasks)
    typer.echo(f"{output}: {tasks}; {labelled.images} images, {labelled.calibration}")
