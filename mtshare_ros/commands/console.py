"""What commands print: a progress bar, tables, and the summary of a report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

LOG_SECONDS = 60.0
"""Where no bar can be drawn, one line per so many seconds says how far a job is."""


@contextmanager
def progress(what: str) -> Iterator[Callable[..., None]]:
    """Show on stderr how far a job is: a bar on a terminal, else a line now and then.

    Args:
        what: The job in one word.

    Yields:
        What the job calls with the steps done, those in all and, where it likes, a few words.
    """
    columns = (
        TextColumn(what),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
    )
    console = Console(stderr=True)
    # Of several processes that torchrun started, only the first one draws.
    drawn = console.is_terminal and os.environ.get("RANK", "0") == "0"
    last = time.monotonic()
    bar = Progress(*columns, console=console, transient=True, disable=not drawn, expand=True)
    with bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int, text: str = "") -> None:
            nonlocal last
            if not drawn and time.monotonic() - last > LOG_SECONDS:
                console.out(f"{what}: {done} of {total} {text}".rstrip(), highlight=False)
                last = time.monotonic()
            if done < bar.tasks[0].completed:
                bar.reset(task, total=total, description=text)
            bar.update(task, completed=done, total=total, description=text)

        yield show


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; cells are shown as they are, brackets included."""
    table = Table(*header, title=title or None, title_justify="left", title_style="bold")
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False).print(table)


def print_report(numbers: dict[str, Any]) -> None:
    """Print the main numbers of a report, those of baselines beside them."""
    contenders = [numbers, *numbers["baselines"].values()]
    rows = [
        (task, key, *(_cell(one["tasks"].get(task, {}).get(key)) for one in contenders))
        for task, values in numbers["tasks"].items()
        for key in values
    ]
    if "total" in numbers["latency_ms"]:
        totals = [one["latency_ms"].get("total", {}) for one in contenders]
        for key in ("p50", "p95", "p99"):
            rows.append(("time", f"{key}, ms", *(_cell(t.get(key)) for t in totals)))
    rows += [
        (task, "disagreement with dense", _cell(value))
        for task, value in numbers["disagreement"].items()
    ]
    if numbers["dirty_fraction"]:
        mean = numbers["dirty_fraction"]["mean"]
        rows.append(("tokens", "recomputed, mean", f"{100 * mean:.1f} %"))
    for task, count in numbers.get("truth_frames", {}).items():
        if count:
            offset = numbers.get("truth_offset_ms", {}).get(task)
            more = f", up to {offset:.3f} ms off" if offset else ""
            rows.append((task, "frames with truth", f"{count}{more}"))
    if "streaming" in numbers:
        _print_streaming(numbers["streaming"], numbers["tasks"])
    for key, value in numbers.get("delivery", {}).items():
        rows.append(("frames", key, str(value)))
    frames = f"{numbers['frames']} frames, {numbers['engine']}"
    title = frames if numbers["complete"] else f"PARTIAL: {frames}"
    print_table(title, ("", "", "this run", *numbers["baselines"]), rows)
    print_warnings(numbers.get("warnings", ()))


def _print_streaming(streaming: dict[str, Any], tasks: Collection[str]) -> None:
    """Print what a robot had at each moment, of all that were compared."""
    ideal = {name: streaming[name] for name in ("ideal", "ideal_1") if name in streaming}
    contenders = {"this run": streaming, **streaming["baselines"], **ideal}
    rows = []
    for words, metrics in (
        ("", {name: {t: one[t] for t in tasks} for name, one in contenders.items()}),
        (", known pixels", {name: one["served"] for name, one in contenders.items()}),
    ):
        rows += [
            (task, f"{key}{words}", *(_cell(m.get(task, {}).get(key)) for m in metrics.values()))
            for task, values in metrics["this run"].items()
            for key in values
        ]
    ages = [one["age_ms"] for one in contenders.values()]
    rows += [
        ("age", f"{key}, ms", *(_cell(age.get(key)) for age in ages)) for key in ("mean", "p95")
    ]
    rows.append(("coverage", "", _cell(streaming["coverage"])))
    print_table("at each moment", ("", "", *contenders), rows)


def print_warnings(warnings: Sequence[str]) -> None:
    """Print on stderr what a user must not miss, a line each."""
    console = Console(stderr=True)
    for warning in warnings:
        console.out(f"warning: {warning}", highlight=False)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
