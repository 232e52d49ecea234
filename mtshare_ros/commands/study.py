"""Commands of ``mtshare study``: they score, measure and draw a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mtshare_ros.commands.console import print_table, print_warnings, progress
from mtshare_ros.commands.options import BundleArgument, Threads, parse_size
from mtshare_ros.errors import OptionError, written
from mtshare_ros.output_checks import check_output_file, check_output_folder

RESULTS_NAME = "results.json"
TIMING_NAME = "timing.json"
TABLE_NAME = "table.md"
REUSE_NAME = "reuse.json"

app = typer.Typer(
    help="Compare ways to share a network, on the same test rooms.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path, typer.Argument(help="YAML file, such as config/results/study.yaml.")]
Output = Annotated[Path, typer.Option(help="Folder of the study's files.")]


@app.command()
def table(config: Config, output: Output) -> None:
    """Score the trained stages and write their table and plots.

    Times are read from timing.json in the same folder, which `timing` writes.
    """
    check_output_folder(output)
    from mtshare_ros.study.plot_sources import draw
    from mtshare_ros.study.results import results_of
    from mtshare_ros.study.study_config import load_study
    from mtshare_ros.study.study_tables import markdown
    from mtshare_ros.study.timing_file import read_timing

    study = load_study(config)
    timing = read_timing(output / TIMING_NAME)
    with progress("scoring") as on_step:
        results = results_of(study, on_step)
    _write_json(output / RESULTS_NAME, results)
    with written(output / TABLE_NAME):
        (output / TABLE_NAME).write_text(markdown(results, timing), encoding="utf-8")
    files = [output / RESULTS_NAME, output / TABLE_NAME, *draw(study, results, timing, output)]
    for run, stages in results["missing"].items():
        typer.echo(f"not trained in {run}: {', '.join(stages)}", err=True)
    if timing is None:
        typer.echo(f"{output / TIMING_NAME}: not there, so no plot over time", err=True)
    for path in files:
        typer.echo(str(path))


@app.command()
def timing(
    config: Config,
    output: Output,
    size: Annotated[
        str | None,
        typer.Option(help="Width and height of the input; the weights are random then."),
    ] = None,
    threads: Threads = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Measured frames of each case.")] = 60,
) -> None:
    """Measure each trained system's time per frame (timing.json)."""
    pixels = None if size is None else parse_size(size)
    check_output_folder(output)
    check_output_file(output / TIMING_NAME)
    from mtshare_ros.study.study_config import load_study
    from mtshare_ros.study.system_times import measure

    study = load_study(config)
    with progress("measuring") as on_round:
        found = measure(study, size=pixels, threads=threads, rounds=rounds, on_round=on_round)
    _write_json(output / TIMING_NAME, found)
    rows = [
        (c["system"], f"{100 * c['fraction']:g} %", f"{c['p50_ms']:.1f}", f"{c['ratio']:.2f}")
        for c in found["cases"]
    ]
    print_table("", ("system", "dirty", "p50, ms", "times faster"), rows)
    for name, reason in found["skipped"].items():
        typer.echo(f"not measured: {name}: {reason}", err=True)
    typer.echo(str(output / TIMING_NAME))


@app.command()
def elements(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    stage: Annotated[str, typer.Argument(help="Elementwise stage of the run.")],
    data: Annotated[
        Path, typer.Option(help="Rendered images; to choose a threshold, of validation rooms.")
    ],
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    theta: Annotated[list[float], typer.Option(help="Threshold of all blocks; repeatable.")],
    at: Annotated[
        str, typer.Option(help="What is cut: inputs or outputs of the linears.")
    ] = "inputs",
    threads: Threads = 2,
) -> None:
    """Score the element-wise scheme: counted work beside real time."""
    if at not in ("inputs", "outputs"):
        raise OptionError(f"--at {at!r}: expected inputs or outputs")
    check_output_file(output)
    from mtshare_ros.study.elementwise.threshold_sweep import sweep

    found = sweep(run, stage, data, theta, points=at, threads=threads)
    _write_json(output, found)
    rows = []
    for row in found["rows"]:
        main, value = next(iter(row["metrics"].items()))
        real = f"{row['csr_over_dense']:.2f}" if "csr_over_dense" in row else ""
        counted = f"{100 * row['counted']['linears']:.0f} %"
        rows.append((row["task"], f"{row['theta']:g}", f"{main} {value:.4f}", counted, real))
    header = ("task", "theta", "accuracy", "linears counted", "CSR time / dense time")
    print_table("", header, rows)
    typer.echo(str(output))


