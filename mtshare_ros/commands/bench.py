"""Commands that measure time: bench and bench-report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from mtshare_ros.commands.console import print_table, progress
from mtshare_ros.commands.options import Precision, parse_size, refuse
from mtshare_ros.errors import OptionError
from mtshare_ros.output_checks import check_output_file

ALL_WIDTHS = (192, 384, 768)
ALL_SIZES = ("320x240", "640x480")
_DEFAULT_WIDTH, _DEFAULT_SIZE = 384, "320x240"


def bench(
    output: Annotated[Path, typer.Option(help="JSON file to write; plots are put beside it.")],
    bundle: Annotated[
        Path | None,
        typer.Argument(help="Folder of a model bundle; by default a network of random weights."),
    ] = None,
    width: Annotated[
        list[int] | None, typer.Option(help="Width of the network in channels; repeatable. [384]")
    ] = None,
    size: Annotated[
        list[str] | None, typer.Option(help="Width and height of the input; repeatable. [320x240]")
    ] = None,
    tasks: Annotated[
        list[int] | None, typer.Option(help="Number of tasks; repeatable. [3, or the bundle's]")
    ] = None,
    fraction: Annotated[
        list[float] | None,
        typer.Option(help="Share of recomputed tokens; repeatable. [1 0.5 0.25 0.125 0.05]"),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Measure every width, size and number of tasks that no option gives."
        ),
    ] = False,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Measured frames of each case. [60]")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads and cores to use.")] = 2,
    engine: Annotated[
        str | None,
        typer.Option(help="Engine to time a bundle on, alone; tensorrt needs no torch."),
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="Number format that --engine computes in.")
    ] = "fp16",
) -> None:
    """Measure a frame's time, against that of dense networks.

    The cases take turns in one run.
    """
    options: dict[str, Any] = {
        "--width": width,
        "--size": size,
        "--tasks": tasks,
        "--fraction": fraction,
        "--all": everything,
        "--rounds": rounds,
        "--threads": None if threads == 2 else threads,
        "--engine": engine,
        "--precision": precision if engine else None,
        "--output": str(output),
    }
    command = _command(bundle, options)
    refused = () if bundle is None else ("--width", "--size")
    for name in refused if engine is None else (*refused, "--tasks", "--fraction", "--all"):
        other = "a bundle" if name in refused else "--engine"
        refuse({name: bool(options[name])}, f"not with {other}")
    refuse({"--precision": engine is None and precision != "fp16"}, "expected with --engine")
    check_output_file(output)
    if engine is not None:
        if bundle is None:
            raise OptionError("--engine needs a bundle: mtshare bench BUNDLE --engine tensorrt")
        from mtshare_ros.bench.engine_benchmark import bench_engine

        with progress("compiling and measuring") as on_step:
            result = bench_engine(
                bundle,
                engine,
                precision,
                output,
                on_step,
                rounds=rounds or 200,
                threads=threads,
                command=command,
            )
        typer.echo(", ".join(f"{key}: {value}" for key, value in result["machine"].items()))
        _print_tables(result)
        typer.echo(str(output))
        return
    sizes = size or (ALL_SIZES if everything else [_DEFAULT_SIZE])
    pixels = [parse_size(text) for text in dict.fromkeys(sizes)]
    from mtshare_ros.bench.benchmark import TABLE_FRACTIONS, Matrix, run_bench
    from mtshare_ros.bench.cost_plots import draw
    from mtshare_ros.bundle.folder import load_manifest
    from mtshare_ros.tasks import TASKS

    if everything and not tasks:
        known = len(TASKS) if bundle is None else len(load_manifest(bundle).tasks)
        tasks = list(range(1, known + 1))
    matrix = Matrix(
        bundle=bundle,
        widths=list(dict.fromkeys(width or (ALL_WIDTHS if everything else [_DEFAULT_WIDTH]))),
        sizes=pixels,
        tasks=tasks or (),
        fractions=sorted(set(fraction or TABLE_FRACTIONS), reverse=True),
        threads=threads,
        rounds=rounds or 60,
        command=command,
    )
    with progress("measuring") as on_round:
        result = run_bench(matrix, output, on_round)
    _print_tables(result)
    for path in (output, *draw(result, output)):
        typer.echo(str(path))


def bench_report(
    results: Annotated[list[Path], typer.Argument(help="JSON files of `mtshare bench`.")],
    output: Annotated[
        Path, typer.Option(help="Markdown page; the text between its markers is replaced.")
    ],
) -> None:
    """Write benchmark results as tables and plots into a page."""
    check_output_file(output)
    from mtshare_ros.bench.benchmark_page import update_page
    from mtshare_ros.bench.cost_plots import draw
    from mtshare_ros.bench.result_reader import read_result

    files = [path for file in results for path in draw(read_result(file), file)]
    update_page(output, results)
    for path in (*files, output):
        typer.echo(str(path))


def _print_tables(result: dict[str, Any]) -> None:
    from mtshare_ros.bench.bench_tables import terminal, title_of

    times = ("p50, ms", "p95, ms", "p99, ms")
    for number, setting in enumerate(result["settings"]):
        header = ("case", "tasks", *times, "times faster", "ideal, ms")
        print_table(title_of(setting), header, terminal(result, number))


def _command(bundle: Path | None, options: dict[str, Any]) -> str:
    """Return the command line that these options came from."""
    words = ["mtshare", "bench", *([] if bundle is None else [str(bundle)])]
    for name, value in options.items():
        if value is True:
            words.append(name)
        elif value:
            for one in value if isinstance(value, list) else [value]:
                words += [name, str(one)]
    return shlex.join(words)
