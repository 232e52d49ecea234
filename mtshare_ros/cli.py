"""`mtshare`: one sub-command per job.

Every command parses, calls one function and prints what came out. What a job needs is imported
inside its command, so that `mtshare doctor` runs where torch, ROS or a simulator is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mtshare_ros.commands import bench as bench_commands
from mtshare_ros.commands import score as commands
from mtshare_ros.commands.console import print_report, print_table, progress
from mtshare_ros.commands.options import (
    Kind,
    Precision,
    Purpose,
    Textures,
    parse_parameters,
    parse_size,
)
from mtshare_ros.commands.study import app as study
from mtshare_ros.errors import exit_status, one_line

app = typer.Typer(
    help="Several dense vision tasks from one network pass, at camera rate, for ROS 2.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(study, name="study")
app.command()(bench_commands.bench)
app.command("bench-report")(bench_commands.bench_report)
app.command()(commands.label)
app.command()(commands.evaluate)
app.command("boundary-score")(commands.boundary_score)

USAGE_ERRORS = typer.BadParameter.__mro__[1:3]
"""What the parser raises for wrong arguments; typer has no public name for them."""


BundleArgument = Annotated[Path, typer.Argument(help="Folder of a model bundle.")]
OptionalBundle = Annotated[Path | None, typer.Argument(help="Folder of a model bundle.")]
Bag = Annotated[Path, typer.Option(help="Recorded bag with camera images.")]


@app.command()
def simulate(
    output: Annotated[
        Path,
        typer.Option(help="Bag to write: one file if it ends in .mcap, else a rosbag2 folder."),
    ],
    kind: Annotated[Kind, typer.Option(help="How the camera moves.")] = Kind.drive,
    seed: Annotated[int, typer.Option(help="The same seed gives the same clip.")] = 0,
    frames: Annotated[int, typer.Option(min=1, help="Frames to render.")] = 150,
    size: Annotated[str, typer.Option(help="Width and height in pixels.")] = "320x240",
    cuts: Annotated[int, typer.Option(help="Cuts to another room.")] = 0,
    textures: Annotated[
        Textures,
        typer.Option(help="A: seen in training; B: held out; mix: both; auto: by the seed."),
    ] = Textures.auto,
    exposure_changes: Annotated[
        bool, typer.Option("--exposure-changes", help="Correct the exposure now and then.")
    ] = False,
    compressed: Annotated[
        bool, typer.Option("--compressed", help="Store JPEG and PNG, not raw images.")
    ] = False,
) -> None:
    """Render a clip of a simulated room, with ground truth, into a bag."""
    pixels = parse_size(size)
    from mtshare_ros.simulator.simulate import write_clip

    with progress("rendering") as on_frame:
        write_clip(
            output,
            kind.value,
            seed,
            frames,
            pixels,
            on_frame,
            textures=textures.value,
            compressed=compressed,
            exposure_changes=exposure_changes,
            cuts=cuts,
        )
    typer.echo(f"{output}: {frames} frames")


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="YAML file, as in config/.")],
    output: Annotated[Path, typer.Option(help="Folder of the run.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with this run.")] = False,
    seed: Annotated[int | None, typer.Option(help="Instead of the configuration's.")] = None,
    stage: Annotated[
        list[str] | None, typer.Option(help="Train this stage only; repeatable.")
    ] = None,
) -> None:
    """Train the stages of a configuration."""
    from mtshare_ros.training.train import train as run_training

    stages = run_training(config, output, resume, seed, stage or ())
    typer.echo(f"{output}: trained {', '.join(stages)}")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    output: Annotated[Path, typer.Option(help="Folder of the bundle.")],
    stage: Annotated[
        list[str] | None, typer.Option(help="Take the sub-tasks of this stage; repeatable.")
    ] = None,
) -> None:
    """Turn a finished training into a model bundle, and hold it against the training's network."""
    from mtshare_ros.export.export_run import export_run

    export_run(run, output, stage or ())
    typer.echo(f"{output}: bundle written")


@app.command()
def build(
    bundle: BundleArgument,
    precision: Annotated[
        Precision, typer.Option(help="fp32 where fp16 fails the self-test.")
    ] = Precision.fp16,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Though they are there.")] = False,
) -> None:
    """Compile a bundle's TensorRT engines for this GPU, once, and try them."""
    from mtshare_ros.commands.build import build_engines

    with progress("compiling") as on_step:
        title, header, rows = build_engines(bundle, precision.value, rebuild, on_step)
    print_table(title, header, rows)


@app.command()
def replay(
    bundle: BundleArgument,
    bag: Bag,
    output: Annotated[Path, typer.Option(help="Bag to write.")],
    rate: Annotated[float, typer.Option(help="Speed; 1 is the recording's own.")] = 1.0,
    parameter: Annotated[
        list[str] | None, typer.Option(help="Of the node, as output_size=input; repeatable.")
    ] = None,
) -> None:
    """Send a bag through the live node and record what it publishes."""
    parameters = parse_parameters(parameter or [])
    from mtshare_ros.replay.replay_bag import replay as replay_bag

    with progress("replaying") as on_frame:
        result = replay_bag(
            bundle, bag, output, rate=rate, parameters=parameters, on_progress=on_frame
        )
    rows = [("sent", str(result.frames_sent))]
    rows += [(name, str(count)) for name, count in result.counts.items()]
    print_table("", ("frames", ""), rows)
    times = result.stage_ms.items()
    table = [[stage, *(f"{t[key]:.2f}" for key in ("p50", "p95", "p99"))] for stage, t in times]
    print_table("", ("stage, ms", "p50", "p95", "p99"), table)
    typer.echo(str(result.path))


@app.command()
def inspect(bundle: BundleArgument) -> None:
    """Show a bundle's tasks, private share per layer, sizes and accuracy."""
    from mtshare_ros.bundle.describe import describe

    for title, header, rows in describe(bundle):
        print_table(title, header, rows)


@app.command()
def doctor(
    bundle: OptionalBundle = None,
    purpose: Annotated[
        Purpose, typer.Option("--for", help="Run the node, or also train and simulate.")
    ] = Purpose.run,
) -> None:
    """Say in plain words what this machine lacks."""
    from mtshare_ros.machine.doctor import examine

    findings = examine(bundle, train=purpose is Purpose.train)
    print_table("", ("", "what", "found"), [(f.mark, f.what, f.found) for f in findings])
    lacking = [finding.what for finding in findings if finding.fatal]
    if lacking:
        typer.echo(f"missing: {', '.join(lacking)}", err=True)
        raise typer.Exit(1)


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder of the report.")],
    bundle: Annotated[Path, typer.Option(help="Folder of a model bundle.")] = Path("models/room"),
    bag: Bag = Path("demo/room.mcap"),
) -> None:
    """Run a clip through the live node, score what it published and write the report."""
    from mtshare_ros.commands.demo import run_demo

    with progress("replaying") as on_frame:
        result = run_demo(bundle, bag, output, on_frame)
    print_report(result.numbers)
    for path in result.files:
        typer.echo(str(path))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 when it was done, 1 when it failed, 2 for a user's mistake."""
    try:
        status = app(arguments, prog_name="mtshare", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except Exception as error:
        if isinstance(error, USAGE_ERRORS):
            return _fail(getattr(error, "format_message", error.__str__)(), 2)
        known = exit_status(error)
        if known is None:
            raise
        return _fail(one_line(error), known)


def _fail(message: str, status: int) -> int:
    typer.echo(f"error: {message}", err=True)
    return status


def main() -> None:
    """Run `mtshare` and exit with its status."""
    sys.exit(run())
