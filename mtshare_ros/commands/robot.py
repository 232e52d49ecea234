"""Commands for the machine that runs the node: doctor, demo, replay and soak."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtshare_ros.commands.console import print_report, print_table, print_warnings, progress
from mtshare_ros.commands.options import (
    DEMO_BAG,
    DEMO_BUNDLE,
    Bag,
    BundleArgument,
    BundleOption,
    Intrinsics,
    OptionalBundle,
    Parameters,
    Purpose,
    Topic,
    parse_parameters,
    parse_size,
    refuse,
)
from mtshare_ros.errors import written
from mtshare_ros.output_checks import check_output_file, check_output_folder

if TYPE_CHECKING:
    from mtshare_ros.replay.soak import Sample


def doctor(
    bundle: OptionalBundle = None,
    purpose: Annotated[
        Purpose, typer.Option("--for", help="Run the node, or also train and simulate.")
    ] = "run",
) -> None:
    """Check this machine and say in plain words what it lacks."""
    from mtshare_ros.machine.doctor import examine

    findings = examine(bundle, train=purpose == "train")
    print_table("", ("", "what", "found"), [(f.mark, f.what, f.found) for f in findings])
    lacking = [finding.what for finding in findings if finding.fatal]
    if lacking:
        typer.echo(f"missing: {', '.join(lacking)}", err=True)
        raise typer.Exit(1)


def demo(
    output: Annotated[Path, typer.Option(help="Folder of the report.")],
    bundle: BundleOption = DEMO_BUNDLE,
    bag: Bag = DEMO_BAG,
) -> None:
    """Play a clip through the ROS 2 node and score its outputs.

    The report is a page with pictures, accuracy and times.
    """
    check_output_folder(output)
    from mtshare_ros.commands.demo import run_demo

    with progress("replaying") as on_frame:
        result = run_demo(bundle, bag, output, on_frame)
    print_report(result.numbers)
    for path in result.files:
        typer.echo(str(path))


def replay(
    bundle: BundleArgument,
    bag: Bag,
    output: Annotated[Path, typer.Option(help="Bag to write.")],
    topic: Topic = None,
    rate: Annotated[float, typer.Option(help="Speed; 2 is twice as fast as recorded.")] = 1.0,
    intrinsics: Intrinsics = "auto",
    parameter: Parameters = None,
) -> None:
    """Play a bag through the ROS 2 node and record the outputs."""
    parameters = parse_parameters(parameter or [])
    twice = "intrinsics" in parameters and intrinsics != "auto"
    refuse({"--intrinsics": twice}, "not with --parameter intrinsics=..., which says it too")
    parameters = {"intrinsics": intrinsics, **parameters}
    from mtshare_ros.replay.replay_bag import replay as replay_bag

    with progress("replaying") as on_frame:
        result = replay_bag(
            bundle,
            bag,
            output,
            topic=topic,
            rate=rate,
            parameters=parameters,
            on_progress=on_frame,
        )
    rows = [("sent", str(result.frames_sent))]
    rows += [(name, str(count)) for name, count in result.counts.items()]
    print_table("", ("frames", ""), rows)
    times = result.stage_ms.items()
    table = [[stage, *(f"{t[key]:.2f}" for key in ("p50", "p95", "p99"))] for stage, t in times]
    print_table("", ("stage, ms", "p50", "p95", "p99"), table)
    answers = [
        [t, str(a.count), *(f"{a.latency_ms[key]:.2f}" for key in ("p50", "p95", "p99"))]
        for t, a in result.answers.items()
    ]
    print_table("", ("sent to arrival, ms", "answered", "p50", "p95", "p99"), answers)
    print_warnings(result.warnings)
    typer.echo(str(result.path))


def soak(
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    bundle: BundleOption = DEMO_BUNDLE,
    bag: Bag = DEMO_BAG,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long the node runs.")] = 30.0,
    size: Annotated[
        str | None, typer.Option(help="Width and height to stretch images to, as 640x480.")
    ] = None,
    parameter: Parameters = None,
) -> None:
    """Run the ROS 2 node for long and check memory and latency.

    The exit status is 1 if memory or latency grew, or an image was not accounted for.
    """
    pixels = None if size is None else parse_size(size)
    parameters = parse_parameters(parameter or [])
    check_output_file(output)
    from mtshare_ros.replay.soak import soak as run_soak

    result = run_soak(
        bundle, bag, 60.0 * minutes, size=pixels, parameters=parameters, on_sample=_print_sample
    )
    faults = result.faults()
    output.parent.mkdir(parents=True, exist_ok=True)
    with written(output):
        output.write_text(json.dumps({**asdict(result), "faults": faults}, indent=1) + "\n")
    typer.echo(
        f"{result.sent} sent, {result.counts}, memory {result.memory_growth:+.2%} since warm, "
        f"p99 x {result.p99_ratio:.2f}, {result.cpu_ms:.1f} ms of CPU per frame"
    )
    typer.echo(f"{result.keys} keys, {result.coverage:.1%} of the pixels known")
    for topic, part in result.answered.items():
        typer.echo(f"{topic} answered {part:.2%} of the images since the first")
    for stage in ("serve", "publish", "latency", "key", "key_age"):
        if stage in result.stage_ms:
            times = result.stage_ms[stage].items()
            typer.echo(f"{stage} {', '.join(f'{name} {time:.1f} ms' for name, time in times)}")
    for fault in faults:
        typer.echo(f"fault: {fault}", err=True)
    if faults:
        raise typer.Exit(1)


def _print_sample(sample: Sample) -> None:
    typer.echo(
        f"{sample.seconds:7.0f} s  {sample.resident_mib:7.1f} MiB  "
        f"p99 {sample.latency_ms_p99:6.1f} ms"
    )