@app.command()
def reuse(
    bundle: BundleArgument,
    bag: Annotated[list[Path], typer.Option(help="Bag with ground truth; repeatable.")],
    output: Output,
    policy: Annotated[
        list[str] | None, typer.Option(help="How the urgency of a token is computed; repeatable.")
    ] = None,
    budget: Annotated[
        list[float] | None,
        typer.Option(min=0.01, max=1.0, help="Largest share of recomputed tokens; repeatable."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0.0, help="Urgency above which a token is recomputed.")
    ] = None,
    carry: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Compute every K-th frame and carry the others; repeatable."),
    ] = None,
    threads: Threads = 2,
) -> None:
    """Compare reuse over time with held frames (reuse.json, plots)."""
    check_output_folder(output)
    from mtshare_ros.study.reuse.reuse_study import Options, compare_reuse

    asked = {
        "policies": policy,
        "budgets": budget,
        "change_threshold": threshold,
        "carried": carry,
    }
    # What is not asked for keeps its default.
    given: dict[str, Any] = {key: value for key, value in asked.items() if value not in (None, [])}
    options = Options(threads=threads, **given)
    with progress("comparing") as on_frame:
        found, files = compare_reuse(bundle, bag, output, options, on_frame)
    _write_json(output / REUSE_NAME, found)
    print_warnings(found["warnings"])
    for kind in found["kinds"]:
        rows = [
            (
                way["name"],
                f"{way['mean_ms']:.1f}",
                f"{way['p99_ms']:.1f}",
                f"{way['times_faster']:.2f}",
                f"{100 * way['dirty']:.0f} %",
                *(f"{value:.4f}" for value in way["error"].values()),
                *(f"{100 * value:+.1f} %" for value in way["loss"].values()),
            )
            for way in kind["ways"]
        ]
        tasks = tuple(kind["ways"][0]["error"])
        lost = tuple(f"{task} lost" for task in kind["ways"][0]["loss"])
        header = ("", "mean, ms", "p99, ms", "times faster", "dirty", *tasks, *lost)
        title = f"{kind['name']} ({len(kind['clips'])} clips): disagreement with dense, loss"
        print_table(title, header, rows)
        print_table(*_at_equal_time(kind))
        fastest = kind["fastest"]
        typer.echo(
            f"fastest that loses at most {100 * fastest['bearable']:g} %: {fastest['name']}, "
            f"{fastest['times_faster']:.2f} times faster than separate networks"
        )
    for path in (output / REUSE_NAME, *files):
        typer.echo(str(path))


def _at_equal_time(kind: dict[str, Any]) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]]:
    """Return title, header and rows of the errors as parts of those of the baselines."""
    rows = [
        (
            f"{rival}:{entry['period']}",
            entry["ours"],
            f"{entry['time']:.2f}",
            *("" if part is None else f"{part:.2f}" for part in entry[f"of_{rival}"].values()),
        )
        for entry in kind["equal_time"]
        for rival in ("hold", "warp")
    ]
    header = ("against", "ours", "time, of hold's", *kind["ways"][0]["error"])
    return f"{kind['name']}: error, as a part of the other's", header, rows


@app.command()
def shares(
    source: Annotated[Path, typer.Argument(help="Folder of a bundle or of a run.")],
    output: Annotated[Path, typer.Option(help="PNG file to write.")],
    stage: Annotated[str | None, typer.Option(help="Stage of sub-tasks in a run.")] = None,
) -> None:
    """Draw the private share of each block of a bundle or a stage."""
    check_output_file(output)
    from mtshare_ros.study.plot_sources import draw_bundle_shares, draw_stage_shares

    if stage is None:
        draw_bundle_shares(source, output)
    else:
        draw_stage_shares(source, stage, output)
    typer.echo(str(output))


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(values, indent=1, allow_nan=False) + "\n"
    with written(path):
        path.write_text(text, encoding="utf-8")
