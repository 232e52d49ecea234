"""Commands that make a model: train, export, build and inspect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtshare_ros.commands.console import print_table, progress
from mtshare_ros.commands.options import BundleArgument, Precision

Stages = Annotated[
    list[str] | None, typer.Option(help="Stage to train or export, not all; repeatable.")
]


def train(
    config: Annotated[Path, typer.Argument(help="YAML file, such as config/training/room.yaml.")],
    output: Annotated[Path, typer.Option(help="Folder of the run.")],
    resume: Annotated[bool, typer.Option("--resume", help="Continue this run.")] = False,
    seed: Annotated[int | None, typer.Option(help="Random seed, not the file's.")] = None,
    stage: Stages = None,
) -> None:
    """Train a model as a configuration file describes."""
    from mtshare_ros.training.train import train as run_training

    with progress("training") as on_step:
        stages = run_training(config, output, resume, seed, stage or (), on_step)
    typer.echo(f"{output}: trained {', '.join(stages)}")


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    output: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    stage: Stages = None,
) -> None:
    """Write a trained run as a bundle and check what it computes."""
    from mtshare_ros.export.export_run import export_run

    export_run(run, output, stage or ())
    typer.echo(f"{output}: bundle written")


def build(
    bundle: BundleArgument,
    precision: Annotated[
        Precision,
        typer.Option(help="Number format; fp32 replaces fp16 where fp16 fails the self-test."),
    ] = "fp16",
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Rebuild even if engines exist.")
    ] = False,
) -> None:
    """Compile a bundle's TensorRT engines for this machine's GPU.

    Every engine is tested; a node that starts later finds them.
    """
    from mtshare_ros.bundle.folder import load_manifest
    from mtshare_ros.perception.engines.build_progress import on_progress
    from mtshare_ros.perception.engines.choice import choose_backend

    manifest = load_manifest(bundle)
    choose_backend("tensorrt")
    from mtshare_ros.perception.engines.tensorrt.opening import open_tensorrt

    with progress("compiling") as on_step:
        report = on_progress(on_step)
        opened = open_tensorrt(bundle, manifest, precision, report, rebuild=rebuild)
    rows = []
    for built in opened.built:
        compiled = "found" if built.seconds is None else f"{built.seconds:.0f} s"
        rows.append((built.graph, f"{built.size / 1e6:.1f} MB", compiled, str(built.path)))
    rows.append(("all", f"{sum(b.size for b in opened.built) / 1e6:.1f} MB", "", ""))
    difference = f"{100 * opened.difference:.0f} % of what is tolerated"
    title = f"{manifest.name} in {opened.engine.precision}: self-test differs by {difference}"
    print_table(title, ("graph", "engine", "compiled in", "file"), rows)


def inspect(bundle: BundleArgument) -> None:
    """Show a bundle's tasks, private units, sizes and accuracy."""
    from mtshare_ros.bundle.describe import describe

    for title, header, rows in describe(bundle):
        print_table(title, header, rows)
